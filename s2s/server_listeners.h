// ServerListeners: where other servers connect to one shard: STARTTLS and direct TLS (XEP-0368).
#pragma once

#include <memory>
#include <vector>

#include "gateway/net/socket.h"
#include "s2s/server_table.h"

namespace causeway {

class ServerListeners {
public:
    ServerListeners(Hub& hub, ServerTable& table) : hub_(hub), table_(table) {}

    /// Opens all that the configuration names; the error names the first that cannot be.
    Outcome open();
    void close() { acceptors_.clear(); }

private:
    Outcome open(const Config::Endpoints& endpoints, bool direct_tls);

    Hub& hub_;
    ServerTable& table_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
};

}  // namespace causeway
