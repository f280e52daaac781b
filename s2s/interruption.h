// Interruption: what a stream that broke left of one pair of domains, until the next one tells how
// much of it the peer has (XEP-0198 §5). What is not acknowledged waits in memory while a new
// stream is tried at once; later it stands in the store, and here is known under which row.
// Owner: a RemotePair.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "s2s/carrier.h"
#include "s2s/confirmations.h"

namespace causeway {

class Interruption {
public:
    using Sent = StreamManagement::Sent;
    /// What stands in the store although the peer has it.
    using Arrived = std::function<void(std::uint64_t row)>;

    /// Rows that are remembered for one stream; those beyond are sent again.
    static constexpr std::size_t rows_at_most = 100'000;

    /// `unacknowledged`: the last of the stanzas that were sent.
    Interruption(LinkResumption resumption, std::deque<Sent> unacknowledged)
        : resumption_(std::move(resumption)), unacknowledged_(std::move(unacknowledged)) {}
    /// Takes what `stream`, which has ended, left; nullptr if it cannot be resumed.
    static std::unique_ptr<Interruption> of(Carrier& stream);
    /// We opened it, and so it is for us to resume it.
    [[nodiscard]] bool of_our_stream() const { return resumption_.by == LinkResumption::By::us; }
    /// What was received on it; see OutgoingStream::resume(). An attempt that failed leaves it.
    [[nodiscard]] std::unique_ptr<Receipts> take_received() { return std::move(received_); }
    void received(std::unique_ptr<Receipts> receipts) { received_ = std::move(receipts); }

    [[nodiscard]] const LinkResumption& resumption() const { return resumption_; }

    /// `left` goes to the store: what is to be called, for each, with its row. What need not be
    /// sent again is forgotten.
    [[nodiscard]] std::vector<Arrived> give_back(const std::deque<Confirmations::Written>& left);

    /// What is to be done with what was not given back.
    class Visitor {
    public:
        /// The peer has it.
        virtual void has(const Confirmations::Written& written) = 0;
        virtual void send_again(const Confirmations::Written& written) = 0;
        /// It need not be sent again, but the peer lets the stream go on as if it had not broken.
        virtual void send_again_in_passing(const PacketRef& packet) = 0;
        /// It need not, and the stream does not go on: as far as is known the peer has it not.
        virtual void lost(const Packet&) {}

    protected:
        ~Visitor() = default;
    };
    /// The next stream is there; `left` was written to the one that broke. `arrived` is called for
    /// rows that the peer has, now or when they are known.
    void go_on(const LinkResumption& outcome, std::deque<Confirmations::Written> left,
               Visitor& visitor, const Arrived& arrived);

private:
    struct GivenBack {
        std::uint32_t number = 0;  ///< of the stanza
        std::uint64_t row = 0;     ///< 0: not known yet
        Arrived arrived = {};      ///< the peer has it, and the row was not known
    };

    LinkResumption resumption_;
    std::deque<Sent> unacknowledged_;
    /// Presence that was forgotten, with the numbers of the stanzas.
    std::vector<std::pair<std::uint32_t, PacketRef>> forgotten_;
    std::unique_ptr<Receipts> received_;
    /// Shared with those who learn the rows, and may do so later than all of this.
    std::shared_ptr<std::deque<GivenBack>> given_back_ = std::make_shared<std::deque<GivenBack>>();
};

}  // namespace causeway
