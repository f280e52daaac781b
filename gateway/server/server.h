// Server: the whole gateway assembled from its parts: shards, hubs, routers, client and server
// streams. The outside (sockets, DNS, store, clock) is handed in, so that a simulation assembles
// the same.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "c2s/client_listeners.h"
#include "c2s/client_table.h"
#include "gateway/net/resolver.h"
#include "gateway/route/asking.h"
#include "gateway/route/router.h"
#include "gateway/session/accounts.h"
#include "gateway/session/expiry.h"
#include "gateway/session/hub.h"
#include "gateway/store/ids.h"
#include "s2s/server_listeners.h"
#include "s2s/server_table.h"

namespace causeway {

class Server {
public:
    /// What lies outside; all of it outlives the Server.
    struct Outside {
        const Clock& clock;
        Store& store;
        Workers& workers;
        std::function<std::unique_ptr<Network>(Shard&)> network;
        std::function<Result<std::unique_ptr<Resolver>>(Shard&)> resolver;
        unsigned shards = 1;
        std::string secret;  ///< at least 32 bytes, the same at each start
        /// What the store remembers of the last run.
        std::optional<LifetimeClock::Mark> last_lifetime = {};
    };

    static Result<std::unique_ptr<Server>> make(Outside outside,
                                                std::shared_ptr<const Config> config,
                                                std::shared_ptr<const TlsSnapshot> tls);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    /// Opens every listener, on every shard.
    Outcome listen();
    /// Starts the shards' threads.
    void start();
    /// Stops listening and tells every client that the server is going down; from any thread.
    void drain();
    /// Ends the sessions of clients whose streams are gone, which go on in the next process.
    void end_detached();
    /// Then the same for the streams of other servers, once what is under way is known to have
    /// arrived.
    void drain_links();
    /// Ends the threads; drained or not.
    void stop();

    [[nodiscard]] Shards& shards() { return shards_; }
    /// One shard's parts; touch them on its thread alone.
    struct Part {
        std::unique_ptr<Network> network;
        std::unique_ptr<Resolver> resolver;
        std::unique_ptr<Hub> hub;
        std::unique_ptr<Router> router;
        std::unique_ptr<Asking> asking;
        std::unique_ptr<ClientTable> clients;
        std::unique_ptr<ServerTable> servers;
        std::unique_ptr<ClientListeners> client_listeners;
        std::unique_ptr<ServerListeners> server_listeners;
    };
    [[nodiscard]] Part& part(unsigned index) { return *parts_[index]; }
    [[nodiscard]] Part& home_of(std::string_view name) { return *parts_[shards_.home_of(name)]; }
    [[nodiscard]] Shared& shared() { return *shared_; }
    /// Hands a new configuration and new certificates to every shard; from any thread.
    void adopt(const std::shared_ptr<const Config>& config,
               const std::shared_ptr<const TlsSnapshot>& tls);

private:
    Server(Outside outside, FeatureRegistry features);
    Outcome build(std::shared_ptr<const Config> config, std::shared_ptr<const TlsSnapshot> tls);

    Outside outside_;
    FeatureRegistry features_;
    IdSource ids_;
    LifetimeClock lifetimes_;
    ArchiveMark archive_mark_;
    Shards shards_;
    std::unique_ptr<Shared> shared_;
    ClientTables client_tables_;
    std::vector<std::unique_ptr<Part>> parts_;
    std::unique_ptr<Expiry> expiry_;  ///< on the first shard
    std::vector<std::thread> threads_;
    bool stopped_ = false;
};

}  // namespace causeway
