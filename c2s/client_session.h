// ClientSession: one bound resource: stanzas from the client to the router and back, and stream
// management (XEP-0198) with its two counters and its queue of what is not acknowledged. It lives
// on the account's home shard; its stream may come and go if the client asked for resumption.
//
// Incoming: a message counts as handled (`h`) only when it is safe; see ticket.h. Outgoing: a
// stanza that matters is held in the Ledger until the client acknowledged it (or, without stream
// management, until the system took its bytes).
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "c2s/client_stream.h"
#include "gateway/session/account.h"
#include "gateway/session/resource.h"

namespace causeway {

class ClientSession final : public Condemned,
                            public Resource,
                            private TicketHolder,
                            private Flushable,
                            private TimerTarget {
public:
    ClientSession(Hub& hub, ClientTable& table, Jid full);
    ~ClientSession() override;

    void attach(ClientStream& stream);
    [[nodiscard]] ClientStream* stream() { return stream_; }
    [[nodiscard]] Account& account() { return account_; }

    // Resource
    void write(const PacketRef& packet, HoldId hold) override;
    void write_as(const PacketRef& packet, const Jid& to) override;
    [[nodiscard]] bool acknowledges() const override { return management_ != nullptr; }
    [[nodiscard]] bool crowded() const override;
    void evict(std::string_view condition, std::string_view text) override;

    // From its stream
    void stanza_in(Element& element, Arena& arena);
    void manage(const Element& element);
    void stream_drained();
    /// The stream ended: `orderly` if the client closed it, else the session may be resumed.
    void stream_lost(bool orderly);

    /// Whether `token` is this session's, in constant time.
    [[nodiscard]] bool resumable_by(std::string_view token) const;
    /// Takes over a new stream; false (with a stream or resume error sent) if `h` is impossible.
    bool resume(ClientStream& stream, std::uint32_t h);
    /// Stanzas handled, as to be told the client.
    [[nodiscard]] std::uint32_t handled() const;

    // For the control socket
    [[nodiscard]] std::uint64_t unacked() const;
    [[nodiscard]] bool resumable() const { return management_ != nullptr && !token().empty(); }
    [[nodiscard]] bool detached() const { return stream_ == nullptr; }
    [[nodiscard]] UnixMillis since() const { return since_; }
    [[nodiscard]] const std::string& token() const;

private:
    struct Unacked {
        PacketRef packet;
        HoldId hold = 0;
    };
    /// Of a stream with stream management; others do not pay for it.
    struct Management {
        std::uint32_t received = 0;      ///< stanzas from the client
        std::deque<std::uint32_t> open;  ///< numbers of those not yet safe, rising
        std::uint32_t answer_when = 0;   ///< <r/> waits until so many are handled
        std::uint32_t asked_until = 0;   ///< the same of the newest <r/>
        bool answer_due = false;
        std::uint32_t sent = 0;
        std::deque<Unacked> unacked;
        std::size_t unacked_bytes = 0;
        bool asked = false;  ///< our <r/> is not answered yet
        std::string token;   ///< to resume with; empty: not resumable
    };

    void settled(std::uint32_t number) override;
    void flush() override;
    void on_timer(std::uint32_t which) override;

    void refuse(const Element& element, StanzaKind kind, StanzaCondition condition,
                std::string text);
    AcknowledgementTicket take_ticket();
    void send(const PacketRef& packet, std::string_view bytes, HoldId hold);
    void enable(const Element& element);
    void acknowledge(std::uint32_t h);
    bool accept_acknowledgement(std::uint32_t h);
    void answer_request();
    void check_queue();
    void overflow();
    void end();

    Hub& hub_;
    ClientTable& table_;
    Account& account_;
    ClientStream* stream_ = nullptr;
    std::unique_ptr<Management> management_;
    std::vector<HoldId> in_transit_;  ///< without stream management: confirmed when drained
    std::uint64_t holder_id_ = 0;
    UnixMillis since_;
    Timer timer_;
    bool soft_full_ = false;
    bool overflowed_ = false;  ///< to be ended with this turn
    bool ended_ = false;
};

}  // namespace causeway
