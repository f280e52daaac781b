// RemotePair, XEP-0288: what the pair sends goes on a stream that the peer opened.
//
// Which stream carries the pair never changes while that stream lasts. When it has ended, the
// peer's stream comes before one that we open, except that a stream of ours that can be resumed is
// tried first. An attempt of ours that has found nobody yet gives way to a stream of the peer; one
// that has does not, or two servers that call each other at the same time would both hang up.
#include "s2s/incoming_stream.h"
#include "s2s/remote_pair.h"
#include "s2s/server_link.h"

namespace causeway {
namespace {
// How soon a peer resumes a stream that broke, or ends the negotiation of one that it has opened.
constexpr Duration peer_comes_within{3000};
}  // namespace

bool RemotePair::peers_stream_is_open() const {
    const IncomingStream* const stream = link_.way_back(local_);
    return stream != nullptr && stream->way_back(local_) == IncomingStream::WayBack::open;
}

/// False: there is no such stream.
bool RemotePair::go_on_peers_stream() {
    IncomingStream* const stream = link_.way_back(local_);
    if (stream == nullptr) return false;
    if (stream->way_back(local_) != IncomingStream::WayBack::open) {
        expect_peer();
        return true;
    }
    stream_ = stream;
    stream->carry(local_, static_cast<StreamUser&>(*this));
    on_ready(*stream);
    return true;
}

/// What comes meanwhile waits in memory, behind what was sent and is not acknowledged.
void RemotePair::expect_peer() {
    become(State::expecting);
    hub_.shard.timers().arm(timer_, peer_comes_within, *this, expecting_late);
}

void RemotePair::peer_did_not_come() {
    if (link_.closing()) {
        fail_for_now(Outcome::retry("the other server did not go on with its stream"));
    } else if ((something_waits() || stream_wanted()) && peers_stream_is_open()) {
        connect();
    } else if (something_waits() || stream_wanted()) {
        open_stream();
    } else {
        become(State::idle);
        interruption_.reset();
    }
}

void RemotePair::way_back_opened(IncomingStream& stream) {
    switch (state_) {
        case State::up:
            // The peer may have opened it because the one that the pair is on is gone.
            if (stream_ != &stream) look_whether_there();
            return;
        case State::joining: return;
        case State::connecting: {
            const bool resumes = interruption_ != nullptr && !interruption_->of_our_stream() &&
                                 interruption_->resumption().token == stream.resumption().token;
            // What is left of a stream of ours is gone on with first; if that fails, this one is
            // there.
            const bool we_resume = interruption_ != nullptr && interruption_->of_our_stream();
            if (we_resume || (!own_stream_->without_connection() && !resumes)) return;
            leave_stream();
            break;
        }
        case State::idle:
            if (interruption_ == nullptr && !something_waits()) return;
            break;
        case State::waiting:
        case State::following:
        case State::expecting: break;
    }
    // It does not decide how soon we try again when it hangs up: next_at_once stays as it is.
    attempts_.count = 0;
    verdict_ = {};
    stored_.try_again();
    stream_ = &stream;
    stream.carry(local_, static_cast<StreamUser&>(*this));
    on_ready(stream);
}

std::optional<std::uint32_t> RemotePair::sent_before(std::string_view token) const {
    if (interruption_ == nullptr || interruption_->of_our_stream() ||
        interruption_->resumption().token != token) {
        return std::nullopt;
    }
    return interruption_->resumption().sent;
}

/// Its server may forget what came on it: see ServerLink::broke().
void RemotePair::own_stream_broke() {
    if (own_stream_ != nullptr && own_stream_->bidirectional()) link_.broke();
}

void RemotePair::on_peer_stanza(Carrier&) {
    attempts_.peer_used_at = last_used_ = hub_.clock().now();
}

}  // namespace causeway
