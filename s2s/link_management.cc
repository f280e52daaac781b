// OutgoingStream, stream management (XEP-0198): asked for where the peer offers it, and used for
// all pairs of domains that the stream carries. A stream that carries one pair can be resumed: what
// was written and not acknowledged is then not sent twice.
#include <fmt/format.h>

#include "gateway/base/log.h"
#include "gateway/base/serial_number.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "s2s/outgoing_stream.h"

namespace causeway {
namespace {

/// XEP-0198 §4: the peer's; ours are shorter.
constexpr std::size_t longest_token = 4000;

std::string with_h(std::string_view name, std::uint32_t h) {
    return XmlBuilder()
        .open(name, ns::stream_management)
        .attribute("h", fmt::format("{}", h))
        .take();
}

}  // namespace

bool OutgoingStream::request_management() {
    XmlBuilder request;
    if (resumption_.state == LinkResumption::State::possible) {
        // The peer has sent no stanzas here, so none were handled.
        request.open("resume", ns::stream_management)
            .attribute("previd", resumption_.token)
            .attribute("h", "0");
    } else {
        request.open("enable", ns::stream_management).attribute("resume", "true");
    }
    stream_->send(request.take());
    return true;
}

void OutgoingStream::manage(const Element& element) {
    const bool asked = asked_for_management();
    const bool to_resume = resumption_.state == LinkResumption::State::possible;
    if (!asked && !managed()) return;  // an answer that came too late
    if (element.name == "r") {
        stream_->send(with_h("a", 0));
    } else if (element.name == "a" && managed()) {
        const auto h = stanza_count(element.attribute("h"));
        if (!h) {
            end_ = Outcome::retry(fmt::format("{} sent an <a/> without its h", remote_));
            stream_->fail(stream_error::policy_violation, "an <a/> needs its h");
        } else if (!acknowledgements_->acknowledge(*h)) {
            refuse_count(*h, acknowledgements_->management().sent_count());
        }
    } else if (asked && !to_resume && element.name == "enabled") {
        enabled(element);
    } else if (asked && to_resume && element.name == "resumed") {
        resumed(element);
    } else if (asked && element.name == "failed") {
        management_failed(element);
    } else {
        end_ = Outcome::retry(
            fmt::format("{} sent an element of stream management out of turn", remote_));
        stream_->fail(stream_error::unsupported_stanza_type, "that was not asked for here");
    }
}

void OutgoingStream::begin_acknowledgements(std::uint32_t count) {
    gain(stream_bits::managed);
    acknowledgements_ = std::make_unique<LinkAcknowledgements>(
        hub_, static_cast<LinkAcknowledgements::Stream&>(*this), count);
}

void OutgoingStream::enabled(const Element& element) {
    begin_acknowledgements(0);
    const std::string_view resume = element.attribute("resume");
    const std::string_view token = element.attribute("id");
    if ((resume == "true" || resume == "1") && !token.empty() && token.size() <= longest_token) {
        resumption_.token = token;
    } else {
        resumption_.token.clear();
    }
    ready();
}

void OutgoingStream::resumed(const Element& element) {
    const auto h = stanza_count(element.attribute("h"));
    if (!h || serial_distance(*h, resumption_.sent) > 0 ||
        element.attribute("previd") != resumption_.token) {
        resumption_.state = LinkResumption::State::absurd;
        refuse_count(h.value_or(0), resumption_.sent);
        return;
    }
    resumption_.state = LinkResumption::State::resumed;
    resumption_.h = h;
    begin_acknowledgements(*h);
    CAUSEWAY_LOG(info, "s2s.resumed", {"local", domain_}, {"remote", remote_}, {"h", *h});
    ready();
}

void OutgoingStream::management_failed(const Element& element) {
    if (resumption_.state != LinkResumption::State::possible) {
        resumption_.token.clear();
        ready();
        return;
    }
    resumption_.state = LinkResumption::State::failed;
    const auto h = stanza_count(element.attribute("h"));
    if (h && serial_distance(*h, resumption_.sent) <= 0) resumption_.h = h;
    (void)request_management();
}

/// The peer goes on without it: so do we. One that does not say whether it goes on with an earlier
/// stream is asked no more about that.
void OutgoingStream::no_answer_to_management() {
    if (resumption_.state == LinkResumption::State::possible) {
        resumption_.state = LinkResumption::State::absurd;
        fail_target(Outcome::retry(fmt::format("{} did not answer in time (resumption)", remote_)));
        return;
    }
    resumption_.token.clear();
    CAUSEWAY_LOG(info, "s2s.management_unanswered", {"local", domain_}, {"remote", remote_});
    ready();
}

void OutgoingStream::refuse_count(std::uint32_t h, std::uint32_t sent) {
    end_ = Outcome::retry(fmt::format("{} acknowledged more than was sent", remote_));
    stream_->fail(stream_error::undefined_condition, "you acknowledge more than was sent",
                  XmlBuilder()
                      .open("handled-count-too-high", ns::stream_management)
                      .attribute("h", fmt::format("{}", h))
                      .attribute("send-count", fmt::format("{}", sent))
                      .take());
}

// ---- what was sent ----

void OutgoingStream::send(const PacketRef& packet, HoldId hold, LinkAcknowledgements::Worth worth) {
    if (managed()) acknowledgements_->sent(packet, hold, worth);
    stream_->send(packet->bytes());
}

bool OutgoingStream::congested() const {
    const std::size_t most = hub_.limits().server_queue_hard_bytes;
    return stream_->channel().queued() > most ||
           (managed() && acknowledgements_->management().bytes() > most);
}

void OutgoingStream::ask() {
    if (!stream_->usable()) return;
    stream_->send(XmlBuilder().empty("r", ns::stream_management).take());
}

void OutgoingStream::acknowledged(std::span<const StreamManagement::Sent> done) {
    std::size_t before = acknowledgements_->management().bytes();
    for (const StreamManagement::Sent& sent : done) {
        before += sent.packet->bytes().size() + StreamManagement::overhead;
    }
    while (!done.empty() && state_ == State::established) {
        const std::string_view local = done.front().packet->from().domain();
        std::size_t count = 1;
        while (count < done.size() && done[count].packet->from().domain() == local) ++count;
        if (OutgoingOwner* owner = local == domain_ ? owner_ : sharer(local)) {
            owner->on_acknowledged(*this, done.first(count));
        }
        done = done.subspan(count);
    }
    // What waits for room may be another pair's.
    if (before > hub_.limits().server_queue_hard_bytes && state_ == State::established &&
        !congested()) {
        on_stream_drained();
    }
}

void OutgoingStream::silent() {
    CAUSEWAY_LOG(info, "s2s.silent", {"local", domain_}, {"remote", remote_});
    stop(Outcome::retry(fmt::format("{} answers no more", remote_)));
}

}  // namespace causeway
