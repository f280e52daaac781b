#include "s2s/server_listeners.h"

#include "gateway/net/stream_channel.h"

namespace causeway {

Outcome ServerListeners::open() {
    const Config& config = *hub_.config;
    if (Outcome opened = open(config.s2s.listen, false); !opened) return opened;
    return open(config.s2s.listen_tls, true);
}

Outcome ServerListeners::open(const Config::Endpoints& endpoints, bool direct_tls) {
    for (const Endpoint& endpoint : endpoints) {
        auto acceptor = hub_.network.listen(endpoint, [this,
                                                       direct_tls](std::unique_ptr<Socket> socket) {
            auto channel = std::make_unique<StreamChannel>(hub_.shard, std::move(socket));
            if (direct_tls) {
                const auto snapshot = hub_.tls;
                channel->start_tls(std::make_unique<TlsEngine>(snapshot->first().peer_facing.get(),
                                                               TlsEngine::Role::server, snapshot),
                                   TransportKind::direct_tls);
            }
            table_.accept(std::move(channel));
        });
        if (!acceptor) return acceptor.error();
        acceptors_.push_back(std::move(*acceptor));
    }
    return {};
}

}  // namespace causeway
