// XEP-0198 Stream Management of a client session: both counters, acknowledgements, resumption.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace

AcknowledgementTicket ClientSession::take_ticket() {
    if (management_ == nullptr) return {};
    Management& m = *management_;
    m.open.push_back(++m.received);
    // Nothing is unbounded: a client that sends faster than the disk writes is read no further.
    if (m.open.size() >= hub_.limits().stanzas_in_progress && stream_ != nullptr) {
        stream_->stream().pause(XmppStream::Pause::progress);
    }
    return {.holder = holder_id_, .shard = hub_.shard.index(), .number = m.received};
}

void ClientSession::settled(std::uint32_t settled_number) {
    if (management_ == nullptr) return;
    Management& m = *management_;
    const auto found = std::ranges::find(m.open, settled_number);
    if (found == m.open.end()) return;
    m.open.erase(found);
    if (m.open.size() <= hub_.limits().stanzas_in_progress / 2 && stream_ != nullptr) {
        stream_->stream().resume(XmppStream::Pause::progress);
    }
    if (m.answer_due) answer_request();
}

std::uint32_t ClientSession::handled() const {
    if (management_ == nullptr) return 0;
    return management_->open.empty() ? management_->received : management_->open.front() - 1;
}

void ClientSession::answer_request() {
    Management& m = *management_;
    // Counters wrap at 2^32 (XEP-0198 §4): distances are compared, not values.
    if (static_cast<std::int32_t>(handled() - m.answer_when) < 0) return;
    // Questions that came later are answered with it, or when what came before them is safe.
    m.answer_due = static_cast<std::int32_t>(m.asked_until - handled()) > 0;
    m.answer_when = m.asked_until;
    if (stream_ == nullptr) return;
    stream_->stream().send(fmt::format("<a xmlns='urn:xmpp:sm:3' h='{}'/>", handled()));
}

void ClientSession::manage(const Element& element) {
    if (element.name == "enable") {
        enable(element);
    } else if (management_ == nullptr) {
        stream_->stream().send(
            "<failed xmlns='urn:xmpp:sm:3'><unexpected-request "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
    } else if (element.name == "r") {
        // The oldest question is answered first, or a client that asks all the time never hears.
        if (!management_->answer_due) management_->answer_when = management_->received;
        management_->answer_due = true;
        management_->asked_until = management_->received;
        answer_request();
    } else if (element.name == "a") {
        const auto h = number(element.attribute("h"));
        if (!h) {
            stream_->stream().fail(stream_error::policy_violation, "an <a/> needs its h");
        } else if (accept_acknowledgement(*h)) {
            management_->asked = false;
            hub_.shard.mark_dirty(*this);
        }
    } else {
        stream_->stream().fail(stream_error::unsupported_stanza_type,
                               "that is no element of stream management");
    }
}

void ClientSession::enable(const Element& element) {
    if (management_ != nullptr) {
        stream_->stream().send(
            "<failed xmlns='urn:xmpp:sm:3'><unexpected-request "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
        return;
    }
    management_ = std::make_unique<Management>();
    holder_id_ = hub_.next_id();
    hub_.ticket_holders.emplace(holder_id_, static_cast<TicketHolder*>(this));
    stream_->gain(stream_bits::managed);
    std::string out = "<enabled xmlns='urn:xmpp:sm:3'";
    const std::string_view wish = element.attribute("resume");
    const bool possible = hub_.limits().resume_seconds.count() > 0;
    if (possible && (wish == "true" || wish == "1")) {
        management_->token = random_token();
        append_attribute(out, "id", management_->token);
        append_attribute(out, "resume", "true");
        append_attribute(out, "max", fmt::format("{}", hub_.limits().resume_seconds.count()));
    }
    out += "/>";
    stream_->stream().send(out);
}

bool ClientSession::accept_acknowledgement(std::uint32_t h) {
    Management& m = *management_;
    const auto waiting = static_cast<std::uint32_t>(m.unacked.size());
    const std::uint32_t before = m.sent - waiting;
    if (h - before > waiting) {
        stream_->stream().fail(
            stream_error::undefined_condition, "you acknowledge more than was sent",
            fmt::format("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='{}' send-count='{}'/>", h,
                        m.sent));
        return false;
    }
    acknowledge(h - before);
    return true;
}

void ClientSession::acknowledge(std::uint32_t count) {
    Management& m = *management_;
    for (; count > 0; --count) {
        const Unacked done = std::move(m.unacked.front());
        m.unacked.pop_front();
        m.unacked_bytes -= done.packet->bytes().size();
        if (done.hold != 0) hub_.ledger.confirm(done.hold);
    }
    if (!crowded()) account_.inbox().room_again();
}

std::uint64_t ClientSession::unacked() const {
    return management_ == nullptr ? 0 : management_->unacked.size();
}

const std::string& ClientSession::token() const {
    static const std::string none;
    return management_ == nullptr ? none : management_->token;
}

bool ClientSession::resumable_by(std::string_view candidate) const {
    return resumable() && !ended_ && equal_in_constant_time(candidate, token());
}

bool ClientSession::resume(ClientStream& stream, std::uint32_t h) {
    Management& m = *management_;
    const auto waiting = static_cast<std::uint32_t>(m.unacked.size());
    if (h - (m.sent - waiting) > waiting) {
        stream.stream().fail(
            stream_error::undefined_condition, "you acknowledge more than was sent",
            fmt::format("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='{}' send-count='{}'/>", h,
                        m.sent));
        return false;
    }
    if (ClientStream* old = std::exchange(stream_, nullptr)) {
        old->leave_session();
        old->stream().fail(stream_error::conflict, "the session was resumed elsewhere");
    }
    timer_.cancel();
    soft_full_ = false;
    stream_ = &stream;
    m.asked = false;
    m.answer_due = false;
    acknowledge(h - (m.sent - waiting));
    stream.stream().send(
        fmt::format("<resumed xmlns='urn:xmpp:sm:3' h='{}' previd='{}'/>", handled(), m.token));
    for (const Unacked& left : m.unacked) stream.stream().send(left.packet->bytes());
    hub_.shard.mark_dirty(*this);
    hub_.shared.features.announce(
        {.event = LifeEvent::session_resumed, .hub = hub_, .account = &account_, .session = this});
    CAUSEWAY_LOG(info, "c2s.resumed", {"jid", jid().full()}, {"sent_again", m.unacked.size()});
    return true;
}

}  // namespace causeway
