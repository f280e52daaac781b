#include "gateway/session/roster.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <sstream>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

namespace json = boost::json;

constexpr std::string_view version_key;  // the empty key cannot be a contact

std::string to_text(const RosterItem& item) {
    json::object object;
    if (!item.name.empty()) object["name"] = item.name;
    if (!item.groups.empty()) {
        json::array groups;
        for (const std::string& group : item.groups) groups.emplace_back(group);
        object["groups"] = std::move(groups);
    }
    const auto flag = [&](std::string_view key, bool value) {
        if (value) object[key] = true;
    };
    flag("to", item.state.to);
    flag("from", item.state.from);
    flag("ask", item.state.pending_out);
    flag("in", item.state.pending_in);
    flag("approved", item.state.approved);
    flag("listed", item.listed);
    flag("removed", item.removed);
    if (!item.request.empty()) object["request"] = item.request;
    object["version"] = item.version;
    return json::serialize(object);
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string{};
}

std::optional<RosterItem> from_text(std::string_view key, std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse({text.data(), text.size()}, error);
    const auto jid = Jid::parse(key);
    if (error || !value.is_object() || !jid) return std::nullopt;
    const json::object& object = value.get_object();
    RosterItem item;
    item.jid = *jid;
    item.name = text_at(object, "name");
    if (const json::value* groups = object.if_contains("groups"); groups && groups->is_array()) {
        for (const json::value& group : groups->get_array()) {
            if (group.is_string()) item.groups.emplace_back(group.get_string());
        }
    }
    const auto flag = [&](std::string_view name) { return object.contains(name); };
    item.state = {.to = flag("to"),
                  .from = flag("from"),
                  .pending_out = flag("ask"),
                  .pending_in = flag("in"),
                  .approved = flag("approved")};
    item.listed = flag("listed");
    item.removed = flag("removed");
    item.request = text_at(object, "request");
    if (const json::value* version = object.if_contains("version")) {
        item.version = version->to_number<std::uint64_t>(error);
    }
    return item;
}

/// Somebody who was removed may have asked again since: that waits.
RosterItem without_tombstone(RosterItem item) {
    item.removed = false;
    return item;
}

}  // namespace

Roster::Roster() : next_incarnation_(random_token(6)) {}

Roster Roster::from_store(std::string_view owner, const std::vector<MapEntry>& entries) {
    Roster roster;
    for (const MapEntry& entry : entries) {
        if (entry.key == version_key) {
            std::istringstream fields(entry.value);
            fields >> roster.version_ >> roster.floor_ >> roster.incarnation_ >> roster.first_ >>
                roster.before_;
            continue;
        }
        auto item = from_text(entry.key, entry.value);
        if (!item) {
            CAUSEWAY_LOG(error, "roster.unreadable_row", {"jid", owner}, {"contact", entry.key});
            continue;
        }
        // A version row that was lost must not let numbers be used twice.
        roster.version_ = std::max(roster.version_, item->version);
        roster.counts_.add(*item);
        roster.items_.emplace(entry.key, std::move(*item));
    }
    return roster;
}

std::string Roster::version_text(std::uint64_t version) const {
    const std::string& incarnation = version >= first_ ? incarnation_ : before_;
    return incarnation.empty() ? fmt::format("{}", version)
                               : fmt::format("{}/{}", incarnation, version);
}

std::optional<std::uint64_t> Roster::since(std::string_view version_text) const {
    const std::size_t slash = version_text.rfind('/');
    const bool plain = slash == std::string_view::npos;
    const std::string_view incarnation = plain ? std::string_view{} : version_text.substr(0, slash);
    const std::string_view digits = plain ? version_text : version_text.substr(slash + 1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool is_number = error == std::errc{} && end == digits.data() + digits.size();
    const std::string& expected = number >= first_ ? incarnation_ : before_;
    if (digits.empty() || !is_number || incarnation != expected || number < floor_ ||
        number > version_) {
        return std::nullopt;
    }
    return number;
}

const RosterItem* Roster::find(const Jid& bare) const {
    const auto found = items_.find(bare.bare());
    return found == items_.end() ? nullptr : &found->second;
}

void Roster::Counts::add(const RosterItem& item) {
    listed += item.listed;
    removed += item.removed;
    requests += item.state.pending_in;
}

void Roster::Counts::take(const RosterItem& item) {
    listed -= item.listed;
    removed -= item.removed;
    requests -= item.state.pending_in;
}

RosterItem Roster::plan(Batch& batch, std::string_view owner, RosterItem item, bool visible) const {
    const std::string key(item.jid.bare());
    if (visible) {
        item.version = version_ + 1;
        std::uint64_t floor = floor_;
        const bool begins = incarnation_ != next_incarnation_;
        if (item.removed && counts_.removed >= tombstone_limit) {
            floor = item.version;
            item.removed = false;
            for (const auto& [other, known] : items_) {
                if (!known.removed) continue;
                if (const RosterItem left = without_tombstone(known); left.blank()) {
                    batch.map_erase(store_name, owner, other);
                } else {
                    batch.map_set(store_name, owner, other, to_text(left));
                }
            }
        }
        batch.map_set(store_name, owner, version_key,
                      begins ? fmt::format("{} {} {} {} {}", item.version, floor, next_incarnation_,
                                           item.version, incarnation_)
                             : fmt::format("{} {} {} {} {}", item.version, floor, incarnation_,
                                           first_, before_));
    }
    if (item.blank()) {
        batch.map_erase(store_name, owner, key);
    } else {
        batch.map_set(store_name, owner, key, to_text(item));
    }
    return item;
}

void Roster::apply(RosterItem item) {
    const bool drops = drops_tombstones(item);
    if (item.version > version_) {
        version_ = item.version;
        if (incarnation_ != next_incarnation_) {
            before_ = std::exchange(incarnation_, next_incarnation_);
            first_ = version_;
        }
    }
    if (drops) {
        // plan() let the tombstones go.
        if (counts_.removed != 0) floor_ = version_;
        counts_.removed = 0;
        for (auto& [jid, known] : items_) known.removed = false;
        std::erase_if(items_, [](const auto& entry) { return entry.second.blank(); });
    }
    const std::string key(item.jid.bare());
    const auto found = items_.find(key);
    if (found != items_.end()) counts_.take(found->second);
    if (item.blank()) {
        items_.erase(key);
        return;
    }
    counts_.add(item);
    items_.insert_or_assign(key, std::move(item));
}

// ---- changes that are planned together ----

RosterTrial::RosterTrial(Roster& roster)
    : roster_(roster),
      version_(roster.version_),
      first_(roster.first_),
      incarnation_(roster.incarnation_),
      before_(roster.before_) {}

bool RosterTrial::apply(const RosterItem& item) {
    if (roster_.drops_tombstones(item) || item.blank()) return false;
    const RosterItem* known = roster_.find(item.jid);
    replaced_.push_back(
        {std::string(item.jid.bare()), known == nullptr ? std::nullopt : std::optional(*known)});
    roster_.apply(item);
    return true;
}

RosterTrial::~RosterTrial() {
    if (replaced_.empty()) return;
    for (auto last = replaced_.rbegin(); last != replaced_.rend(); ++last) {
        const auto found = roster_.items_.find(last->key);
        roster_.counts_.take(found->second);
        if (last->item) {
            // In its place: somebody may be looking through the items.
            roster_.counts_.add(*last->item);
            found->second = std::move(*last->item);
        } else {
            roster_.items_.erase(found);
        }
    }
    roster_.version_ = version_;
    roster_.first_ = first_;
    roster_.incarnation_ = incarnation_;
    roster_.before_ = before_;
}

void append_item(XmlBuilder& xml, const RosterItem& item) {
    xml.open("item").attribute("jid", item.jid.bare());
    if (!item.listed) {
        xml.attribute("subscription", "remove").close();
        return;
    }
    xml.attribute_if("name", item.name).attribute("subscription", item.state.name());
    if (item.state.pending_out) xml.attribute("ask", "subscribe");
    if (item.state.approved) xml.attribute("approved", "true");
    for (const std::string& group : item.groups) xml.element("group", group);
    xml.close();
}

std::string roster_push(const Roster& roster, const RosterItem& item) {
    XmlBuilder xml;
    xml.open("query", ns::roster).attribute("ver", roster.version_text(item.version));
    append_item(xml, item);
    return xml.take();
}

}  // namespace causeway
