// XEP-0198 Stream Management of a client session: what its elements do, and resumption.
#include <fmt/format.h>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "c2s/session_trace.h"
#include "gateway/base/clock.h"
#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/store/ids.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// A message that is shown so much later than it came says when it came.
constexpr UnixMillis shown_late{5'000};

/// A message with a number came when that says; another that a person reads, such as what is said
/// in a room, when it was given to the session. 0: it does not matter when.
UnixMillis came_at(const StreamManagement::Sent& sent) {
    const Packet& packet = *sent.packet;
    if (packet.kind() != StanzaKind::message) return 0;
    if (packet.stanza_id() != 0) return time_of_id(packet.stanza_id());
    const MessageTraits& traits = packet.traits();
    const bool said_in_room = packet.type() == StanzaType::groupchat && !traits.only_chat_state;
    return said_in_room || traits.has_body || packet.type() == StanzaType::error ? sent.at : 0;
}

/// XEP-0203: sent for the first time or once more, the client sees it now.
PacketRef with_its_time(const StreamManagement::Sent& sent, std::string_view domain,
                        UnixMillis now) {
    const PacketRef& packet = sent.packet;
    const UnixMillis came = came_at(sent);
    if (came == 0 || now - came < shown_late) return packet;
    // From the store or the archive it has one. A room says itself when what it repeats was said.
    const std::string known = packet->stanza_id() != 0
                                  ? fmt::format("<delay xmlns='{}' from='{}'", ns::delay, domain)
                                  : fmt::format("<delay xmlns='{}'", ns::delay);
    if (packet->bytes().find(known) != std::string_view::npos) return packet;
    return packet->with_child(XmlBuilder()
                                  .open("delay", ns::delay)
                                  .attribute("from", domain)
                                  .attribute("stamp", format_date_time(came))
                                  .take());
}

}  // namespace

AcknowledgementTicket ClientSession::take_ticket(StanzaKind kind) {
    if (management_ == nullptr) return {};
    const std::uint32_t handled = record_ == nullptr ? 0 : handled_with_state();
    const std::uint32_t number = management_->receive();
    if (record_ != nullptr && kind != StanzaKind::message) record_->changed(number);
    // A client that sends faster than the disk writes is read no further.
    if (management_->open() >= hub_.limits().stanzas_in_progress && stream_ != nullptr) {
        stream_->stream().pause(XmppStream::Pause::progress);
    }
    return {.holder = holder_id_,
            .shard = hub_.shard.index(),
            .number = number,
            .handled = handled,
            .kept = record_ != nullptr};
}

void ClientSession::settled(std::uint32_t settled_number) {
    if (management_ == nullptr || !management_->settle(settled_number)) return;
    if (management_->open() <= hub_.limits().stanzas_in_progress / 2 && stream_ != nullptr) {
        stream_->stream().resume(XmppStream::Pause::progress);
    }
    answer_request();
    go_on_resuming_soon();
}

void ClientSession::expect_again(std::uint32_t number) {
    if (management_ != nullptr) management_->expect_again(number);
}

void ClientSession::answer_request() {
    if (stream_ == nullptr) return;
    const auto h = management_->take_answer();
    if (management_->wants_note()) note_handled();
    if (!h) return;
    emit(
        XmlBuilder().open("a", ns::stream_management).attribute("h", fmt::format("{}", *h)).take());
}

void ClientSession::manage(const Element& element) {
    if (element.name == "enable" && management_ == nullptr) {
        enable(element);
    } else if (element.name == "enable" || management_ == nullptr) {
        stream_->refuse_management("unexpected-request",
                                   management_ == nullptr ? "stream management is not enabled"
                                                          : "stream management is enabled already");
    } else if (element.name == "r") {
        management_->peer_asks();
        answer_request();
    } else if (element.name == "a") {
        if (const auto h = stanza_count(element.attribute("h"))) {
            accept_acknowledgement(*h);
        } else {
            stream_->stream().fail(stream_error::policy_violation, "an <a/> needs its h");
        }
    } else {
        stream_->stream().fail(stream_error::unsupported_stanza_type,
                               "that is no element of stream management");
    }
}

void ClientSession::enable(const Element& element) {
    management_ = std::make_unique<StreamManagement>();
    holder_id_ = hub_.next_id();
    stream_->gain(stream_bits::managed);
    const std::string_view wish = element.attribute("resume");
    // A client without an account is somebody else when it logs in again: it never comes back.
    const bool possible =
        hub_.limits().resume_seconds.count() > 0 && !is_anonymous_account(hub_, jid());
    XmlBuilder enabled;
    enabled.open("enabled", ns::stream_management);
    if (possible && (wish == "true" || wish == "1")) {
        if (table_.kept_of(account_) < hub_.limits().kept_streams_per_account) {
            begin_record(random_stream_id());
        }
        management_->allow_resumption(make_stream_token(holder_id_));
        save_state();
        enabled.attribute("id", management_->token())
            .attribute("resume", "true")
            .attribute("max", fmt::format("{}", hub_.limits().resume_seconds.count()));
    }
    hub_.ticket_holders.emplace(holder_id_, static_cast<TicketHolder*>(this));
    stream_->stream().send(enabled.take());
    watch_silence();
}

void ClientSession::fail_count(XmppStream& stream, std::uint32_t h) {
    stream.fail(stream_error::undefined_condition, "you acknowledge more than was sent",
                XmlBuilder()
                    .open("handled-count-too-high", ns::stream_management)
                    .attribute("h", fmt::format("{}", h))
                    .attribute("send-count", fmt::format("{}", management_->sent_count()))
                    .take());
}

void ClientSession::accept_acknowledgement(std::uint32_t h) {
    std::vector<StreamManagement::Sent> done;
    switch (management_->acknowledge(h, done)) {
        case StreamManagement::Acknowledged::too_much: fail_count(stream_->stream(), h); return;
        case StreamManagement::Acknowledged::nothing: return;
        case StreamManagement::Acknowledged::something:
            acknowledged(done);
            hub_.shard.mark_dirty(*this);
            return;
    }
}

void ClientSession::acknowledged(const std::vector<StreamManagement::Sent>& done) {
    session_trace::acknowledged(hub_, jid(), done);
    for (const StreamManagement::Sent& stanza : done) hub_.ledger.confirm(stanza.hold);
    if (record_ != nullptr) hub_.stream_records.acknowledged(holder_id_, management_->confirmed());
    if (state_ == State::full) progress_.acknowledged_at = hub_.clock().now();
    room_made();
}

std::uint64_t ClientSession::unacked() const {
    return management_ == nullptr ? 0 : management_->unacknowledged().size();
}

// ---- resumption (XEP-0198 §5) ----

bool ClientSession::resumable_by(std::string_view candidate) const {
    return resumable() && state_ < State::overfull &&
           equal_in_constant_time(candidate, management_->token());
}

bool ClientSession::resume(ClientStream& stream, std::uint32_t h) {
    std::vector<StreamManagement::Sent> done;
    if (management_->acknowledge(h, done) == StreamManagement::Acknowledged::too_much) {
        fail_count(stream.stream(), h);
        return false;
    }
    for (ClientStream* old : {std::exchange(stream_, nullptr), std::exchange(resuming_, nullptr)}) {
        if (old == nullptr) continue;
        old->leave_session();
        old->stream().fail(stream_error::conflict, "the session was resumed elsewhere");
    }
    management_->interrupted();
    session_trace::acknowledged(hub_, jid(), done);
    for (const StreamManagement::Sent& stanza : done) hub_.ledger.confirm(stanza.hold);
    // What the client sent behind its request is for the session, or for none: it waits.
    stream.stream().hold();
    resuming_ = &stream;
    if (record_ != nullptr) {
        hub_.stream_records.acknowledged(holder_id_, h);
        record_->drop_output();
    }
    enter(State::detached);
    enter(State::resuming);
    go_on_resuming();
    return true;
}

/// When the turn is over: what the client sent behind its request is then read, and may put an end
/// to the very message that is being settled.
void ClientSession::go_on_resuming_soon() {
    if (state_ == State::resuming) hub_.shard.mark_dirty(*this);
}

/// The `h` of <resumed/> has to be final, and in the record.
void ClientSession::go_on_resuming() {
    if (management_->open() != 0) return;
    if (management_->noted() && (record_ == nullptr || record_->h_round == 0)) {
        finish_resumption();
    } else {
        note_handled();
    }
}

void ClientSession::finish_resumption() {
    stream_ = std::exchange(resuming_, nullptr);
    enter(State::flowing);
    stream_->resumed();
    progress_ = {};
    emit(XmlBuilder()
             .open("resumed", ns::stream_management)
             .attribute("h", fmt::format("{}", management_->handled()))
             .attribute("previd", management_->token())
             .take());
    const UnixMillis now = hub_.clock().wall();
    for (const StreamManagement::Sent& left : management_->unacknowledged()) {
        const PacketRef packet = with_its_time(left, jid().domain(), now);
        progress_.written += packet->bytes().size();
        session_trace::sent_again(hub_, jid(), *packet);
        emit(packet->bytes());
    }
    CAUSEWAY_LOG(info, "c2s.resumed", {"jid", jid().full()}, {"sent_again", unacked()});
    after_output();
    hub_.shared.features.announce(
        {.event = LifeEvent::session_resumed, .hub = hub_, .account = &account_, .session = this});
    come_back();
    room_made();
    watch_silence();
    hub_.shard.mark_dirty(*this);
    stream_->stream().let_go();
}

/// What came before is not safe, and may never be: the client sends it again in a new session, and
/// some of it may then stand twice, which is better than not at all.
void ClientSession::give_up_resumption() {
    ClientStream* stream = std::exchange(resuming_, nullptr);
    enter(State::detached);
    if (stream == nullptr) return;
    stream->leave_session();
    stream->refuse_resumption("resource-constraint",
                              "what was sent before could not be stored in time",
                              management_->handled());
}

}  // namespace causeway
