#include "s2s/server_table.h"

#include <algorithm>
#include <charconv>

#include "gateway/base/log.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/system_network.h"

namespace causeway {
namespace {
enum : std::uint32_t { look_again, forget_due };
constexpr Duration forget_interval{60'000};
// How long the control socket can tell why a domain was not reached for which nothing waits.
constexpr Duration remembered{600'000};
constexpr std::size_t stored_domains = 100'000;
}  // namespace

ServerTable::ServerTable(Hub& hub) : hub_(hub) {
    hub.remote = this;
    hub.shard.timers().arm(forget_timer_, forget_interval, *this, forget_due);
}

ServerTable::~ServerTable() {
    for (auto& [key, value] : pairs_) value->leave_as_guest();
}

OutgoingStream* ServerTable::stream_for(const RemotePair& guest) const {
    for (const DomainTls* domain : hub_.tls->all()) {
        if (domain->domain == guest.local()) continue;
        const auto found = pairs_.find(RemotePair::queue_owner(guest.remote(), domain->domain));
        if (found == pairs_.end()) continue;
        if (OutgoingStream* stream = found->second->stream_for(guest.local())) return stream;
    }
    return nullptr;
}

RemotePair& ServerTable::pair(const std::string& remote, const std::string& local) {
    const std::string key = RemotePair::queue_owner(remote, local);
    const auto found = pairs_.find(key);
    if (found != pairs_.end()) return *found->second;
    return *pairs_.emplace(key, std::make_unique<RemotePair>(hub_, *this, local, remote))
                .first->second;
}

/// The limits act on domains that are new to us: those that are in use never suffer.
Outcome ServerTable::room_for_one_more(const std::string& account) {
    if (pairs_.size() >= pair_limit) forget_some();
    if (pairs_.size() >= pair_limit) {
        return Outcome::retry("The server talks to too many other domains: try again later.");
    }
    const auto found = unreached_of_.find(account);
    if (found == unreached_of_.end() || found->second < unreached_per_account) return {};
    return Outcome::retry(
        "Too many domains that you have written to do not answer: try again later.");
}

void ServerTable::reached(RemotePair& pair) {
    const std::string account = pair.asked_by({});
    const auto found = unreached_of_.find(account);
    if (found != unreached_of_.end() && --found->second == 0) unreached_of_.erase(found);
}

/// What need not be remembered goes: soon where there are many, and else when nobody has asked for
/// a while why it failed.
void ServerTable::forget_some() {
    const TimePoint now = hub_.clock().now();
    // A look at all of them, but not for each of those that come.
    if (pairs_.size() >= pair_limit && now - forgotten_at_ < Duration{1000}) return;
    forgotten_at_ = now;
    const auto pause = std::chrono::duration_cast<Duration>(hub_.limits().remote_retry_min_seconds);
    const Duration kept = pairs_.size() >= pair_limit / 2 ? pause : std::max(pause, remembered);
    for (auto entry = pairs_.begin(); entry != pairs_.end();) {
        RemotePair& pair = *entry->second;
        if (pair.forgettable() && now - pair.last_used() >= kept) {
            reached(pair);
            entry = pairs_.erase(entry);
        } else {
            ++entry;
        }
    }
}

void ServerTable::send(PacketRef packet, AcknowledgementTicket ticket) {
    const std::string remote(packet->to().domain());
    const std::string local(packet->from().domain());
    if (!hub_.serves(local)) {
        // Never speak for a domain that is not ours: a stanza from elsewhere is not relayed.
        hub_.settle(ticket);
        return;
    }
    const auto found = pairs_.find(RemotePair::queue_owner(remote, local));
    // What is under way may be finished on streams that are there; while the server ends, none is
    // opened any more.
    if (found != pairs_.end() && (!closing_ || found->second->established())) {
        found->second->send(std::move(packet), ticket);
        return;
    }
    const std::string account(packet->from().bare());
    const Outcome room =
        closing_ ? Outcome::retry("The server is shutting down.") : room_for_one_more(account);
    if (!room) {
        hub_.routing->bounce(
            *packet,
            {.condition = StanzaCondition::resource_constraint, .text = room.why(), .type = "wait"},
            ticket);
        return;
    }
    RemotePair& made = pair(remote, local);
    made.asked_by(account);
    ++unreached_of_[account];
    made.send(std::move(packet), ticket);
}

bool ServerTable::answered(const Packet& packet) {
    // Only the domain itself was asked; whoever else there knows the id says nothing about it.
    if (!packet.id().starts_with(ping_prefix) || packet.from().has_local() ||
        packet.from().has_resource()) {
        return false;
    }
    const std::string_view text = packet.id().substr(ping_prefix.size());
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    const auto found =
        pairs_.find(RemotePair::queue_owner(packet.from().domain(), packet.to().domain()));
    if (found != pairs_.end()) found->second->ping_answered(number);
    return true;
}

void ServerTable::heard_from(std::string_view remote) {
    if (closing_) return;
    for (auto& [key, value] : pairs_) {
        if (value->remote() == remote) value->peer_is_back();
    }
}

void ServerTable::resume_stored() {
    hub_.shared.store.log_totals(
        std::string(RemotePair::store_name), stored_domains, hub_.shard,
        [this](Result<std::vector<LogTotals>> totals) {
            if (!totals) return;
            for (const LogTotals& total : *totals) {
                const std::size_t space = total.owner.find(' ');
                if (space == std::string::npos) continue;
                const std::string remote = total.owner.substr(0, space);
                if (&hub_.home_of(remote) != &hub_) continue;
                pair(remote, total.owner.substr(space + 1)).resume_stored(total.rows, total.bytes);
            }
        });
}

std::string ServerTable::expired(std::string_view owner, std::size_t rows, std::size_t bytes) {
    const auto found = pairs_.find(std::string(owner));
    if (found == pairs_.end()) return {};
    std::string cause = found->second->last_error();
    found->second->expired(rows, bytes);
    return cause;
}

void ServerTable::on_timer(std::uint32_t which) {
    if (which == look_again) {
        end_streams();
        return;
    }
    forget_some();
    hub_.shard.timers().arm(forget_timer_, forget_interval, *this, forget_due);
}

// ---- incoming ----

void ServerTable::accept(std::unique_ptr<Channel> channel) {
    const Limits& limits = hub_.limits();
    const std::size_t shards = hub_.shared.shards.count();
    const Endpoint from = channel->remote();
    auto stream = std::make_unique<IncomingStream>(hub_, *this, std::move(channel));
    // Each shard grants its part of the limits of the process.
    const Admission::Bounds bounds{.in_all = limits.unauthenticated_connections / shards,
                                   .per_network = std::max<std::size_t>(
                                       1, limits.unauthenticated_connections_per_prefix / shards)};
    if (closing_ || !admission_.enter(*stream, network_prefix(from), bounds)) {
        CAUSEWAY_LOG(warn, "s2s.refused", {"address", to_string(from)},
                     {"cause", "too many connections that have not authenticated"});
        stream->stream().silence();
        hub_.shard.condemn(std::move(stream));
        return;
    }
    IncomingStream* key = stream.get();
    incoming_.emplace(key, std::move(stream));
}

void ServerTable::authenticated(const IncomingStream& stream) { admission_.leave(stream); }

void ServerTable::remove(IncomingStream& stream) {
    authenticated(stream);
    const auto found = incoming_.find(&stream);
    if (found == incoming_.end()) return;
    hub_.shard.condemn(std::move(found->second));
    incoming_.erase(found);
}

void ServerTable::each_pair(const std::function<void(RemotePair&)>& visit) {
    for (auto& [key, value] : pairs_) visit(*value);
}

void ServerTable::each_incoming(const std::function<void(IncomingStream&)>& visit) {
    for (auto& [key, value] : incoming_) visit(*value);
}

std::size_t ServerTable::close(std::string_view remote) {
    std::size_t closed = 0;
    for (auto& [key, value] : pairs_) {
        if (value->remote() == remote && value->close()) ++closed;
    }
    std::vector<IncomingStream*> ending;
    for (auto& [key, value] : incoming_) {
        for (const auto& [proven, how] : value->pairs()) {
            if (proven.remote == remote) {
                ending.push_back(key);
                break;
            }
        }
    }
    for (IncomingStream* stream : ending) stream->stream().close();
    return closed + ending.size();
}

void ServerTable::shut_down() {
    closing_ = true;
    end_streams();
}

void ServerTable::end_streams() {
    const bool waiting = std::ranges::any_of(
        pairs_, [](const auto& entry) { return entry.second->awaits_answer(); });
    for (auto& [key, value] : pairs_) {
        // Guests may still wait for theirs.
        if (!value->awaits_answer() && !(waiting && value->has_guests())) value->close();
    }
    if (waiting) {
        // The answers come on the streams of the other servers.
        hub_.shard.timers().arm(ending_timer_, Duration{50}, *this);
        return;
    }
    std::vector<IncomingStream*> ending;
    for (auto& [key, value] : incoming_) ending.push_back(key);
    for (IncomingStream* stream : ending) {
        stream->stream().fail(stream_error::system_shutdown, "the server is shutting down");
    }
}

}  // namespace causeway
