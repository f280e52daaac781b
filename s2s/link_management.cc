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
/// What the peer sent on the stream before is safe within that time, or it sends it again. Shorter
/// than what it waits for (way_back_within in incoming_stream.cc), by the way to it and back.
constexpr Duration safe_within{2000};

std::string with_h(std::string_view name, std::uint32_t h) {
    return XmlBuilder()
        .open(name, ns::stream_management)
        .attribute("h", fmt::format("{}", h))
        .take();
}

}  // namespace

bool OutgoingStream::request_management() {
    // What came on a bidirectional stream cannot go on on one that is not.
    if (from_peer_ == nullptr && received_ != nullptr) {
        received_.reset();
        resumption_ = {};
    }
    if (resumption_.state == LinkResumption::State::possible) {
        if (received_ != nullptr && received_->open() != 0) {
            // What the peer sends again while the first copy is being stored would come twice.
            received_->belongs_to(&until_safe_);
            hub_.shard.timers().arm(safe_timer_, safe_within, *this, still_unsafe);
        } else {
            ask_to_resume();
        }
        return true;
    }
    received_.reset();
    stream_->send(
        XmlBuilder().open("enable", ns::stream_management).attribute("resume", "true").take());
    return true;
}

void OutgoingStream::received_is_safer() {
    if (received_ == nullptr || received_->open() != 0 || !safe_timer_.armed()) return;
    ask_to_resume();
}

void OutgoingStream::ask_to_resume() {
    safe_timer_.cancel();
    if (!stream_->usable()) return;
    if (received_ != nullptr && received_->open() != 0) {
        // A store that takes so long: what is not safe yet comes again, under the same numbers.
        const std::uint32_t safe = received_->handled();
        received_ = std::make_unique<Receipts>(hub_);
        received_->count_from(safe);
    }
    stream_->send(
        XmlBuilder()
            .open("resume", ns::stream_management)
            .attribute("previd", resumption_.token)
            .attribute("h", fmt::format("{}", received_ == nullptr ? 0 : received_->handled()))
            .take());
}

void OutgoingStream::manage(const Element& element) {
    const bool asked = asked_for_management();
    const bool to_resume = resumption_.state == LinkResumption::State::possible;
    if (!asked && !managed()) return;  // an answer that came too late
    if (element.name == "r") {
        if (from_peer_ != nullptr && from_peer_->managed()) {
            from_peer_->receipts()->peer_asks();
            from_peer_->answer_request();
        } else {
            stream_->send(with_h("a", 0));
        }
    } else if (element.name == "a" && managed()) {
        peer_acknowledges(element);
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

void OutgoingStream::peer_acknowledges(const Element& element) {
    const auto h = stanza_count(element.attribute("h"));
    if (!h) {
        end_ = Outcome::retry(fmt::format("{} sent an <a/> without its h", remote_));
        stream_->fail(stream_error::policy_violation, "an <a/> needs its h");
    } else if (!acknowledge(*h)) {
        refuse_count(*h, sent_count());
    }
}

/// The peer counts in both directions from here on.
void OutgoingStream::enabled(const Element& element) {
    gain(stream_bits::managed);
    begin_acknowledgements(0);
    count_from_peer();
    const std::string_view resume = element.attribute("resume");
    const std::string_view token = element.attribute("id");
    if ((resume == "true" || resume == "1") && !token.empty() && token.size() <= longest_token) {
        resumption_.token = token;
    } else {
        resumption_.token.clear();
    }
    ready();
}

/// The peer's stanzas, from the next one on: what came before was not managed.
void OutgoingStream::count_from_peer() {
    if (from_peer_ == nullptr) return;
    (void)from_peer_->release();
    (void)from_peer_->begin_management();
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
    gain(stream_bits::managed);
    begin_acknowledgements(*h);
    if (from_peer_ != nullptr && received_ != nullptr) {
        from_peer_->go_on(std::move(received_));
        from_peer_->follow();
    } else {
        count_from_peer();
    }
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

}  // namespace causeway
