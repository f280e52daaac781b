// Hub: everything of the gateway that lives on one shard, and the few things all shards share. Made
// by main (or a simulation), passed by reference; its parts find each other through it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/feature/registry.h"
#include "gateway/net/resolver.h"
#include "gateway/net/socket.h"
#include "gateway/net/tls_store.h"
#include "gateway/session/acknowledgement.h"
#include "gateway/session/ledger.h"
#include "gateway/session/seen_messages.h"
#include "gateway/shard/shard.h"
#include "gateway/shard/workers.h"
#include "gateway/store/ids.h"
#include "gateway/store/store.h"

namespace causeway {

class Accounts;
struct Hub;

/// Gets a stanza to where its `to` is.
class Routing {
public:
    /// Any packet with a `to`; from any code on this hub's shard.
    virtual void route(PacketRef packet, AcknowledgementTicket ticket = {}) = 0;
    /// Answers `packet` with an error where the rules allow one, and settles its ticket.
    virtual void bounce(const Packet& packet, const StanzaError& error,
                        AcknowledgementTicket ticket = {}) = 0;

protected:
    ~Routing() = default;
};

/// The way to other domains; implemented by s2s.
class RemoteDomains {
public:
    /// Called on the remote domain's home shard.
    virtual void send(PacketRef packet, AcknowledgementTicket ticket) = 0;
    /// An iq answer to one of our own domains, on the home shard of its sender's domain. False if
    /// it answers nothing that was asked.
    virtual bool answered(const Packet& packet) = 0;

protected:
    ~RemoteDomains() = default;
};

/// What all shards share; immutable but for what guards itself.
struct Shared {
    const Clock& clock;
    Shards& shards;
    Store& store;
    Workers& workers;
    const FeatureRegistry& features;
    IdSource& ids;           ///< of stored rows and of stanzas
    std::string secret;      ///< of this process start, for dialback keys and fake salts
    std::vector<Hub*> hubs;  ///< by shard
    UnixMillis started = 0;
};

/// Hash and equality that take string_view, for maps keyed by string.
struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

struct Hub {
    Hub(Shared& shared, Shard& shard, Network& network, Resolver& resolver,
        std::shared_ptr<const Config> config, std::shared_ptr<const TlsSnapshot> tls);
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;
    ~Hub();

    Shared& shared;
    Shard& shard;
    Network& network;
    Resolver& resolver;
    std::shared_ptr<const Config> config;
    std::shared_ptr<const TlsSnapshot> tls;
    std::unordered_set<std::string, StringHash, std::equal_to<>> domains;  ///< served here
    Ledger ledger;
    SeenMessages seen;  ///< of accounts whose home is here
    std::unique_ptr<Accounts> accounts;
    Routing* routing = nullptr;
    RemoteDomains* remote = nullptr;
    std::unordered_map<std::uint64_t, TicketHolder*> ticket_holders;

    /// Until the next reload; what lives longer holds shared_limits().
    [[nodiscard]] const Limits& limits() const { return config->limits; }
    [[nodiscard]] std::shared_ptr<const Limits> shared_limits() const {
        return {config, &config->limits};
    }
    [[nodiscard]] const Clock& clock() const { return shared.clock; }
    [[nodiscard]] bool serves(std::string_view domain) const { return domains.contains(domain); }
    /// The hub where everything about that bare JID or remote domain happens.
    [[nodiscard]] Hub& home_of(std::string_view name) const {
        return *shared.hubs[shared.shards.home_of(name)];
    }
    /// Runs `task` on that hub's shard: now if it is this one, else with the end of the turn.
    void at(Hub& other, std::function<void()> task) const;
    /// Tells whoever waits for it that a stanza is safe.
    void settle(AcknowledgementTicket ticket);
    /// Takes over a new configuration and certificates (reload).
    void adopt(std::shared_ptr<const Config> new_config,
               std::shared_ptr<const TlsSnapshot> new_tls);
    /// A number for a TicketHolder or a session that no other in the process has.
    std::uint64_t next_id() { return next_id_ += shared.shards.count(); }

private:
    std::uint64_t next_id_;
};

}  // namespace causeway
