#include "gateway/features/personal_events/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "gateway/store/ids.h"

namespace causeway::personal_events {
namespace {

// No character that XML allows: it ends the part of a key that came from a client.
constexpr char separator = '\x1f';

constexpr std::array<std::string_view, 5> access_names{"open", "presence", "roster", "authorize",
                                                       "whitelist"};
constexpr std::array<std::string_view, 3> publish_names{"publishers", "subscribers", "open"};
constexpr std::array<std::string_view, 3> send_last_names{"never", "on_sub", "on_sub_and_presence"};
constexpr std::array<std::string_view, 5> affiliation_names{"none", "member", "publisher", "owner",
                                                            "outcast"};
constexpr std::array<std::string_view, 3> subscription_names{"none", "pending", "subscribed"};

template <class Value, std::size_t N>
std::optional<Value> value_of(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto* const found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<Value>(found - names.begin());
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
    return number;
}

// Settings are lines of a word and its value. In a value, a line break and a backslash are escaped.

void add_line(std::string& out, std::string_view word, std::string_view value) {
    out += word;
    out += ' ';
    for (const char c : value) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\\') {
            out += "\\\\";
        } else {
            out += c;
        }
    }
    out += '\n';
}

std::string unescaped(std::string_view value) {
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) {
            ++i;
            text += value[i] == 'n' ? '\n' : value[i];
        } else {
            text += value[i];
        }
    }
    return text;
}

/// The first word of `text`, which it loses together with the separator behind it.
std::string_view take_until(std::string_view& text, char end) {
    const std::size_t at = std::min(text.find(end), text.size());
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return taken;
}

struct Flag {
    std::string_view word;
    bool NodeConfig::*member;
};
constexpr std::array flags{
    Flag{"persist", &NodeConfig::persist_items},
    Flag{"notify", &NodeConfig::deliver_notifications},
    Flag{"payloads", &NodeConfig::deliver_payloads},
    Flag{"notify-config", &NodeConfig::notify_config},
    Flag{"notify-delete", &NodeConfig::notify_delete},
    Flag{"notify-retract", &NodeConfig::notify_retract},
    Flag{"notify-sub", &NodeConfig::notify_sub},
    Flag{"name-publisher", &NodeConfig::name_publisher},
    Flag{"headlines", &NodeConfig::headlines},
};

struct Number {
    std::string_view word;
    std::uint64_t NodeConfig::*member;
};
/// Those that are 0 are not written.
constexpr std::array numbers{
    Number{"keep-seconds", &NodeConfig::keep_seconds},
    Number{"max-payload", &NodeConfig::max_payload},
};

bool read_address(std::string_view value, auto& list, const auto& names) {
    const std::string_view name = take_until(value, ' ');
    using Value = typename std::remove_reference_t<decltype(list)>::mapped_type;
    const auto known = value_of<Value>(names, name);
    auto address = Jid::parse(value);
    if (!known || !address) return false;
    list.insert_or_assign(std::move(*address), *known);
    return true;
}

bool read_line(NodeSettings& settings, std::string_view word, std::string_view value) {
    NodeConfig& config = settings.config;
    const auto take = [](auto& member, const auto& names, std::string_view name) {
        const auto known = value_of<std::remove_reference_t<decltype(member)>>(names, name);
        if (known) member = *known;
        return known.has_value();
    };
    if (word == "access") return take(config.access, access_names, value);
    if (word == "publish") return take(config.publish, publish_names, value);
    if (word == "send-last") return take(config.send_last, send_last_names, value);
    if (word == "affiliation") return read_address(value, settings.affiliations, affiliation_names);
    if (word == "subscription") {
        return read_address(value, settings.subscriptions, subscription_names);
    }
    if (word == "asked") {
        const auto when = number_of(take_until(value, ' '));
        auto who = Jid::parse(value);
        if (!when || !who) return false;
        settings.asked.insert_or_assign(std::move(*who), static_cast<UnixMillis>(*when));
        return true;
    }
    if (word == "max-items") {
        const auto number = number_of(value);
        if (number) config.max_items = static_cast<std::uint32_t>(*number);
        return number.has_value();
    }
    for (const Number& row : numbers) {
        if (word != row.word) continue;
        const auto number = number_of(value);
        if (number) config.*row.member = *number;
        return number.has_value();
    }
    for (const Flag& flag : flags) {
        if (word != flag.word) continue;
        config.*flag.member = value == "1";
        return true;
    }
    if (word == "title") config.title = unescaped(value);
    if (word == "description") config.description = unescaped(value);
    if (word == "type") config.type = unescaped(value);
    if (word == "group") config.groups.push_back(unescaped(value));
    return true;  // a word of a later version is passed over
}

}  // namespace

std::string_view to_string(AccessModel value) {
    return access_names[static_cast<std::size_t>(value)];
}
std::string_view to_string(PublishModel value) {
    return publish_names[static_cast<std::size_t>(value)];
}
std::string_view to_string(SendLast value) {
    return send_last_names[static_cast<std::size_t>(value)];
}
std::string_view to_string(Affiliation value) {
    return affiliation_names[static_cast<std::size_t>(value)];
}
std::string_view to_string(SubscriptionState value) {
    return subscription_names[static_cast<std::size_t>(value)];
}

Affiliation Node::affiliation(const Jid& who) const {
    if (settings.affiliations.empty()) return Affiliation::none;
    const auto found = settings.affiliations.find(who.bare_jid());
    return found == settings.affiliations.end() ? Affiliation::none : found->second;
}

SubscriptionState Node::subscription(const Jid& who) const {
    if (settings.subscriptions.empty()) return SubscriptionState::none;
    SubscriptionState best = SubscriptionState::none;
    for (const Jid& address : {who, who.bare_jid()}) {
        const auto found = settings.subscriptions.find(address);
        if (found != settings.subscriptions.end()) best = std::max(best, found->second);
    }
    return best;
}

bool is_over(const NodeConfig& config, std::uint64_t item_number, UnixMillis now) {
    return config.keep_seconds != 0 &&
           static_cast<UnixMillis>(time_of_id(item_number)) +
                   static_cast<UnixMillis>(config.keep_seconds * 1000) <=
               now;
}

// ---- keys ----

std::string settings_key(std::string_view node) { return std::string(node); }

std::string tally_key(std::string_view node) { return std::string(node) + separator; }

NodeKey node_key(std::string_view key) {
    const std::size_t at = key.find(separator);
    if (at == std::string_view::npos) return {NodeKey::Part::settings, key};
    if (at + 1 == key.size()) return {NodeKey::Part::tally, key.substr(0, at)};
    return {};
}

std::string item_prefix(std::string_view node) { return std::string(node) + separator; }

std::string item_key(std::string_view node, std::string_view id) {
    return fmt::format("{}{}{}", node, separator, id);
}

// ---- values ----

std::string text_of(const NodeSettings& settings) {
    const NodeConfig& config = settings.config;
    std::string out;
    add_line(out, "access", to_string(config.access));
    add_line(out, "publish", to_string(config.publish));
    add_line(out, "send-last", to_string(config.send_last));
    add_line(out, "max-items", std::to_string(config.max_items));
    for (const Flag& flag : flags) add_line(out, flag.word, config.*flag.member ? "1" : "0");
    for (const Number& row : numbers) {
        if (config.*row.member != 0) add_line(out, row.word, std::to_string(config.*row.member));
    }
    if (!config.title.empty()) add_line(out, "title", config.title);
    if (!config.description.empty()) add_line(out, "description", config.description);
    if (!config.type.empty()) add_line(out, "type", config.type);
    for (const std::string& group : config.groups) add_line(out, "group", group);
    for (const auto& [who, what] : settings.affiliations) {
        add_line(out, "affiliation", fmt::format("{} {}", to_string(what), who.bare()));
    }
    for (const auto& [who, what] : settings.subscriptions) {
        add_line(out, "subscription", fmt::format("{} {}", to_string(what), who.full()));
    }
    for (const auto& [who, when] : settings.asked) {
        add_line(out, "asked", fmt::format("{} {}", when, who.bare()));
    }
    return out;
}

Result<NodeSettings> settings_of(std::string_view text) {
    NodeSettings settings;
    while (!text.empty()) {
        std::string_view value = take_until(text, '\n');
        const std::string_view word = take_until(value, ' ');
        if (!read_line(settings, word, value)) {
            return Outcome::malformed(fmt::format("its {} is not readable", word));
        }
    }
    return settings;
}

std::string text_of(const NodeTally& tally) {
    return fmt::format("{} {} {} {}", tally.items, tally.bytes, tally.last_number, tally.last_item);
}

Result<NodeTally> tally_of(std::string_view text) {
    const auto items = number_of(take_until(text, ' '));
    const auto bytes = number_of(take_until(text, ' '));
    const auto last = number_of(take_until(text, ' '));
    if (!items || !bytes || !last) return Outcome::malformed("its counts are not readable");
    return NodeTally{*items, *bytes, *last, std::string(text)};
}

std::string text_of(const Item& item) {
    return fmt::format("{} {}\n{}", item.number, item.publisher, item.payload);
}

Result<Item> item_of(std::string_view id, std::string_view text) {
    std::string_view head = take_until(text, '\n');
    const auto number = number_of(take_until(head, ' '));
    if (!number) return Outcome::malformed("the number of an item is not readable");
    return Item{std::string(id), *number, std::string(head), std::string(text)};
}

}  // namespace causeway::personal_events
