#include "gateway/trace/event.h"

#include <fmt/format.h>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// Whether a presence or iq of that type is one of many. A request to subscribe is not: it is kept,
/// sent again and asked for like a message.
bool is_minor(StanzaKind kind, StanzaType type) {
    return kind == StanzaKind::iq || (kind == StanzaKind::presence && !is_subscription(type));
}

}  // namespace

TraceSubject TraceSubject::of(const Packet& packet) {
    return {.kind = packet.kind(),
            .type = packet.type(),
            .from = packet.from(),
            .to = packet.to(),
            .id = packet.id(),
            .stanza_id = packet.stanza_id(),
            .minor = is_minor(packet.kind(), packet.type()) || packet.traits().only_chat_state};
}

TraceSubject TraceSubject::of(const Stanza& stanza) {
    return {.kind = stanza.kind,
            .type = stanza.type,
            .from = stanza.from,
            .to = stanza.to,
            .id = stanza.id(),
            .stanza_id = stanza.stanza_id,
            .minor = is_minor(stanza.kind, stanza.type)};
}

TraceLine::TraceLine(const TraceEvent& event)
    : at(event.at),
      stanza_id(event.stanza_id),
      moment(event.moment),
      stage(event.stage),
      verdict(event.verdict),
      kind(event.kind),
      type(event.type),
      from(event.from),
      to(event.to),
      id(event.id),
      where(event.where),
      reason(event.reason) {}

std::string words_of(const StanzaError& error) {
    const std::string_view name = name_of(error.condition);
    return error.text.empty() ? std::string(name) : fmt::format("{}: {}", name, error.text);
}

std::string error_words_of(const Stanza& stanza) {
    std::string condition = "an error without a condition";
    std::string text;
    for (const Element* child = stanza.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->name != "error") continue;
        for (const Element* part = child->first_element(); part != nullptr;
             part = part->next_element()) {
            if (part->ns != ns::stanza_errors) continue;
            if (part->name == "text") {
                text = part->text(stanza.arena);
            } else {
                condition = part->name;
            }
        }
    }
    return text.empty() ? condition : fmt::format("{}: {}", condition, text);
}

}  // namespace causeway
