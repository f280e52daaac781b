// Resource: one connected (or resumable) resource of a local account, as the account's Account sees
// it. Implemented by the client session; lives on the account's home shard.
#pragma once

#include <set>

#include "gateway/session/ledger.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

class Resource {
public:
    explicit Resource(Jid full) : jid_(std::move(full)) {}
    Resource(const Resource&) = delete;
    Resource& operator=(const Resource&) = delete;

    [[nodiscard]] const Jid& jid() const { return jid_; }

    /// Sends a stanza to the client. `hold`, if any, is confirmed once the client has acknowledged
    /// it (stream management), or else once the system took its bytes; released if neither happens.
    virtual void deliver(const PacketRef& packet, HoldId hold) = 0;
    /// The same with another `to`, for presence that goes to many.
    virtual void deliver_as(const PacketRef& packet, const Jid& to) = 0;
    /// Whether the client acknowledges what it gets (XEP-0198).
    [[nodiscard]] virtual bool acknowledges() const = 0;
    /// Much is waiting for it already: what can wait elsewhere should. The account's Account is
    /// told (room_again) when there is room.
    [[nodiscard]] virtual bool crowded() const = 0;
    /// Ends the stream with an error; not resumable afterwards.
    virtual void evict(std::string_view condition, std::string_view text) = 0;

    // What the account's Account keeps about it:
    PacketRef presence;       ///< last available presence; nullptr: not available
    int priority = 0;         ///< of that presence (RFC 6121 §4.7.2.3)
    bool interested = false;  ///< has asked for the roster (RFC 6121 §2.1.6)
    std::set<Jid> directed;   ///< whom it sent directed presence to (RFC 6121 §4.6)

    [[nodiscard]] bool available() const { return presence != nullptr; }

protected:
    ~Resource() = default;

private:
    Jid jid_;
};

}  // namespace causeway
