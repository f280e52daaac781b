// The real world: loopback sockets, SQLite, c-ares asking a name server of our own, and a thread
// for each shard. People and the name server live on the calling thread.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <map>
#include <stdexcept>
#include <utility>

#include "gateway/net/cares_resolver.h"
#include "gateway/net/system_network.h"
#include "gateway/server/server.h"
#include "gateway/store/sqlite.h"
#include "tests/support/dns_builder.h"
#include "tests/support/name_server.h"
#include "tests/support/scene_world.h"
#include "tests/support/test_loop.h"

namespace causeway::scene {
namespace {

namespace asio = boost::asio;

/// A zone, and the name server that answers from it.
class Zone final : public SceneDns {
public:
    explicit Zone(asio::io_context& io)
        : server_(io, [this](const NameServer::Query& query) { return answer(query); }) {}

    void set_srv(const std::string& name, std::vector<SrvRecord> records) override {
        names_[name] = {.exists = true, .failing = false, .srv = std::move(records), .hosts = {}};
    }
    void set_addresses(const std::string& host, std::vector<std::string> addresses) override {
        names_[host] = {.exists = true, .failing = false, .srv = {}, .hosts = std::move(addresses)};
    }
    void set_absent(const std::string& name) override { names_.erase(name); }
    void set_failing(const std::string& name) override {
        names_[name] = {.exists = true, .failing = true, .srv = {}, .hosts = {}};
    }
    void set_silent(const std::string&) override {
        throw std::runtime_error("only in the simulation");
    }
    [[nodiscard]] Endpoint endpoint() const { return server_.endpoint(); }

private:
    struct Name {
        bool exists = false;
        bool failing = false;
        std::vector<SrvRecord> srv;
        std::vector<std::string> hosts;
    };

    std::optional<NameServer::Bytes> answer(const NameServer::Query& query) {
        constexpr unsigned servfail = 2;
        constexpr unsigned nxdomain = 3;
        constexpr unsigned ttl = 1;
        const auto found = names_.find(query.name);
        if (found == names_.end()) {
            return DnsBuilder(query.name, query.type, nxdomain)
                .authority_soa("test", ttl, ttl)
                .bytes();
        }
        const Name& name = found->second;
        if (name.failing) return DnsBuilder(query.name, query.type, servfail).bytes();
        DnsBuilder reply(query.name, query.type);
        bool any = false;
        if (query.type == DnsType::srv) {
            for (const SrvRecord& record : name.srv) reply.srv(query.name, ttl, record);
            any = !name.srv.empty();
        }
        for (const std::string& host : name.hosts) {
            const bool v4 = asio::ip::make_address(host).is_v4();
            if (query.type != (v4 ? DnsType::a : DnsType::aaaa)) continue;
            reply.address(query.name, ttl, host);
            any = true;
        }
        if (!any) reply.authority_soa("test", ttl, ttl);
        return reply.bytes();
    }

    std::map<std::string, Name> names_;
    NameServer server_;
};

class SocketWorld final : public SceneWorld {
public:
    /// How long one waits for something that is due.
    static constexpr std::chrono::seconds patience{10};

    SocketWorld(const Mode&, std::string directory)
        : directory_(std::move(directory)), zone_(loop_.context) {}

    [[nodiscard]] bool simulated() const override { return false; }
    [[nodiscard]] const Clock& clock() const override { return loop_.clock; }
    [[nodiscard]] SceneDns& dns() override { return zone_; }
    [[nodiscard]] Network& network() override { return network_; }
    /// Addresses of this process alone, so that several runs do not meet on a port.
    [[nodiscard]] std::string address(unsigned machine) const override {
        const auto process = static_cast<unsigned>(::getpid());
        return fmt::format("127.{}.{}.{}", 64 + process / 256 % 128, process % 256, machine);
    }
    [[nodiscard]] std::unique_ptr<Network> network_for(Shard& shard) override {
        return std::make_unique<SystemNetwork>(shard.poller(), shard.timers());
    }
    [[nodiscard]] Result<std::unique_ptr<Resolver>> resolver_for(Shard& shard) override {
        ResolverOptions options;
        options.servers = {zone_.endpoint()};
        auto opened =
            CaresResolver::open({shard.poller(), shard, shard.timers()}, shard.clock(), options);
        if (!opened) return opened.error();
        return std::unique_ptr<Resolver>(std::move(*opened));
    }
    [[nodiscard]] std::unique_ptr<Store> make_store(const std::string& name) override {
        auto opened = open_sqlite(directory_ + "/" + name + ".db", {});
        if (!opened) throw std::runtime_error(opened.error().why());
        return std::move(*opened);
    }
    [[nodiscard]] std::unique_ptr<Store> reopen(std::unique_ptr<Store> store,
                                                const std::string& name) override {
        store->stop();
        store.reset();
        return make_store(name);
    }
    [[nodiscard]] Workers& workers() override { return workers_; }
    void add(Server& server) override {
        servers_.push_back(&server);
        server.start();
    }
    void remove(Server& server) override {
        server.stop();
        std::erase(servers_, &server);
    }

    /// What one turn of a shard causes may take a turn of another shard, of the store and of a
    /// peer: a few rounds through all of them.
    void settle() override {
        for (int round = 0; round < 5; ++round) {
            for (Server* server : servers_) {
                for (unsigned i = 0; i < server->shards().count(); ++i) {
                    pass_through(server->shards()[i]);
                }
                pass_through(server->shared().store);
            }
            poll();
        }
    }
    void go_on() override { poll(); }
    bool wait_until(const std::function<bool()>& done) override {
        poll();
        return loop_.run_until(done, patience);
    }
    void pass(Duration) override { throw std::runtime_error("real time does not pass on demand"); }
    void set_reachable(const Endpoint&, bool) override {
        throw std::runtime_error("a real address cannot be made unreachable");
    }
    [[nodiscard]] Executor& here() override { return loop_; }

private:
    void pass_through(Executor& shard) {
        const auto passed = std::make_shared<bool>(false);
        shard.post([this, passed] { loop_.post([passed] { *passed = true; }); });
        if (!wait_until([&] { return *passed; })) {
            throw std::runtime_error("a shard does not answer");
        }
    }
    void pass_through(Store& store) {
        Batch batch;
        batch.map_set("scene", "", "fence", "passed");
        const auto passed = std::make_shared<bool>(false);
        store.commit(std::move(batch), loop_, [passed](const Outcome&) { *passed = true; });
        if (!wait_until([&] { return *passed; })) {
            throw std::runtime_error("the store does not answer");
        }
    }
    void poll() {
        while (loop_.turn() != 0) {
        }
    }

    std::string directory_;
    TestLoop loop_;
    SystemNetwork network_{loop_.poller, loop_.timers};
    Zone zone_;
    Workers workers_{1};
    std::vector<Server*> servers_;
};

}  // namespace

std::unique_ptr<SceneWorld> make_socket_world(const Mode& mode, const std::string& directory) {
    return std::make_unique<SocketWorld>(mode, directory);
}

}  // namespace causeway::scene
