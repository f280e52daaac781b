// EndingStreams: streams that we opened, that were ended in good order, and whose domains have gone
// on to another one. What the other server sends before it has heard of our end still arrives
// (RFC 6120 §4.4), and one that ended it hears what is safe (XEP-0198). Each is there for a few
// seconds. Owner: a ServerLink.
#pragma once

#include <memory>
#include <vector>

#include "s2s/outgoing_stream.h"

namespace causeway {

class EndingStreams final : private OutgoingOwner {
public:
    explicit EndingStreams(Hub& hub) : hub_(hub) {}
    EndingStreams(const EndingStreams&) = delete;
    EndingStreams& operator=(const EndingStreams&) = delete;
    ~EndingStreams();

    /// True: it was taken, and is ended if it was not already. False: nothing more is to come or go
    /// on it.
    bool take(std::unique_ptr<OutgoingStream>& stream);
    [[nodiscard]] std::size_t size() const { return streams_.size(); }

private:
    void on_ready(Carrier&) override {}
    void on_stopped(Carrier& stream, const Outcome& why) override;
    void on_stream_writable(Carrier&) override {}
    void on_peer_element(OutgoingStream&, Element&, Arena&) override {}

    Hub& hub_;
    std::vector<std::unique_ptr<OutgoingStream>> streams_;
};

}  // namespace causeway
