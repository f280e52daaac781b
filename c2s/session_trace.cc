#include "c2s/session_trace.h"

#include <fmt/format.h>

namespace causeway::session_trace {
namespace {

void note(Hub& hub, const Jid& session, const Packet& packet, TraceVerdict verdict,
          std::string_view reason = {}) {
    hub.trace.note(packet, {TraceStage::to_client, verdict, session.full(), reason});
}

/// Of an element that never became a stanza.
void note(Hub& hub, const Jid& session, const Element& element, StanzaKind kind,
          TraceVerdict verdict, std::string_view reason) {
    const auto to = Jid::parse(element.attribute("to"));
    hub.trace.note(TraceSubject{.kind = kind,
                                .type = StanzaType::normal,
                                .from = session,
                                .to = to ? *to : Jid(),
                                .id = element.attribute("id"),
                                .minor = kind == StanzaKind::iq},
                   {TraceStage::from_client, verdict, {}, reason});
}

}  // namespace

void acknowledged(Hub& hub, const Jid& session, const std::vector<StreamManagement::Sent>& done) {
    for (const StreamManagement::Sent& sent : done) {
        note(hub, session, *sent.packet, TraceVerdict::confirmed);
    }
}

void interrupted(Hub& hub, const Jid& session, const StreamManagement& management) {
    const UnixMillis until =
        hub.clock().wall() +
        std::chrono::duration_cast<Duration>(hub.limits().resume_seconds).count();
    const std::string reason = fmt::format(
        "the connection broke before the client acknowledged it; it is sent again if the client "
        "resumes the session before {}, else to another session or at the next login",
        format_date_time(until));
    for (const StreamManagement::Sent& sent : management.unacknowledged()) {
        note(hub, session, *sent.packet, TraceVerdict::waiting, reason);
    }
}

void given_back(Hub& hub, const Jid& session, const Packet& packet) {
    note(hub, session, packet, TraceVerdict::returned,
         "the session ended before its client acknowledged it");
}

void no_connection(Hub& hub, const Jid& session, const Packet& packet) {
    note(hub, session, packet, TraceVerdict::waiting,
         "the connection is broken; it is sent if the client resumes the session, else to another "
         "session or at the next login");
}

void sent_again(Hub& hub, const Jid& session, const Packet& packet) {
    note(hub, session, packet, TraceVerdict::delivered, "once more, since the session was resumed");
}

void refused(Hub& hub, const Jid& session, const Element& element, StanzaKind kind,
             const StanzaError& error) {
    note(hub, session, element, kind, TraceVerdict::refused, words_of(error));
}

void not_its_address(Hub& hub, const Jid& session, const Element& element, StanzaKind kind) {
    note(hub, session, element, kind, TraceVerdict::dropped,
         fmt::format("it was sent as from {}, which is not the address of its client, whose stream "
                     "was ended (invalid-from)",
                     element.attribute("from")));
}

}  // namespace causeway::session_trace
