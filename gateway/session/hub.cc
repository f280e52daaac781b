#include "gateway/session/hub.h"

#include "gateway/session/users.h"

namespace causeway {

Hub::Hub(Shared& shared_parts, Shard& own_shard, Network& own_network, Resolver& own_resolver,
         std::shared_ptr<const Config> initial, std::shared_ptr<const TlsSnapshot> initial_tls)
    : shared(shared_parts),
      shard(own_shard),
      network(own_network),
      resolver(own_resolver),
      ledger(*this),
      users(std::make_unique<Users>(*this)),
      next_id_(own_shard.index()) {
    adopt(std::move(initial), std::move(initial_tls));
}

Hub::~Hub() = default;

void Hub::adopt(std::shared_ptr<const Config> new_config,
                std::shared_ptr<const TlsSnapshot> new_tls) {
    config = std::move(new_config);
    tls = std::move(new_tls);
    domains.clear();
    for (const DomainConfig& domain : config->domains) domains.insert(domain.name);
}

void Hub::at(Hub& other, std::function<void()> task) const {
    if (&other == this) {
        task();
    } else {
        other.shard.post(std::move(task));
    }
}

void Hub::settle(Custody custody) {
    if (!custody.owed()) return;
    if (custody.shard != shard.index()) {
        Hub& home = *shared.hubs[custody.shard];
        home.shard.post([&home, custody] { home.settle(custody); });
        return;
    }
    const auto found = custodians.find(custody.custodian);
    if (found != custodians.end()) found->second->settled(custody.number);
}

}  // namespace causeway
