// ClientListeners: where clients connect to one shard: STARTTLS, direct TLS (XEP-0368), and HTTP
// for WebSocket. Each shard listens on every endpoint; the kernel spreads the connections.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "c2s/client_table.h"
#include "gateway/net/http_connection.h"
#include "gateway/net/socket.h"

namespace causeway {

class ClientListeners {
public:
    ClientListeners(Hub& hub, ClientTable& table) : hub_(hub), table_(table) {}
    ClientListeners(const ClientListeners&) = delete;
    ClientListeners& operator=(const ClientListeners&) = delete;
    ~ClientListeners();

    /// Opens all that the configuration names; the error names the first that cannot be.
    Outcome open();
    /// Accepts no more.
    void close();

private:
    enum class Kind : unsigned char { starttls, direct_tls, https, http };

    Outcome open(const Config::Endpoints& endpoints, Kind kind);
    void accepted(std::unique_ptr<Socket> socket, Kind kind);
    void accept_http(std::unique_ptr<Channel> channel, Kind kind);

    Hub& hub_;
    ClientTable& table_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    std::unordered_map<HttpConnection*, std::unique_ptr<HttpConnection>> http_;
};

}  // namespace causeway
