#include "gateway/xmpp/stanza.h"

#include <array>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

// In the order of the enum.
constexpr std::array<std::string_view, 15> type_names{
    "normal",      "chat",      "groupchat",  "headline",    "",
    "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed",
    "probe",       "get",       "set",        "result",      "error"};

std::optional<StanzaType> find(std::string_view name, StanzaType first, StanzaType last) {
    if (name == "error") return StanzaType::error;
    for (auto i = static_cast<unsigned>(first); i <= static_cast<unsigned>(last); ++i) {
        if (type_names[i] == name) return static_cast<StanzaType>(i);
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(StanzaKind kind) {
    switch (kind) {
        case StanzaKind::message: return "message";
        case StanzaKind::presence: return "presence";
        case StanzaKind::iq: return "iq";
    }
    return {};
}

std::string_view to_string(StanzaType type) { return type_names[static_cast<unsigned>(type)]; }

std::optional<StanzaKind> stanza_kind(const Element& element) {
    if (element.ns != ns::client) return std::nullopt;
    if (element.name == "message") return StanzaKind::message;
    if (element.name == "presence") return StanzaKind::presence;
    if (element.name == "iq") return StanzaKind::iq;
    return std::nullopt;
}

std::optional<StanzaType> stanza_type(StanzaKind kind, const Element& element) {
    const std::string_view name = element.attribute("type");
    switch (kind) {
        case StanzaKind::message:
            return find(name, StanzaType::normal, StanzaType::headline)
                .value_or(StanzaType::normal);
        case StanzaKind::presence:
            if (name.empty() && element.has_attribute("type")) return std::nullopt;
            return find(name, StanzaType::available, StanzaType::probe);
        case StanzaKind::iq: return find(name, StanzaType::get, StanzaType::result);
    }
    return std::nullopt;
}

}  // namespace causeway
