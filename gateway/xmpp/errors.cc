#include "gateway/xmpp/errors.h"

#include <array>
#include <utility>

#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

struct Row {
    std::string_view name, type;
};

// In the order of the enum.
constexpr std::array<Row, 22> rows{{
    {"bad-request", "modify"},
    {"conflict", "cancel"},
    {"feature-not-implemented", "cancel"},
    {"forbidden", "auth"},
    {"gone", "cancel"},
    {"internal-server-error", "cancel"},
    {"item-not-found", "cancel"},
    {"jid-malformed", "modify"},
    {"not-acceptable", "modify"},
    {"not-allowed", "cancel"},
    {"not-authorized", "auth"},
    {"policy-violation", "modify"},
    {"recipient-unavailable", "wait"},
    {"redirect", "modify"},
    {"registration-required", "auth"},
    {"remote-server-not-found", "cancel"},
    {"remote-server-timeout", "wait"},
    {"resource-constraint", "wait"},
    {"service-unavailable", "cancel"},
    {"subscription-required", "auth"},
    {"undefined-condition", "cancel"},
    {"unexpected-request", "wait"},
}};

}  // namespace

std::string_view name_of(StanzaCondition condition) {
    return rows[static_cast<std::size_t>(condition)].name;
}

std::string_view type_of(StanzaCondition condition) {
    return rows[static_cast<std::size_t>(condition)].type;
}

void append_error(std::string& out, const StanzaError& error) {
    out += "<error";
    // The number of XEP-0086, for the one condition that a client of today knows by nothing else:
    // profanity publishes its first list of OMEMO devices when it hears that there is none.
    if (error.condition == StanzaCondition::item_not_found) append_attribute(out, "code", "404");
    append_attribute(out, "type", error.type.empty() ? type_of(error.condition) : error.type);
    out += "><";
    out += name_of(error.condition);
    append_attribute(out, "xmlns", ns::stanza_errors);
    out += "/>";
    if (!error.text.empty()) {
        out += "<text";
        append_attribute(out, "xmlns", ns::stanza_errors);
        out += " xml:lang='en'>";
        append_escaped(out, error.text);
        out += "</text>";
    }
    if (!error.detail.empty()) {
        out += '<';
        out += error.detail;
        append_attribute(out, "xmlns", error.detail_ns);
        out += "/>";
    }
    out += "</error>";
}

}  // namespace causeway
