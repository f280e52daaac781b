// IncomingStream, stream management (XEP-0198): what another server sends is acknowledged when it
// is safe, and a stream that broke goes on on another one.
#include <fmt/format.h>

#include "gateway/base/log.h"
#include "gateway/stream/bidirectional.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "s2s/incoming_stream.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

/// What was sent before is safe within that time, or the peer sends it again.
constexpr Duration final_within{5000};

/// Whether the stream is older than the time for which copies are looked for: its peer was not
/// killed within that time. A younger one may have followed a stream that broke while an earlier
/// process of ours ran, which this one cannot know.
bool began_long_ago(const KeptStream& kept, UnixMillis now) {
    const UnixMillis began = began_at(kept);
    return began != 0 && now - began > SeenMessages::lately.count();
}

XmlBuilder& with_h(XmlBuilder& element, std::uint32_t h) {
    return element.attribute("h", fmt::format("{}", h));
}

}  // namespace

void IncomingStream::refuse_management(std::string_view condition, std::optional<std::uint32_t> h) {
    XmlBuilder failed;
    failed.open("failed", ns::stream_management);
    if (h) with_h(failed, *h);
    failed.empty(condition, ns::stanza_errors);
    stream_.send(failed.take());
}

void IncomingStream::manage(const Element& element) {
    const bool asks_for_it = element.name == "enable" || element.name == "resume";
    if (asks_for_it && (from_peer_.managed() || resuming_ != Resuming::no)) {
        refuse_management("unexpected-request", std::nullopt);
    } else if (element.name == "enable") {
        enable(element);
    } else if (element.name == "resume") {
        resume(element);
    } else if (!from_peer_.managed() || resuming_ != Resuming::no) {
        refuse_management("unexpected-request", std::nullopt);
    } else if (element.name == "r") {
        from_peer_.receipts()->peer_asks();
        from_peer_.answer_request();
    } else if (element.name == "a") {
        acknowledged_by_peer(element);
    } else {
        stream_.fail(stream_error::unsupported_stanza_type,
                     "that is no element of stream management");
    }
}

/// Where stanzas of ours were sent before the peer asked for stream management, they are not
/// counted.
void IncomingStream::acknowledged_by_peer(const Element& element) {
    const auto h = stanza_count(element.attribute("h"));
    if (!h) {
        stream_.fail(stream_error::policy_violation, "an <a/> needs its h");
    } else if (Carrier::managed()) {
        if (!acknowledge(*h)) refuse_count(*h, sent_count());
    } else if (*h != 0 && !has(stream_bits::bidirectional)) {
        refuse_count(*h, 0);
    }
}

void IncomingStream::refuse_count(std::uint32_t h, std::uint32_t sent) {
    stream_.fail(stream_error::undefined_condition, "you acknowledge more than was sent",
                 XmlBuilder()
                     .open("handled-count-too-high", ns::stream_management)
                     .attribute("h", fmt::format("{}", h))
                     .attribute("send-count", fmt::format("{}", sent))
                     .take());
}

/// The `h` of <resumed/> comes before any other.
void IncomingStream::on_safe() {
    if (resuming_ == Resuming::until_safe) finish_resumption();
    if (resuming_ == Resuming::no) from_peer_.answer_request();
}

/// Where the stream is at home, and carries one pair of domains.
bool IncomingStream::may_resume() const {
    return pairs().size() == 1 && verifying_.empty() && link_ != nullptr &&
           link_->remote() == pairs().begin()->first.remote &&
           &hub_.home_of(link_->remote()) == &hub_ && hub_.limits().resume_seconds.count() > 0;
}

void IncomingStream::enable(const Element& element) {
    if (!from_peer_.begin_management()) {
        refuse_management("unexpected-request", std::nullopt);
        return;
    }
    const std::string_view wish = element.attribute("resume");
    XmlBuilder enabled;
    enabled.open("enabled", ns::stream_management);
    if ((wish == "true" || wish == "1") && may_resume()) {
        const Pair& pair = pairs().begin()->first;
        Receipts& receipts = *from_peer_.receipts();
        receipts.allow_resumption(pair.remote, pair.local);
        link_->counts_anew(*this);
        if (link_->known_as_stamping()) receipts.note_stamping();
        enabled.attribute("id", receipts.token())
            .attribute("resume", "true")
            .attribute("max", fmt::format("{}", hub_.limits().resume_seconds.count()));
        resumption_ = {.state = LinkResumption::State::possible,
                       .by = LinkResumption::By::peer,
                       .token = receipts.token()};
    }
    stream_.send(enabled.take());
    if (has(stream_bits::bidirectional) && back_ == Back::not_yet) begin_acknowledgements(0);
    open_way_back();
}

// ---- resumption (XEP-0198 §5) ----

void IncomingStream::resume(const Element& element) {
    const auto h = stanza_count(element.attribute("h"));
    if (!h) {
        stream_.fail(stream_error::policy_violation, "a <resume/> needs its h");
    } else if (*h != 0 && !has(stream_bits::bidirectional)) {
        refuse_count(*h, 0);
    } else if (!may_resume()) {
        refuse_management("item-not-found", std::nullopt);
    } else {
        resumed_h_ = *h;
        go_on_with(std::string(element.attribute("previd")));
    }
}

void IncomingStream::go_on_with(std::string token) {
    const Pair pair = pairs().begin()->first;
    if (auto receipts = link_->take_receipts(token, pair.local)) {
        from_peer_.go_on(std::move(receipts));
        finish_resumption();
        return;
    }
    if (hub_.limits().kept_streams_per_account == 0 || token.size() > longest_stream_token) {
        refuse_management("item-not-found", std::nullopt);
        return;
    }
    resuming_ = Resuming::looking;
    hub_.shared.store.map_list(
        std::string(StreamRecords::store), pair.remote, hub_.shard,
        [this, alive = handle(), token, pair](const Result<std::vector<MapEntry>>& all) {
            if (alive.expired() || !stream_.usable()) return;
            resuming_ = Resuming::no;
            auto receipts = may_resume() ? link_->take_receipts(token, pair.local) : nullptr;
            const auto kept = all ? find_kept_stream(*all, token) : std::nullopt;
            if (receipts == nullptr && may_resume() && kept && kept->state.resource == pair.local &&
                !hub_.stream_records.known(kept->id)) {
                receipts = std::make_unique<Receipts>(hub_);
                receipts->take_over(*kept, pair.remote, token);
                if (began_long_ago(*kept, hub_.clock().wall())) link_->went_on();
                if (stamping_noted(*kept)) {
                    link_->known_to_stamp();
                    receipts->note_stamping();
                }
                CAUSEWAY_LOG(info, "s2s.went_on", {"local", pair.local}, {"remote", pair.remote},
                             {"handled", kept->handled});
            }
            if (receipts == nullptr) {
                refuse_management("item-not-found", std::nullopt);
                return;
            }
            from_peer_.go_on(std::move(receipts));
            finish_resumption();
        });
}

/// The `h` of <resumed/> has to be final.
void IncomingStream::finish_resumption() {
    if (pairs().size() != 1) {  // another was proven meanwhile
        give_up_resumption();
        return;
    }
    const Receipts& receipts = *from_peer_.receipts();
    if (receipts.open() != 0 || !receipts.recorded()) {
        if (resuming_ != Resuming::until_safe) {
            resuming_ = Resuming::until_safe;
            hub_.shard.timers().arm(final_timer_, final_within, *this, final_late);
        }
        return;
    }
    final_timer_.cancel();
    resuming_ = Resuming::no;
    from_peer_.follow();
    if (!begin_way_back_anew()) return;
    XmlBuilder resumed;
    with_h(resumed.open("resumed", ns::stream_management), receipts.handled())
        .attribute("previd", receipts.token());
    stream_.send(resumed.take());
    CAUSEWAY_LOG(info, "s2s.resumed", {"remote", peer_domain_}, {"direction", "in"},
                 {"h", receipts.handled()});
    open_way_back();
}

/// The peer sends again what is not safe, on this stream as a new one.
void IncomingStream::give_up_resumption() {
    const std::unique_ptr<Receipts> receipts = release_receipts();
    receipts->forget();
    if (link_ != nullptr) link_->broke();
    refuse_management("resource-constraint", receipts->handled());
}

std::unique_ptr<Receipts> IncomingStream::release_receipts() {
    final_timer_.cancel();
    resuming_ = Resuming::no;
    return from_peer_.release();
}

/// See ServerLink::broke(). A stream may carry several domains of one server.
void IncomingStream::peer_may_forget() {
    std::string_view last;
    for (const auto& [pair, how] : pairs()) {
        if (pair.remote == last) continue;
        last = pair.remote;
        table_.broke(pair.remote);
    }
}

/// The stream has ended.
void IncomingStream::leave_receipts(bool broke) {
    std::unique_ptr<Receipts> receipts = release_receipts();
    if (table_.closing()) return;
    const bool resumable = receipts != nullptr && receipts->resumable();
    if (broke && link_ != nullptr && resumable) {
        link_->keep(std::move(receipts));
        return;
    }
    // What we ended ourselves may go on on another stream already.
    if (broke && stream_.failure().empty()) peer_may_forget();
    if (resumable) receipts->forget();
}

void IncomingStream::say_goodbye() {
    if (!from_peer_.managed()) return;
    if (resuming_ == Resuming::no) from_peer_.say_what_is_safe();
    if (table_.closing()) from_peer_.receipts()->leave_process();
}

}  // namespace causeway
