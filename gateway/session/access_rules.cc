#include "gateway/session/access_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <functional>
#include <utility>

namespace causeway {
namespace {

namespace json = boost::json;

/// Of an address; a roster group has less.
constexpr std::size_t longest_name = Jid::max_size;
/// Rules from which it pays to work out the tags of an asker.
constexpr std::size_t long_list = 16;
/// Labels of a domain of which tags are worked out; who has more is compared with every rule.
constexpr std::size_t tagged_labels = 16;

/// Never 0.
std::uint32_t tag_of(AccessSubject::Kind kind, std::string_view name) {
    constexpr std::size_t spread = 0x9e3779b1;  // the kinds lie far from each other
    const std::size_t hash =
        std::hash<std::string_view>{}(name) + spread * static_cast<std::size_t>(kind);
    return static_cast<std::uint32_t>(hash) | (std::uint32_t{1} << 31U);
}

std::string_view subscription_of(const AccessAsker& asker) {
    return asker.contact == nullptr ? "none" : asker.contact->state.name();
}

constexpr std::array<std::pair<AccessAct, std::string_view>, 5> acts{{
    {AccessAct::subscribe, "subscribe"},
    {AccessAct::see, "see"},
    {AccessAct::write, "write"},
    {AccessAct::read_archive, "read-archive"},
    {AccessAct::publish, "publish"},
}};

/// What an act can be answered, and what that says in a sentence.
struct Possible {
    AccessAct act;
    AccessAnswer answer;
    std::string_view words;
};
constexpr std::array<Possible, 11> possible{{
    {AccessAct::subscribe, AccessAnswer::allow, "may subscribe at once"},
    {AccessAct::subscribe, AccessAnswer::ask, "may ask to subscribe"},
    {AccessAct::subscribe, AccessAnswer::deny, "may not subscribe"},
    {AccessAct::subscribe, AccessAnswer::polite, "seems to be subscribed, and sees nothing"},
    {AccessAct::write, AccessAnswer::allow, "may send messages"},
    {AccessAct::write, AccessAnswer::hold, "may send messages, which are held until accepted"},
    {AccessAct::write, AccessAnswer::deny, "may not send messages"},
    {AccessAct::read_archive, AccessAnswer::allow, "may read the archive"},
    {AccessAct::read_archive, AccessAnswer::deny, "may not read the archive"},
    {AccessAct::publish, AccessAnswer::allow, "may publish presence in the account's name"},
    {AccessAct::publish, AccessAnswer::deny, "may not publish presence in the account's name"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> subscriptions{{
    {"both", "any contact with a subscription in both directions"},
    {"to", "any contact that the account only is subscribed to"},
    {"from", "any contact that only is subscribed to the account"},
    {"none", "anybody without a subscription"},
}};

Result<AccessSubject::Kind> kind_of(std::string_view word) {
    using Kind = AccessSubject::Kind;
    if (word == "jid") return Kind::jid;
    if (word == "domain") return Kind::domain;
    if (word == "group") return Kind::group;
    if (word == "subscription") return Kind::subscription;
    if (word == "anonymous") return Kind::anonymous;
    if (word == "anyone") return Kind::anyone;
    return Outcome::malformed("\"" + std::string(word) +
                              "\" names nobody: give jid:J, domain:D, domain:*.D, group:G, "
                              "subscription:both|to|from|none, anonymous or anyone");
}

std::string known_answers(AccessAct act) {
    std::string list;
    for (const Possible& one : possible) {
        if (one.act != act) continue;
        list += (list.empty() ? "" : ", ") + std::string(name_of(one.answer));
    }
    return list;
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string{};
}

}  // namespace

std::string_view name_of(AccessAct act) {
    return std::ranges::find(acts, act, &std::pair<AccessAct, std::string_view>::first)->second;
}

std::string_view name_of(AccessAnswer answer) {
    switch (answer) {
        case AccessAnswer::allow: return "allow";
        case AccessAnswer::ask: return "ask";
        case AccessAnswer::hold: return "hold";
        case AccessAnswer::polite: return "polite";
        case AccessAnswer::deny: return "deny";
        case AccessAnswer::view: return "view";
    }
    return {};
}

std::optional<AccessAct> read_act(std::string_view text) {
    const auto found =
        std::ranges::find(acts, text, &std::pair<AccessAct, std::string_view>::second);
    return found == acts.end() ? std::nullopt : std::optional(found->first);
}

// ---- subjects ----

Result<AccessSubject> AccessSubject::parse(std::string_view text) {
    const std::size_t colon = text.find(':');
    const Result<Kind> kind = kind_of(text.substr(0, colon));
    if (!kind) return kind.error();
    std::string_view name = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const bool needs_name = *kind != Kind::anonymous && *kind != Kind::anyone;
    if (needs_name == name.empty()) {
        return Outcome::malformed(
            "\"" + std::string(text) +
            (needs_name ? "\" needs a name behind a colon" : "\" takes nothing behind a colon"));
    }
    if (name.size() > longest_name) {
        return Outcome::malformed(fmt::format("a name has at most {} bytes", longest_name));
    }
    AccessSubject subject;
    subject.kind_ = *kind;
    subject.name_ = name;
    if (*kind == Kind::jid || *kind == Kind::domain) {
        if (*kind == Kind::domain && name.starts_with("*.")) {
            subject.kind_ = Kind::domain_tree;
            name.remove_prefix(2);
        }
        const Result<Jid> jid = Jid::parse(name);
        if (!jid) {
            return Outcome::malformed(
                fmt::format("\"{}\" is not an address: {}", name, jid.error().why()));
        }
        if (*kind == Kind::domain && (jid->has_local() || jid->has_resource())) {
            return Outcome::malformed("\"" + std::string(name) + "\" is no domain");
        }
        subject.name_ = jid->full();
    }
    if (*kind == Kind::subscription &&
        std::ranges::none_of(subscriptions, [&](const auto& one) { return one.first == name; })) {
        return Outcome::malformed("a subscription is both, to, from or none");
    }
    return subject;
}

bool AccessSubject::names(const AccessAsker& asker) const {
    switch (kind_) {
        case Kind::jid: return asker.bare == name_ || asker.full == name_;
        case Kind::domain: return asker.domain == name_;
        case Kind::domain_tree: {
            const std::string_view domain = asker.domain;
            return domain == name_ || (domain.size() > name_.size() && domain.ends_with(name_) &&
                                       domain[domain.size() - name_.size() - 1] == '.');
        }
        case Kind::group:
            return asker.contact != nullptr &&
                   std::ranges::find(asker.contact->groups, name_) != asker.contact->groups.end();
        case Kind::subscription: return subscription_of(asker) == name_;
        case Kind::anonymous: return asker.anonymous;
        case Kind::anyone: return true;
    }
    return false;
}

bool AccessSubject::covers(const AccessSubject& other) const {
    if (kind_ == Kind::anyone || *this == other) return true;
    const bool of_domain = kind_ == Kind::domain_tree &&
                           (other.kind_ == Kind::domain || other.kind_ == Kind::domain_tree);
    const bool of_address =
        other.kind_ == Kind::jid &&
        (kind_ == Kind::jid || kind_ == Kind::domain || kind_ == Kind::domain_tree);
    if (!of_domain && !of_address) return false;
    const Result<Jid> jid = Jid::parse(other.name_);
    return jid && names({*jid, nullptr, false});
}

std::uint32_t AccessSubject::tag() const {
    return kind_ == Kind::anonymous || kind_ == Kind::anyone ? 0 : tag_of(kind_, name_);
}

AccessTags::AccessTags(const AccessAsker& asker) {
    using Kind = AccessSubject::Kind;
    add(Kind::jid, asker.full);
    add(Kind::jid, asker.bare);
    add(Kind::domain, asker.domain);
    add(Kind::subscription, subscription_of(asker));
    if (asker.contact != nullptr) {
        for (const std::string& group : asker.contact->groups) add(Kind::group, group);
    }
    std::string_view domain = asker.domain;
    for (std::size_t labels = 0; !domain.empty(); ++labels) {
        if (labels == tagged_labels) {
            bits_.set();
            return;
        }
        add(Kind::domain_tree, domain);
        const std::size_t dot = domain.find('.');
        domain.remove_prefix(dot == std::string_view::npos ? domain.size() : dot + 1);
    }
}

void AccessTags::add(AccessSubject::Kind kind, std::string_view name) {
    bits_.set(tag_of(kind, name) % bits);
}

std::string AccessSubject::text() const {
    switch (kind_) {
        case Kind::jid: return "jid:" + name_;
        case Kind::domain: return "domain:" + name_;
        case Kind::domain_tree: return "domain:*." + name_;
        case Kind::group: return "group:" + name_;
        case Kind::subscription: return "subscription:" + name_;
        case Kind::anonymous: return "anonymous";
        case Kind::anyone: return "anyone";
    }
    return {};
}

std::string AccessSubject::words() const {
    switch (kind_) {
        case Kind::jid: return name_;
        case Kind::domain: return "anybody at " + name_;
        case Kind::domain_tree: return "anybody at " + name_ + " or a domain below it";
        case Kind::group: return "any contact in the group \"" + name_ + "\"";
        case Kind::subscription:
            for (const auto& [name, words] : subscriptions) {
                if (name == name_) return std::string(words);
            }
            return {};
        case Kind::anonymous: return "any anonymous account";
        case Kind::anyone: return "anybody";
    }
    return {};
}

// ---- rules ----

Result<AccessRule> AccessRule::parse(std::string_view subject, std::string_view act,
                                     std::string_view answer) {
    const Result<AccessSubject> who = AccessSubject::parse(subject);
    if (!who) return who.error();
    const auto what = read_act(act);
    if (!what) {
        return Outcome::malformed("\"" + std::string(act) +
                                  "\" is none of subscribe, see, write, read-archive and publish");
    }
    AccessRule rule{.subject = *who, .act = *what, .view = {}};
    if (*what == AccessAct::see) {
        rule.answer = AccessAnswer::view;
        rule.view = answer;
        return rule;
    }
    for (const Possible& one : possible) {
        if (one.act != *what || name_of(one.answer) != answer) continue;
        rule.answer = one.answer;
        return rule;
    }
    return Outcome::malformed("\"" + std::string(answer) + "\" is no answer to " +
                              std::string(act) + ": give one of " + known_answers(*what));
}

std::string AccessRule::answer_text() const {
    return answer == AccessAnswer::view ? view : std::string(name_of(answer));
}

std::string AccessRule::sentence() const {
    std::string what;
    if (act == AccessAct::see) {
        what = view == "whole"     ? "sees the presence as it is"
               : view == "nothing" ? "sees no presence"
                                   : "sees the view \"" + view + "\"";
    } else {
        for (const Possible& one : possible) {
            if (one.act == act && one.answer == answer) what = one.words;
        }
    }
    return subject.words() + " " + what +
           (waived ? ", unless a rule of the account says otherwise" : "");
}

// ---- the list ----

const AccessRule* AccessRules::find(const AccessAsker& asker, AccessAct act, Which which) const {
    if (!about(act)) return nullptr;
    const AccessTags tags = rules_.size() < long_list ? AccessTags() : AccessTags(asker);
    for (std::size_t i = 0; i < keys_.size(); ++i) {
        const Key& key = keys_[i];
        if (which != Which::all && key.waived != (which == Which::waived)) continue;
        if (key.act == act && tags.may_have(key.tag) && rules_[i].subject.names(asker)) {
            return &rules_[i];
        }
    }
    return nullptr;
}

bool AccessRules::about(AccessAct act) const {
    return (acts_ & (1U << static_cast<unsigned>(act))) != 0;
}

const AccessRule* AccessRules::deciding_before(const AccessRule& rule) const {
    for (const AccessRule& other : rules_) {
        const bool earlier = other.waived == rule.waived ? &other < &rule : rule.waived;
        if (earlier && other.act == rule.act && other.subject.covers(rule.subject)) return &other;
    }
    return nullptr;
}

void AccessRules::insert(AccessRule rule, std::size_t at) {
    const std::size_t place = std::min(std::max<std::size_t>(at, 1) - 1, rules_.size());
    rules_.insert(rules_.begin() + static_cast<std::ptrdiff_t>(place), std::move(rule));
    index();
}

bool AccessRules::remove(std::size_t number) {
    if (number == 0 || number > rules_.size()) return false;
    rules_.erase(rules_.begin() + static_cast<std::ptrdiff_t>(number - 1));
    index();
    return true;
}

void AccessRules::clear() {
    rules_.clear();
    index();
}

void AccessRules::index() {
    acts_ = 0;
    polite_ = false;
    keys_.clear();
    for (const AccessRule& rule : rules_) {
        acts_ |= 1U << static_cast<unsigned>(rule.act);
        polite_ = polite_ || rule.answer == AccessAnswer::polite;
        keys_.push_back({.tag = rule.subject.tag(), .act = rule.act, .waived = rule.waived});
    }
}

std::string AccessRules::serialise() const {
    json::array list;
    for (const AccessRule& rule : rules_) {
        json::object one{{"subject", rule.subject.text()},
                         {"act", name_of(rule.act)},
                         {"answer", rule.answer_text()},
                         {"since", rule.since}};
        if (rule.waived) one["waived"] = true;
        list.push_back(std::move(one));
    }
    return json::serialize(list);
}

std::optional<AccessRules> AccessRules::read(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_array()) return std::nullopt;
    AccessRules rules;
    for (const json::value& one : value.get_array()) {
        if (!one.is_object()) return std::nullopt;
        const json::object& object = one.get_object();
        Result<AccessRule> rule = AccessRule::parse(
            text_at(object, "subject"), text_at(object, "act"), text_at(object, "answer"));
        if (!rule) return std::nullopt;
        const json::value* since = object.if_contains("since");
        if (since != nullptr && since->is_int64()) rule->since = since->get_int64();
        rule->waived = object.contains("waived");
        rules.rules_.push_back(std::move(*rule));
    }
    rules.index();
    return rules;
}

}  // namespace causeway
