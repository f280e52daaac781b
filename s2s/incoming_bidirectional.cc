// IncomingStream, XEP-0288: what this server has for the peer goes on the stream that the peer
// opened. Only for the domain of the link, so that one that a peer proves beside it on the same
// stream has streams of its own for what we send; and not before the negotiation is over: a peer
// that resumes a stream has to hear first what becomes of that.
#include "gateway/base/serial_number.h"
#include "gateway/stream/bidirectional.h"
#include "s2s/incoming_stream.h"
#include "s2s/server_table.h"

namespace causeway {

IncomingStream::WayBack IncomingStream::way_back(const std::string& local) const {
    if (!has(stream_bits::bidirectional) || back_ == Back::over || !stream_.usable() ||
        ending_ == End::peer_error || link_ == nullptr ||
        !pairs().contains({link_->remote(), local})) {
        return WayBack::none;
    }
    return back_ == Back::open ? WayBack::open : WayBack::soon;
}

/// Those that have something for the peer hear of it; also when a further pair has been proven.
void IncomingStream::open_way_back() {
    // Behind SASL our header comes first, and that waits for the peer's.
    if (!has(stream_bits::bidirectional) || back_ == Back::over || pairs().empty() ||
        link_ == nullptr || resuming_ != Resuming::no ||
        stream_.state() != XmppStream::State::open) {
        return;
    }
    way_back_timer_.cancel();
    back_ = Back::open;
    link_->way_back_opened(*this);
}

void IncomingStream::carry(std::string local, StreamUser& user) {
    touch();
    sharers_.push_back({.local = std::move(local), .owner = &user, .proven = true});
}

/// The peer resumes: what we sent on the stream before goes on as well. False: it claims to have
/// more than that.
bool IncomingStream::begin_way_back_anew() {
    if (!has(stream_bits::bidirectional)) return true;
    const RemotePair* pair = link_->find(pairs().begin()->first.local);
    const std::string& token = from_peer_.receipts()->token();
    if (const auto sent = pair == nullptr ? std::nullopt : pair->sent_before(token);
        sent && serial_distance(resumed_h_, *sent) > 0) {
        refuse_count(resumed_h_, *sent);
        return false;
    }
    begin_acknowledgements(resumed_h_);
    resumption_ = {.state = LinkResumption::State::resumed,
                   .by = LinkResumption::By::peer,
                   .token = token,
                   .h = resumed_h_};
    return true;
}

void IncomingStream::on_stream_drained() {
    if (carries()) writable();
}

// ---- the end ----

void IncomingStream::end_way_back(const Outcome& why) {
    way_back_timer_.cancel();
    back_ = Back::over;
    stop_sharers(why);
}

void IncomingStream::fail(const Outcome& why) {
    // The peer may not know that anything is wrong, and come back.
    const XmppStream::Rest rest = from_peer_.rest();
    leave_receipts(true);
    stream_.fail(stream_error::connection_timeout, why.why(), rest);
    end_way_back(why);
    if (link_ != nullptr) link_->stream_broke();
}

Carrier::Report IncomingStream::report_for(std::string_view local) const {
    const auto found = pairs().find({link_->remote(), std::string(local)});
    return {.authentication = std::string(found == pairs().end() ? "" : found->second),
            .target = "its own stream",
            .stream = &stream_};
}

}  // namespace causeway
