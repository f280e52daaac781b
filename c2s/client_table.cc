#include "c2s/client_table.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/net/channel_proxy.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"
#include "gateway/session/accounts.h"

namespace causeway {

ClientTable::ClientTable(Hub& hub) : hub_(hub), all_{this} {}

ClientTable::~ClientTable() = default;

void ClientTable::accept(std::unique_ptr<Channel> channel) {
    const Limits& limits = hub_.limits();
    std::string prefix = network_prefix(channel->remote());
    const std::size_t shards = hub_.shared.shards.count();
    std::size_t& of_prefix = per_prefix_[prefix];
    // Each shard grants its part of the process-wide limits.
    if (closing_ || unauthenticated_ >= limits.unauthenticated_connections / shards ||
        of_prefix >=
            std::max<std::size_t>(1, limits.unauthenticated_connections_per_prefix / shards)) {
        if (of_prefix == 0) per_prefix_.erase(prefix);
        CAUSEWAY_LOG(warn, "c2s.refused", {"address", to_string(channel->remote())},
                     {"cause", "too many connections that have not logged in"});
        hub_.shard.condemn(std::move(channel));
        return;
    }
    ++of_prefix;
    ++unauthenticated_;
    auto stream = std::make_unique<ClientStream>(hub_, *this, std::move(channel));
    prefixes_.emplace(stream.get(), std::move(prefix));
    ClientStream* key = stream.get();
    streams_.emplace(key, std::move(stream));
}

void ClientTable::authenticated(const ClientStream& stream) {
    const auto found = prefixes_.find(&stream);
    if (found == prefixes_.end()) return;
    --unauthenticated_;
    const auto prefix = per_prefix_.find(found->second);
    if (--prefix->second == 0) per_prefix_.erase(prefix);
    prefixes_.erase(found);
}

void ClientTable::move(ClientStream& stream, Hub& home, MovingClient moving) {
    moving.channel = stream.stream().detach();
    if (moving.channel == nullptr) {
        moving.proxy = make_proxy(hub_.shard, stream.stream().release(), home.shard);
    }
    ClientTable* target = all_[home.shard.index()];
    // std::function must be copyable; the connection is not.
    const auto carried = std::make_shared<MovingClient>(std::move(moving));
    home.shard.post([target, carried] { target->adopt(std::move(*carried)); });
    remove(stream);
}

void ClientTable::adopt(MovingClient moving) {
    std::unique_ptr<Channel> channel = std::move(moving.proxy);
    if (channel == nullptr) {
        channel =
            std::make_unique<StreamChannel>(hub_.shard, hub_.network, std::move(*moving.channel));
    }
    auto stream = std::make_unique<ClientStream>(hub_, *this, std::move(channel), moving);
    ClientStream* key = stream.get();
    streams_.emplace(key, std::move(stream));
}

ClientSession& ClientTable::create(Jid full) {
    auto session = std::make_unique<ClientSession>(hub_, *this, std::move(full));
    ClientSession* key = session.get();
    return *sessions_.emplace(key, std::move(session)).first->second;
}

ClientSession* ClientTable::find_resumable(const Jid& account, std::string_view token) {
    Account* user = hub_.accounts->find(account.bare());
    if (user == nullptr || token.empty()) return nullptr;
    for (Resource* resource : user->sessions().all()) {
        auto* session = static_cast<ClientSession*>(resource);
        if (session->resumable_by(token)) return session;
    }
    return nullptr;
}

std::size_t ClientTable::detached_of(Account& user) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(user.sessions().all(), [](const Resource* resource) {
            return static_cast<const ClientSession*>(resource)->detached();
        }));
}

std::size_t ClientTable::kept_of(const Account& user) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(user.sessions().all(), [](const Resource* resource) {
            return static_cast<const ClientSession*>(resource)->has_record();
        }));
}

void ClientTable::remove(ClientStream& stream) {
    authenticated(stream);
    const auto found = streams_.find(&stream);
    if (found == streams_.end()) return;
    hub_.shard.condemn(std::move(found->second));
    streams_.erase(found);
}

void ClientTable::remove(ClientSession& session) {
    const auto found = sessions_.find(&session);
    if (found == sessions_.end()) return;
    hub_.shard.condemn(std::move(found->second));
    sessions_.erase(found);
}

void ClientTable::each_session(const std::function<void(ClientSession&)>& visit) {
    for (auto& [key, session] : sessions_) visit(*session);
}

void ClientTable::end_detached() {
    std::vector<ClientSession*> detached;
    each_session([&](ClientSession& session) {
        // What has left for another domain has its outcome soon; without it the next process would
        // let the client send it again.
        if (session.detached() && !session.awaits_outcomes()) detached.push_back(&session);
    });
    std::ranges::sort(detached, {}, [](ClientSession* session) { return session->jid().full(); });
    for (ClientSession* session : detached) session->leave_process({});
}

void ClientTable::shut_down() {
    closing_ = true;
    std::vector<ClientStream*> all;
    for (auto& [key, stream] : streams_) all.push_back(key);
    // Not in the order of their places in memory, which no run has twice.
    std::ranges::sort(all, {},
                      [](ClientStream* stream) { return stream->stream().channel().remote(); });
    for (ClientStream* stream : all) {
        stream->stream().fail(stream_error::system_shutdown, "the server is shutting down");
    }
}

}  // namespace causeway
