#include "c2s/client_listeners.h"

#include "gateway/base/log.h"
#include "gateway/net/stream_channel.h"
#include "gateway/net/system_network.h"
#include "gateway/net/tls_alpn.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

ClientListeners::~ClientListeners() = default;

Outcome ClientListeners::open() {
    const Config& config = *hub_.config;
    for (const auto& [endpoints, kind] : {std::pair{&config.c2s.listen, Kind::starttls},
                                          std::pair{&config.c2s.listen_tls, Kind::direct_tls},
                                          std::pair{&config.http.listen_tls, Kind::https},
                                          std::pair{&config.http.listen, Kind::http}}) {
        if (Outcome opened = open(*endpoints, kind); !opened) return opened;
    }
    return {};
}

Outcome ClientListeners::open(const Config::Endpoints& endpoints, Kind kind) {
    for (const Endpoint& endpoint : endpoints) {
        auto acceptor = hub_.network.listen(endpoint, [this, kind](std::unique_ptr<Socket> socket) {
            accepted(std::move(socket), kind);
        });
        if (!acceptor) return acceptor.error();
        acceptors_.push_back(std::move(*acceptor));
    }
    return {};
}

void ClientListeners::close() {
    acceptors_.clear();
    for (auto& [key, connection] : http_) connection->close();
}

void ClientListeners::accepted(std::unique_ptr<Socket> socket, Kind kind) {
    auto channel = std::make_unique<StreamChannel>(hub_.shard, std::move(socket));
    if (kind == Kind::direct_tls || kind == Kind::https) {
        const auto snapshot = hub_.tls;
        // The client's SNI chooses another domain's certificate where it names one.
        auto engine = std::make_unique<TlsEngine>(snapshot->first().client_facing.get(),
                                                  TlsEngine::Role::server, snapshot);
        if (kind == Kind::https) expect_protocol(*engine, "http/1.1");
        channel->start_tls(std::move(engine), TransportKind::direct_tls);
    }
    if (kind == Kind::https || kind == Kind::http) {
        accept_http(std::move(channel), kind);
    } else {
        table_.accept(std::move(channel));
    }
}

void ClientListeners::accept_http(std::unique_ptr<Channel> channel, Kind kind) {
    const Limits& limits = hub_.limits();
    if (http_.size() >= limits.unauthenticated_connections / hub_.shared.shards.count()) {
        hub_.shard.condemn(std::move(channel));
        return;
    }
    auto settings = std::make_shared<HttpSettings>();
    for (const DomainConfig& domain : hub_.config->domains) {
        settings->domains.push_back(domain_to_ascii(domain.name));
    }
    settings->deadline = std::chrono::duration_cast<Duration>(limits.handshake_seconds);
    settings->behind_proxy = kind == Kind::http;
    auto connection = std::make_unique<HttpConnection>(
        hub_.shard, std::move(channel), std::move(settings),
        [this](std::unique_ptr<Channel> websocket) { table_.accept(std::move(websocket)); },
        [this](HttpConnection& done) {
            const auto found = http_.find(&done);
            if (found == http_.end()) return;
            hub_.shard.condemn(std::move(found->second));
            http_.erase(found);
        });
    HttpConnection* key = connection.get();
    http_.emplace(key, std::move(connection));
}

}  // namespace causeway
