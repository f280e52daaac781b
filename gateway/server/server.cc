#include "gateway/server/server.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "gateway/base/random.h"
#include "gateway/features/registry.h"
#include "gateway/session/archive_recovery.h"

namespace causeway {

Server::Server(Outside outside, FeatureRegistry features)
    : outside_(std::move(outside)),
      features_(std::move(features)),
      ids_(outside_.clock, outside_.store.id_floor(),
           1 + random_below(std::numeric_limits<std::uint64_t>::max())),
      lifetimes_(outside_.clock, outside_.last_lifetime),
      archive_mark_(std::max(1U, outside_.shards)),
      shards_(std::max(1U, outside_.shards), outside_.clock) {
    shared_ = std::make_unique<Shared>(Shared{.clock = outside_.clock,
                                              .shards = shards_,
                                              .store = outside_.store,
                                              .workers = outside_.workers,
                                              .features = features_,
                                              .ids = ids_,
                                              .lifetimes = lifetimes_,
                                              .archive_mark = archive_mark_,
                                              .secret = outside_.secret,
                                              .hubs = {},
                                              .started = outside_.clock.now(),
                                              .first_id = ids_.next_id()});
}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::make(Outside outside, std::shared_ptr<const Config> config,
                                             std::shared_ptr<const TlsSnapshot> tls) {
    auto features = FeatureRegistry::build(all_features());
    if (!features) return features.error();
    std::unique_ptr<Server> server(new Server(std::move(outside), std::move(*features)));
    if (Outcome built = server->build(std::move(config), std::move(tls)); !built) return built;
    return server;
}

Outcome Server::build(std::shared_ptr<const Config> config,
                      std::shared_ptr<const TlsSnapshot> tls) {
    for (unsigned i = 0; i < shards_.count(); ++i) {
        Shard& shard = shards_[i];
        auto part = std::make_unique<Part>();
        part->network = outside_.network(shard);
        auto resolver = outside_.resolver(shard);
        if (!resolver) return resolver.error();
        part->resolver = std::move(*resolver);
        part->hub =
            std::make_unique<Hub>(*shared_, shard, *part->network, *part->resolver, config, tls);
        part->router = std::make_unique<Router>(*part->hub);
        part->asking = std::make_unique<Asking>(*part->hub);
        part->clients = std::make_unique<ClientTable>(*part->hub);
        part->servers = std::make_unique<ServerTable>(*part->hub);
        part->server_listeners = std::make_unique<ServerListeners>(*part->hub, *part->servers);
        part->client_listeners = std::make_unique<ClientListeners>(*part->hub, *part->clients);
        client_tables_.add(*part->clients);
        shared_->hubs.push_back(part->hub.get());
        parts_.push_back(std::move(part));
    }
    client_tables_.connect();
    expiry_ = std::make_unique<Expiry>(*parts_.front()->hub);
    return {};
}

Outcome Server::listen() {
    for (const auto& part : parts_) {
        if (Outcome opened = part->client_listeners->open(); !opened) return opened;
        if (Outcome opened = part->server_listeners->open(); !opened) return opened;
        part->hub->shard.post([&part = *part] {
            part.hub->begin();
            part.servers->resume_stored();
        });
    }
    Hub& first = *parts_.front()->hub;
    first.shard.post([&first, newest = shared_->first_id] { list_after_crash(first, newest); });
    first.shard.post([&expiry = *expiry_] { expiry.start(); });
    return {};
}

void Server::start() {
    for (unsigned i = 0; i < shards_.count(); ++i) {
        threads_.emplace_back([&shard = shards_[i]] { shard.run(); });
    }
}

void Server::drain() {
    for (const auto& part : parts_) {
        part->hub->shard.post([&part = *part] {
            part.hub->drain();
            part.client_listeners->close();
            part.server_listeners->close();
            part.clients->shut_down();
        });
    }
}

void Server::end_detached() {
    for (const auto& part : parts_) {
        part->hub->shard.post([&part = *part] { part.clients->end_detached(); });
    }
}

void Server::drain_links() {
    for (const auto& part : parts_) {
        part->hub->shard.post([&part = *part] { part.servers->shut_down(); });
    }
}

void Server::stop() {
    for (unsigned i = 0; i < shards_.count(); ++i) shards_[i].stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    if (std::exchange(stopped_, true)) return;
    for (const auto& part : parts_) part->hub->ledger.finish();
}

void Server::adopt(const std::shared_ptr<const Config>& config,
                   const std::shared_ptr<const TlsSnapshot>& tls) {
    for (const auto& part : parts_) {
        part->hub->shard.post([&hub = *part->hub, config, tls] { hub.adopt(config, tls); });
    }
}

}  // namespace causeway
