// Hub: everything of the gateway that lives on one shard, and the few things all shards share. Made
// by main (or a simulation), passed by reference; its parts find each other through it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/feature/acknowledgement.h"
#include "gateway/feature/registry.h"
#include "gateway/feature/slots.h"
#include "gateway/net/resolver.h"
#include "gateway/net/socket.h"
#include "gateway/net/tls_store.h"
#include "gateway/session/archive_mark.h"
#include "gateway/session/domain_access.h"
#include "gateway/session/ledger.h"
#include "gateway/session/seen_messages.h"
#include "gateway/session/stream_records.h"
#include "gateway/shard/shard.h"
#include "gateway/shard/workers.h"
#include "gateway/store/ids.h"
#include "gateway/store/lifetime_clock.h"
#include "gateway/store/store.h"
#include "gateway/trace/trace.h"

namespace causeway {

namespace control {
class Operations;
}  // namespace control

class Account;
class Accounts;
class Asking;
class Resource;
struct Hub;
struct Stanza;

/// Gets a stanza to where its `to` is.
class Routing {
public:
    /// Any stanza from a client's stream, with a true `from`; its `to` may be missing (RFC 6120
    /// §8.1.1). On the account's home shard.
    virtual void from_client(Stanza& stanza, Account& account, Resource& session,
                             AcknowledgementTicket ticket) = 0;
    /// A stanza from a stream of another server, whose pair of domains was proven (RFC 6120
    /// §8.1.2).
    virtual void from_server(Stanza& stanza, AcknowledgementTicket ticket) = 0;
    /// Any packet with a `to`; from any code on this hub's shard.
    virtual void route(PacketRef packet, AcknowledgementTicket ticket = {}) = 0;
    /// The same stanza to many addresses: on this server straight to their accounts, with one task
    /// for each shard; elsewhere as a stanza of its own. For presence (RFC 6121 §4.4.2).
    virtual void fan_out(const PacketRef& packet, const std::vector<const Jid*>& to) = 0;
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
    /// Whether that domain is known to say that it gives its messages ids of its own (XEP-0359);
    /// asks it in the name of `local`, a domain of ours, if that is not known yet. Called where the
    /// stream is on which it speaks; where that is not its home shard, false until home has told.
    [[nodiscard]] virtual bool stamps(std::string_view remote, std::string_view local) = 0;
    /// When a stream of that domain's to us broke that it did not resume, or it ended one with an
    /// error, if that was less than five minutes ago, else the epoch. Called where stamps() is.
    [[nodiscard]] virtual TimePoint lately_broken(std::string_view) const { return {}; }
    /// On the remote domain's home shard: stored stanzas of that queue were given up and erased.
    /// Returns why they could not be delivered, as far as it is known.
    virtual std::string expired(std::string_view owner, std::size_t rows, std::size_t bytes) = 0;
    /// On the remote domain's home shard: whether a pause between two attempts to reach it goes on,
    /// which a stanza may end. What nobody is in a hurry for is better sent later.
    [[nodiscard]] virtual bool pausing(std::string_view) const { return false; }
    /// On the remote domain's home shard: whether it is within reach, as LifeEvent::link_up and
    /// link_down tell it.
    [[nodiscard]] virtual bool in_contact(std::string_view) const { return false; }

protected:
    ~RemoteDomains() = default;
};

/// A domain of its own behind this server, such as one of rooms: a feature that receives every
/// stanza addressed to it.
class Service {
public:
    /// The shard on which everything about that address happens. From any thread.
    [[nodiscard]] virtual unsigned home_of(const Jid& to) const = 0;
    /// On that shard. It settles the ticket.
    virtual void receive(Hub& hub, const PacketRef& packet, AcknowledgementTicket ticket) = 0;

protected:
    ~Service() = default;
};

/// What stands behind a domain.
struct Target {
    enum class Kind : unsigned char { remote, accounts, service };
    Kind kind = Kind::remote;
    Service* service = nullptr;  ///< of Kind::service; outlives every shard
};

/// What all shards share; immutable but for what guards itself.
struct Shared {
    const Clock& clock;
    Shards& shards;
    Store& store;
    Workers& workers;
    const FeatureRegistry& features;
    IdSource& ids;                   ///< of stored rows and of stanzas
    const LifetimeClock& lifetimes;  ///< of stored rows
    ArchiveMark& archive_mark;
    /// Domains of their own behind this server, beside those of accounts.
    std::unordered_map<std::string, Service*> services = {};
    std::string secret;      ///< of this process start, for dialback keys and fake salts
    std::vector<Hub*> hubs;  ///< by shard
    TimePoint started{};     ///< of the process, by the clock that nobody sets
    /// Ids of the runs before are below, those of this one above; 0 in tests without runs before.
    std::uint64_t first_id = 0;
    /// What an administrator can do (gateway/control/operations.h): called on the thread of
    /// `control`, and answers there. Set before the shards run; nullptr in tests without them.
    control::Operations* operations = nullptr;
    Executor* control = nullptr;

    /// The same by the clock on the wall as it stands now: at a start without a clock that runs on
    /// batteries it was set later.
    [[nodiscard]] UnixMillis started_at() const {
        return clock.wall() - (clock.now() - started).count();
    }
};

struct Hub final : private TimerTarget {
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
    /// What is served here, by domain; everything else is remote.
    std::unordered_map<std::string, Target, StringHash, std::equal_to<>> targets;
    MetricCounts metrics;  ///< of features, on this shard
    Slots slots;           ///< of features, the same; outlives the accounts
    StreamRecords stream_records;
    Trace trace;  ///< what was decided about stanzas here
    DomainAccess domain_access;
    Ledger ledger;
    SeenMessages seen;  ///< of accounts whose home is here
    std::unique_ptr<Accounts> accounts;
    Routing* routing = nullptr;
    RemoteDomains* remote = nullptr;
    Asking* asking = nullptr;  ///< gateway/route/asking.h
    std::unordered_map<std::uint64_t, TicketHolder*> ticket_holders;

    /// Until the next reload; what lives longer holds shared_limits().
    [[nodiscard]] const Limits& limits() const { return config->limits; }
    [[nodiscard]] std::shared_ptr<const Limits> shared_limits() const {
        return {config, &config->limits};
    }
    [[nodiscard]] const Clock& clock() const { return shared.clock; }
    [[nodiscard]] Target target_of(std::string_view domain) const {
        const auto found = targets.find(domain);
        return found == targets.end() ? Target{} : found->second;
    }
    /// Whether that domain is one of ours.
    [[nodiscard]] bool serves(std::string_view domain) const { return targets.contains(domain); }
    /// The hub where everything about that bare JID or remote domain happens.
    [[nodiscard]] Hub& home_of(std::string_view name) const {
        return *shared.hubs[shared.shards.home_of(name)];
    }
    /// Runs `task` on that hub's shard: now if it is this one, else with the end of the turn.
    void at(Hub& other, std::function<void()> task) const;
    /// Tells whoever waits for it that a stanza is safe.
    void settle(AcknowledgementTicket ticket);
    /// The ticket will be settled once more than it would have been. On the shard of its holder.
    void expect_again(AcknowledgementTicket ticket);
    /// Leads a stanza through the hooks of one point. False: it goes no further, and whoever sent
    /// it has been told what is to be told. `packet` is what an error answers: a PacketRef, or a
    /// function that makes it.
    template <class HookType, class Context, class Made>
    [[nodiscard]] bool pass(std::span<const HookType> hooks, Context& context, const Made& packet) {
        for (const HookType& hook : hooks) {
            const Verdict verdict = hook.run(context);
            if (verdict == Verdict::next) continue;
            note_verdict(context, verdict, hook.feature);
            if (verdict == Verdict::dropped) settle(context.ticket);
            if (verdict == Verdict::refused) {
                if constexpr (std::is_invocable_v<Made>) {
                    routing->bounce(*packet(), context.error, context.ticket);
                } else {
                    routing->bounce(*packet, context.error, context.ticket);
                }
            }
            return false;
        }
        return true;
    }
    /// Takes over a new configuration and certificates (reload).
    void adopt(std::shared_ptr<const Config> new_config,
               std::shared_ptr<const TlsSnapshot> new_tls);
    /// The server serves from now on: features hear `started`, and `tick` once a minute.
    void begin();
    /// It is about to end: features hear `draining`.
    void drain();
    /// A number for a TicketHolder or a session that no other in the process has.
    std::uint64_t next_id() { return next_id_ += shared.shards.count(); }

private:
    void on_timer(std::uint32_t which) override;
    /// What a feature's hook said, for the trace.
    template <class Context>
    void note_verdict(const Context& context, Verdict verdict, std::string_view feature) {
        if constexpr (requires { context.stanza; }) {
            note_verdict(TraceSubject::of(context.stanza), Context::stage, verdict, feature,
                         context.error, context.why);
        } else if (context.packet != nullptr) {
            note_verdict(TraceSubject::of(*context.packet), Context::stage, verdict, feature,
                         context.error, context.why);
        }
    }
    void note_verdict(const TraceSubject& subject, TraceStage stage, Verdict verdict,
                      std::string_view feature, const StanzaError& error, std::string_view reason);

    std::uint64_t next_id_;
    Timer tick_;
};

}  // namespace causeway
