#include "gateway/session/roster.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "gateway/xml/writer.h"

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

}  // namespace

Result<Roster> Roster::from_store(const std::vector<MapEntry>& entries) {
    Roster roster;
    for (const MapEntry& entry : entries) {
        if (entry.key == version_key) {
            const std::size_t space = entry.value.find(' ');
            roster.version_ = std::strtoull(entry.value.c_str(), nullptr, 10);
            if (space != std::string::npos) {
                roster.floor_ = std::strtoull(entry.value.c_str() + space, nullptr, 10);
            }
            continue;
        }
        auto item = from_text(entry.key, entry.value);
        if (!item) {
            return Outcome::malformed(fmt::format("the roster of {} holds something unreadable: {}",
                                                  entry.owner, entry.key));
        }
        roster.listed_ += item->listed;
        roster.items_.emplace(entry.key, std::move(*item));
    }
    return roster;
}

const RosterItem* Roster::find(const Jid& bare) const {
    const auto found = items_.find(bare.bare());
    return found == items_.end() ? nullptr : &found->second;
}

std::size_t Roster::request_count() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        items_, [](const auto& entry) { return entry.second.state.pending_in; }));
}

RosterItem Roster::plan(Batch& batch, std::string_view owner, RosterItem item, bool visible) const {
    const std::string key(item.jid.bare());
    if (visible) {
        item.version = version_ + 1;
        std::uint64_t floor = floor_;
        const auto tombstones = static_cast<std::size_t>(
            std::ranges::count_if(items_, [](const auto& entry) { return entry.second.removed; }));
        if (item.removed && tombstones >= tombstone_limit) {
            floor = item.version;
            item.removed = false;
            for (const auto& [other, known] : items_) {
                if (known.removed) batch.map_erase(store_name, owner, other);
            }
        }
        batch.map_set(store_name, owner, version_key, fmt::format("{} {}", item.version, floor));
    }
    if (item.blank()) {
        batch.map_erase(store_name, owner, key);
    } else {
        batch.map_set(store_name, owner, key, to_text(item));
    }
    return item;
}

void Roster::apply(RosterItem item) {
    if (item.version > version_) {
        version_ = item.version;
        if (!item.listed && !item.removed) {
            // plan() let the tombstones go.
            const auto before = items_.size();
            std::erase_if(items_, [](const auto& entry) { return entry.second.removed; });
            if (items_.size() != before) floor_ = version_;
        }
    }
    const std::string key(item.jid.bare());
    const auto found = items_.find(key);
    if (found != items_.end()) listed_ -= found->second.listed;
    if (item.blank()) {
        items_.erase(key);
        return;
    }
    listed_ += item.listed;
    items_.insert_or_assign(key, std::move(item));
}

void append_item(std::string& out, const RosterItem& item) {
    out += "<item";
    append_attribute(out, "jid", item.jid.bare());
    if (!item.listed) {
        out += " subscription='remove'/>";
        return;
    }
    if (!item.name.empty()) append_attribute(out, "name", item.name);
    append_attribute(out, "subscription", item.state.name());
    if (item.state.pending_out) out += " ask='subscribe'";
    if (item.state.approved) out += " approved='true'";
    if (item.groups.empty()) {
        out += "/>";
        return;
    }
    out += '>';
    for (const std::string& group : item.groups) {
        out += "<group>";
        append_escaped(out, group);
        out += "</group>";
    }
    out += "</item>";
}

}  // namespace causeway
