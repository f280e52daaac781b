// Resource: one connected (or resumable) client session of a local account, as the account sees it.
// Implemented by the client session; lives on the account's home shard.
#pragma once

#include <set>

#include "gateway/feature/slots.h"
#include "gateway/session/ledger.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

struct Hub;

class Resource {
public:
    Resource(Hub& hub, Jid full) : home_(hub), jid_(std::move(full)) {}
    Resource(const Resource&) = delete;
    Resource& operator=(const Resource&) = delete;

    [[nodiscard]] const Jid& jid() const { return jid_; }
    /// Of its account's home.
    [[nodiscard]] Hub& hub() const { return home_; }

    /// Sends a stanza to the client, unless a feature holds or drops it (point to_client). `hold`,
    /// if any, is confirmed once the client has acknowledged the stanza (stream management), or
    /// else once the system took its bytes; it is released if neither happens.
    void deliver(const PacketRef& packet, HoldId hold);
    /// The same with another `to`, for presence that goes to many.
    void deliver_as(const PacketRef& packet, const Jid& to);

    /// As deliver(), without asking the features: for those that held it.
    virtual void write(const PacketRef& packet, HoldId hold) = 0;
    virtual void write_as(const PacketRef& packet, const Jid& to) = 0;
    /// Whether the client acknowledges what it gets (XEP-0198).
    [[nodiscard]] virtual bool acknowledges() const = 0;
    /// Much is waiting for the client already: what can wait elsewhere should wait there. The
    /// account is told (AccountInbox::room_again) when there is room.
    [[nodiscard]] virtual bool crowded() const = 0;
    /// Ends the stream with an error; not resumable afterwards.
    virtual void evict(std::string_view condition, std::string_view text) = 0;
    /// The client is not sent the message with that number, since it was sent a copy: `hold` ends
    /// with that as deliver() says.
    virtual void has_copy(std::uint64_t number, HoldId hold) = 0;

    Slots slots;  ///< of features

    // What the account keeps about it:
    PacketRef presence;       ///< last available presence; nullptr: not available
    int priority = 0;         ///< of that presence (RFC 6121 §4.7.2.3)
    bool interested = false;  ///< has asked for the roster (RFC 6121 §2.1.6)
    std::set<Jid> directed;   ///< whom it sent directed presence to (RFC 6121 §4.6)

    [[nodiscard]] bool available() const { return presence != nullptr; }

protected:
    ~Resource() = default;

private:
    Hub& home_;
    Jid jid_;
};

}  // namespace causeway
