// RemotePair, as listings show it, and what it tells the trace.
#include "gateway/net/system_network.h"
#include "s2s/remote_pair.h"

namespace causeway {

void RemotePair::note(const Packet& packet, TraceVerdict verdict, std::string_view reason) const {
    const bool stored = verdict == TraceVerdict::kept || verdict == TraceVerdict::returned;
    hub_.trace.note(packet,
                    {stored ? TraceStage::queue : TraceStage::to_server, verdict, remote_, reason});
}

PairReport RemotePair::report() const {
    PairReport report{.local = local_, .remote = remote_};
    switch (state_) {
        case State::idle: report.state = "idle"; break;
        case State::waiting: report.state = "waiting"; break;
        case State::up: report.state = "established"; break;
        case State::joining:
        case State::following:
        case State::expecting: report.state = "connecting"; break;
        case State::connecting:
            report.state = own_stream_->state() == OutgoingStream::State::resolving ? "resolving"
                           : own_stream_->state() == OutgoingStream::State::connecting
                               ? "connecting"
                               : "negotiating";
            break;
    }
    if (stream_ != nullptr) {
        const Carrier::Report carried = stream_->report_for(local_);
        report.authentication = carried.authentication;
        report.target = carried.target;
        report.targets = carried.targets;
        report.both_ways = own_stream_ != nullptr && own_stream_->bidirectional();
        if (const XmppStream* stream = carried.stream) {
            report.address = to_string(stream->channel().remote());
            if (const TlsEngine* tls = stream->channel().tls()) {
                report.tls_version = tls->version();
                report.tls_cipher = tls->cipher();
            }
        }
    }
    if (report.targets.empty()) report.targets = targets_;
    report.last_error = last_error_.why;
    report.last_error_at = last_error_.at;
    report.since = since_;
    report.next_retry = attempts_.next;
    report.in_memory = memory_.size();
    report.attempts = attempts_.count;
    return report;
}

}  // namespace causeway
