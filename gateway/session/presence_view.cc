#include "gateway/session/presence_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> shows{"", "away", "chat", "dnd", "xa"};

/// Since when nobody has touched the client (XEP-0319, XEP-0256): it tells what `show` was.
bool tells_idleness(const Element& child) {
    return child.is(ns::idle, "idle") || child.is(ns::last_activity, "query");
}

void remove_children(Element& presence, bool show, bool status, bool rest) {
    const Element* next = nullptr;
    for (const Element* child = presence.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        const bool standard = child->ns == ns::client;
        const bool is_show = standard && child->name == "show";
        const bool is_status = standard && child->name == "status";
        const bool is_priority = standard && child->name == "priority";
        const bool other = !is_show && !is_status && !is_priority;
        if ((is_show && show) || (is_status && status) || (other && rest) ||
            (show && tells_idleness(*child))) {
            presence.remove_child(*child);
        }
    }
}

}  // namespace

const PresenceView& PresenceView::whole() {
    static const PresenceView view{.name = "whole", .show = {}, .status = {}};
    return view;
}

const PresenceView& PresenceView::none() {
    static const PresenceView view{
        .name = "nothing", .extent = Extent::nothing, .show = {}, .status = {}};
    return view;
}

bool PresenceView::always_there(std::string_view name) {
    return name == whole().name || name == none().name;
}

PacketRef PresenceView::apply(const PacketRef& presence) const {
    if (shows_all()) return presence;
    if (hides_all()) return nullptr;
    PacketRef shown;
    // Our own bytes can always be read again.
    static_cast<void>(Packet::visit_bytes(presence->bytes(), [&](Stanza& stanza) {
        remove_children(stanza.element, show.has_value(), true, extent == Extent::show_only);
        if (stanza.type == StanzaType::available) {
            const auto add = [&](std::string_view element, const std::optional<std::string>& text) {
                if (!text || text->empty()) return;
                stanza.element.add_child(stanza.arena, ns::client, element)
                    .add_text(stanza.arena, *text);
            };
            add("show", show);
            add("status", status);
        }
        shown = Packet::from_stanza(stanza);
    }));
    return shown;
}

Outcome PresenceView::check() const {
    const bool word = !name.empty() && name.size() <= longest_name &&
                      std::ranges::none_of(name, [](unsigned char c) { return c <= ' '; });
    if (!word) {
        return Outcome::malformed(
            fmt::format("the name of a view is one word of up to {} bytes", longest_name));
    }
    if (always_there(name)) {
        return Outcome::refused("the view \"" + name + "\" is always there, and stays as it is");
    }
    if (show && std::ranges::find(shows, *show) == shows.end()) {
        return Outcome::malformed("the show of a view is away, chat, dnd, xa or available");
    }
    if (status && status->size() > longest_status) {
        return Outcome::malformed(fmt::format("a status has at most {} bytes", longest_status));
    }
    if (hides_all() && (show || status)) {
        return Outcome::malformed("a view that shows nothing has no show and no status");
    }
    return {};
}

std::string PresenceView::words() const {
    if (hides_all()) return "nothing: the account seems to be away always";
    if (shows_all()) return "the presence as it is";
    std::string text;
    if (show) {
        text = show->empty() ? "always available" : "always " + *show;
    } else {
        text = "show as it is";
    }
    text += status ? ", status \"" + *status + "\"" : ", no status";
    return extent == Extent::show_only ? text + ", and no more" : text;
}

std::string PresenceView::serialise() const {
    json::object object;
    if (extent == Extent::show_only) object["extent"] = "show";
    if (extent == Extent::nothing) object["extent"] = "nothing";
    if (show) object["show"] = *show;
    if (status) object["status"] = *status;
    return json::serialize(object);
}

std::optional<PresenceView> PresenceView::read(std::string_view name, std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    const json::object& object = value.get_object();
    const auto member = [&](std::string_view key) -> std::optional<std::string> {
        const json::value* found = object.if_contains(key);
        if (found == nullptr || !found->is_string()) return std::nullopt;
        return std::string(found->get_string());
    };
    PresenceView view{
        .name = std::string(name), .show = member("show"), .status = member("status")};
    const std::string extent = member("extent").value_or("");
    if (extent == "show") view.extent = Extent::show_only;
    if (extent == "nothing") view.extent = Extent::nothing;
    return view;
}

}  // namespace causeway
