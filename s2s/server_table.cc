#include "s2s/server_table.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"

namespace causeway {
namespace {
enum : std::uint32_t { look_again, forget_due, resume_due };
constexpr Duration forget_interval{60'000};
// How long the control socket can tell why a domain was not reached for which nothing waits.
constexpr Duration remembered{600'000};
constexpr std::size_t stored_domains = 100'000;
/// A store that could not be read is asked again.
constexpr Duration unreadable_pause{5000};
}  // namespace

ServerTable::ServerTable(Hub& hub)
    : hub_(hub), late_(hub.clock()), opened_(std::make_shared<const bool>()) {
    hub.remote = this;
    hub.shard.timers().arm(forget_timer_, forget_interval, *this, forget_due);
}

ServerTable::~ServerTable() = default;

ServerLink* ServerTable::find(std::string_view remote) const {
    const auto found = links_.find(remote);
    return found == links_.end() ? nullptr : found->second.get();
}

ServerLink& ServerTable::link(const std::string& remote) {
    if (ServerLink* known = find(remote)) return *known;
    return *links_.emplace(remote, std::make_unique<ServerLink>(hub_, *this, remote)).first->second;
}

RemotePair& ServerTable::pair(const std::string& remote, const std::string& local,
                              std::string asked_by) {
    ServerLink& its = link(remote);
    if (RemotePair* known = its.find(local)) return *known;
    ++pairs_;
    RemotePair& made = its.make(local, std::move(asked_by));
    // Something may wait there, and comes first.
    if (!queues_known_) made.look_into_store();
    return made;
}

/// The limits act on domains that are new to us: those that are in use never suffer.
Outcome ServerTable::room_for_one_more(const std::string& account) {
    if (pairs_ >= pair_limit) forget_some();
    if (pairs_ >= pair_limit) {
        return Outcome::retry("The server talks to too many other domains: try again later.");
    }
    const auto found = unreached_of_.find(account);
    if (found == unreached_of_.end() || found->second < unreached_per_account) return {};
    return Outcome::retry(
        "Too many domains that you have written to do not answer: try again later.");
}

void ServerTable::reached(const std::string& account) {
    const auto found = unreached_of_.find(account);
    if (found != unreached_of_.end() && --found->second == 0) unreached_of_.erase(found);
}

/// Drops the pairs that need not be remembered: soon if there are many, otherwise only after the
/// control socket could tell for a while why they failed.
void ServerTable::forget_some() {
    const TimePoint now = hub_.clock().now();
    // This looks at all pairs, so it is not done for each new one.
    if (pairs_ >= pair_limit && now - forgotten_at_ < Duration{1000}) return;
    forgotten_at_ = now;
    const auto pause = std::chrono::duration_cast<Duration>(hub_.limits().remote_retry_min_seconds);
    const bool many = pairs_ >= pair_limit / 2;
    const Duration kept = many ? pause : std::max(pause, remembered);
    const auto which = many ? ServerLink::Forget::unneeded : ServerLink::Forget::unused;
    std::erase_if(links_, [&](const auto& entry) {
        entry.second->forget(now - kept, which, [this](const RemotePair& pair) {
            --pairs_;
            reached(pair.asked_by());
        });
        return entry.second->empty();
    });
}

void ServerTable::send(PacketRef packet, AcknowledgementTicket ticket) {
    const std::string remote(packet->to().domain());
    const std::string local(packet->from().domain());
    if (!hub_.serves(local)) {
        // Never speak for a domain that is not ours: a stanza from elsewhere is not relayed.
        hub_.trace.note(*packet, {TraceStage::to_server, TraceVerdict::dropped, remote,
                                  "neither its sender nor its recipient is of this server"});
        hub_.settle(ticket);
        return;
    }
    ServerLink* known = find(remote);
    RemotePair* pair_known = known == nullptr ? nullptr : known->find(local);
    // What is under way may be finished on streams that are there; while the server ends, none is
    // opened any more.
    if (pair_known != nullptr && (!closing_ || pair_known->established())) {
        pair_known->send(std::move(packet), ticket);
        return;
    }
    const std::string account(packet->from().bare());
    const Outcome room =
        closing_ ? Outcome::retry("The server is shutting down.") : room_for_one_more(account);
    if (!room) {
        hub_.trace.note(*packet,
                        {TraceStage::to_server, TraceVerdict::refused, remote, room.why()});
        hub_.routing->bounce(
            *packet,
            {.condition = StanzaCondition::resource_constraint, .text = room.why(), .type = "wait"},
            ticket);
        return;
    }
    ++unreached_of_[account];
    pair(remote, local, account).send(std::move(packet), ticket);
}

bool ServerTable::stamps(std::string_view remote, std::string_view local) {
    if (closing_) return false;
    ServerLink& known = link(std::string(remote));
    Hub& home = hub_.home_of(remote);
    if (&home == &hub_) return known.stamps(std::string(local));
    // It is at home elsewhere, and on a stream of another domain here: what it is asked it answers
    // there.
    if (known.known_as_stamping()) return true;
    if (!known.may_ask_home()) return false;
    hub_.at(home, [&home, &here = hub_, domain = std::string(remote), us = std::string(local)] {
        if (!static_cast<ServerTable&>(*home.remote).stamps(domain, us)) return;
        home.at(here, [&here, domain] {
            static_cast<ServerTable&>(*here.remote).link(domain).known_to_stamp();
        });
    });
    return false;
}

TimePoint ServerTable::lately_broken(std::string_view remote) const {
    const ServerLink* known = find(remote);
    return known != nullptr ? known->lately_broken() : ServerLink::broken_by_start(hub_);
}

void ServerTable::broke(const std::string& remote) {
    link(remote).broke();
    Hub& home = hub_.home_of(remote);
    if (&home == &hub_) return;
    hub_.at(home,
            [&home, remote] { static_cast<ServerTable&>(*home.remote).link(remote).broke(); });
}

bool ServerTable::pausing(std::string_view remote) const {
    const ServerLink* known = find(remote);
    return known != nullptr && known->pausing();
}

bool ServerTable::in_contact(std::string_view remote) const {
    const ServerLink* known = find(remote);
    return known != nullptr && known->in_contact();
}

void ServerTable::heard_from(std::string_view remote) {
    if (closing_) return;
    if (ServerLink* known = find(remote)) known->heard_from();
}

bool ServerTable::answered(const Jid& from, const Jid& to, std::string_view id) {
    const ServerLink* known = find(from.domain());
    RemotePair* asking = known == nullptr ? nullptr : known->find(to.domain());
    return asking == nullptr || asking->answered(from, to, id);
}

void ServerTable::no_answer(const Packet& request) {
    for (Hub* other : hub_.shared.hubs) {
        if (other == &hub_) continue;
        hub_.at(*other,
                [other, from = request.from(), to = request.to(), id = std::string(request.id())] {
                    static_cast<ServerTable&>(*other->remote).late_.told(from, to, id);
                });
    }
}

void ServerTable::asked_again(const Packet& request) {
    for (Hub* other : hub_.shared.hubs) {
        if (other == &hub_) continue;
        hub_.at(*other,
                [other, from = request.from(), to = request.to(), id = std::string(request.id())] {
                    (void)static_cast<ServerTable&>(*other->remote).late_.take(from, to, id);
                });
    }
}

void ServerTable::resume_stored() {
    queues_known_ = false;
    hub_.shared.store.log_totals(std::string(RemotePair::store_name), stored_domains, hub_.shard,
                                 [this](Result<std::vector<LogTotals>> totals) {
                                     if (!totals) return resume_stored_later(totals.error());
                                     queues_known_ = true;
                                     for (const LogTotals& total : *totals) {
                                         const std::size_t space = total.owner.find(' ');
                                         if (space == std::string::npos) continue;
                                         const std::string remote = total.owner.substr(0, space);
                                         if (&hub_.home_of(remote) != &hub_) continue;
                                         pair(remote, total.owner.substr(space + 1), {})
                                             .resume_stored(total.rows, total.bytes);
                                     }
                                 });
}

/// What waits would else wait until the next start, or be refused when its time is over.
void ServerTable::resume_stored_later(const Outcome& why) {
    CAUSEWAY_LOG(error, "s2s.queues_unreadable", {"cause", why.why()});
    hub_.shard.timers().arm(resume_timer_, unreadable_pause, *this, resume_due);
}

std::string ServerTable::expired(std::string_view owner, std::size_t rows, std::size_t bytes) {
    const std::size_t space = owner.find(' ');
    if (space == std::string_view::npos) return {};
    const ServerLink* known = find(owner.substr(0, space));
    RemotePair* of_owner = known == nullptr ? nullptr : known->find(owner.substr(space + 1));
    if (of_owner == nullptr) return {};
    std::string cause = of_owner->last_error();
    of_owner->expired(rows, bytes);
    return cause;
}

void ServerTable::on_timer(std::uint32_t which) {
    if (which == look_again) {
        end_streams();
    } else if (which == resume_due) {
        if (!closing_) resume_stored();
    } else {
        forget_some();
        hub_.shard.timers().arm(forget_timer_, forget_interval, *this, forget_due);
    }
}

// ---- incoming ----

void ServerTable::accept(std::unique_ptr<Channel> channel) {
    (void)admit(std::make_unique<IncomingStream>(hub_, *this, std::move(channel)));
}

/// Takes a stream that has proven nothing, if there is room for it.
bool ServerTable::admit(std::unique_ptr<IncomingStream> stream) {
    const Limits& limits = hub_.limits();
    const std::size_t shards = hub_.shared.shards.count();
    // Each shard grants its part of the limits of the process.
    const Admission::Bounds bounds{.in_all = limits.unauthenticated_connections / shards,
                                   .per_network = std::max<std::size_t>(
                                       1, limits.unauthenticated_connections_per_prefix / shards)};
    if (closing_ || !admission_.enter(*stream, stream->network(), bounds)) {
        CAUSEWAY_LOG(warn, "s2s.refused",
                     {"address", to_string(stream->stream().channel().remote())},
                     {"cause", "too many connections that have not authenticated"});
        stream->stream().silence();
        hub_.shard.condemn(std::move(stream));
        return false;
    }
    IncomingStream* key = stream.get();
    unproven_.emplace(key, std::move(stream));
    return true;
}

void ServerTable::move(IncomingStream& stream, Hub& home, MovingServer moving) {
    moving.channel = stream.stream().detach();
    if (moving.channel == nullptr) {
        stream.stream().fail(stream_error::internal_server_error, "this connection cannot move");
        return;
    }
    // std::function must be copyable; the connection is not.
    const auto carried = std::make_shared<MovingServer>(std::move(moving));
    home.shard.post(
        [&home, carried] { static_cast<ServerTable&>(*home.remote).adopt(std::move(*carried)); });
    remove(stream);
}

void ServerTable::adopt(MovingServer moving) {
    auto channel =
        std::make_unique<StreamChannel>(hub_.shard, hub_.network, std::move(*moving.channel));
    auto stream = std::make_unique<IncomingStream>(hub_, *this, std::move(channel), moving);
    IncomingStream& its = *stream;
    if (moving.proof == MovingServer::Proof::given && !closing_) {
        // Its certificate has proven a domain: it takes no place of those that have proven nothing.
        unproven_.emplace(&its, std::move(stream));
    } else if (!admit(std::move(stream))) {
        return;
    }
    its.go_on(std::move(moving));
}

void ServerTable::proven(IncomingStream& stream, const std::string& remote) {
    admission_.leave(stream);
    auto node = unproven_.extract(&stream);
    if (!node) return;
    ++incoming_;
    link(remote).adopt(std::move(node.mapped()));
    if (incoming_ > most_streams()) end_most_silent();
}

void ServerTable::remove(IncomingStream& stream, bool broke) {
    admission_.leave(stream);
    if (stream.link() != nullptr) {
        --incoming_;
        stream.link()->remove(stream, broke);
        return;
    }
    auto node = unproven_.extract(&stream);
    if (node) hub_.shard.condemn(std::move(node.mapped()));
}

void ServerTable::each_pair(const std::function<void(RemotePair&)>& visit) {
    for (auto& [remote, its] : links_) its->each_pair(visit);
}

void ServerTable::each_incoming(const std::function<void(IncomingStream&)>& visit) {
    for (auto& [key, stream] : unproven_) visit(*stream);
    for (auto& [remote, its] : links_) its->each_incoming(visit);
}

std::size_t ServerTable::close(std::string_view remote) {
    ServerLink* known = find(remote);
    return known == nullptr ? 0 : known->close();
}

std::size_t ServerTable::ending() const {
    std::size_t count = 0;
    for (const auto& [remote, its] : links_) count += its->ending();
    return count;
}

void ServerTable::shut_down() {
    closing_ = true;
    end_streams();
}

void ServerTable::end_streams() {
    const bool waiting = std::ranges::any_of(
        links_, [](const auto& entry) { return entry.second->awaits_answer(); });
    for (auto& [remote, its] : links_) its->close_when_quiet(waiting);
    if (waiting) {
        // The answers come on the streams of the other servers.
        hub_.shard.timers().arm(ending_timer_, Duration{50}, *this);
        return;
    }
    for (auto& [remote, its] : links_) its->leave_process();
    std::vector<IncomingStream*> ending;
    each_incoming([&](IncomingStream& stream) { ending.push_back(&stream); });
    std::ranges::sort(ending, {},
                      [](IncomingStream* stream) { return stream->stream().channel().remote(); });
    for (IncomingStream* stream : ending) stream->shut_down();
}

}  // namespace causeway
