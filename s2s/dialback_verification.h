// DialbackVerification: asks a domain's own server whether a dialback key is its (XEP-0220 §2.3),
// over a stream of our own that leads where DNS says. Owner: the IncomingStream on which the key
// came.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "s2s/outgoing_stream.h"

namespace causeway {

class DialbackVerification final : public Condemned, private OutgoingOwner {
public:
    /// ok: the key is valid. Refused: it is not. Otherwise nobody could say, and why.
    using Done = std::function<void(const Outcome&)>;

    /// `remote` claims on stream `stream_id`, to our `local`, that `key` is its. `done` is called
    /// once, later, and may destroy this.
    DialbackVerification(Hub& hub, std::string local, std::string remote, std::string stream_id,
                         std::string key, Done done);

    ~DialbackVerification() override;

private:
    void on_ready(Carrier& stream) override;
    void on_stopped(Carrier& stream, const Outcome& why) override;
    void on_peer_element(OutgoingStream& stream, Element& element, Arena& arena) override;
    void on_stream_writable(Carrier&) override {}
    void finish(const Outcome& outcome);

    Hub& hub_;
    std::string stream_id_, key_;
    std::unique_ptr<OutgoingStream> stream_;
    Done done_;
};

}  // namespace causeway
