// The simulated world: SimNet, SimDns and SimClock, with the shards of all servers run in turn on
// the calling thread.
#include <algorithm>
#include <utility>

#include "gateway/server/server.h"
#include "gateway/store/memory.h"
#include "tests/support/scene_world.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_dns.h"
#include "tests/support/sim_net.h"

namespace causeway::scene {
namespace {

/// A socket whose owner lives on a shard: readiness is reported there, as it would be by a real
/// one.
class ShardSocket final : public Socket, private SocketHandler {
public:
    ShardSocket(Shard& shard, std::unique_ptr<Socket> inner)
        : shard_(shard), inner_(std::move(inner)) {
        inner_->set_handler(this);
    }
    IoResult read(std::span<char> into) override { return inner_->read(into); }
    IoResult write(std::string_view bytes) override { return inner_->write(bytes); }
    void shutdown_write() override { inner_->shutdown_write(); }
    void set_handler(SocketHandler* handler) override { handler_ = handler; }
    void want_read() override { inner_->want_read(); }
    void want_write() override { inner_->want_write(); }
    [[nodiscard]] Endpoint remote() const override { return inner_->remote(); }
    [[nodiscard]] Endpoint local() const override { return inner_->local(); }
    int release() override {
        handler_ = nullptr;
        alive_.reset();
        return inner_->release();
    }

private:
    void on_readable() override { tell(&SocketHandler::on_readable); }
    void on_writable() override { tell(&SocketHandler::on_writable); }
    void tell(void (SocketHandler::*what)()) {
        shard_.post([this, what, alive = std::weak_ptr<bool>(alive_)] {
            if (!alive.expired() && handler_ != nullptr) (handler_->*what)();
        });
    }

    Shard& shard_;
    std::unique_ptr<Socket> inner_;
    SocketHandler* handler_ = nullptr;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// One shard's view of the one network.
class ShardNetwork final : public Network {
public:
    ShardNetwork(Shard& shard, Network& net) : shard_(shard), net_(net) {}

    [[nodiscard]] std::unique_ptr<Connecting> connect(Endpoint to, std::optional<Address> from,
                                                      Connected connected) override {
        auto attempt = std::make_unique<Attempt>();
        attempt->inner = net_.connect(
            std::move(to), std::move(from),
            [this, connected = std::move(connected),
             alive = std::weak_ptr<bool>(attempt->alive)](Result<std::unique_ptr<Socket>> made) {
                if (alive.expired()) return;
                // Functions must be copyable; a socket is not.
                const auto kept =
                    std::make_shared<Result<std::unique_ptr<Socket>>>(std::move(made));
                shard_.post([this, connected, alive, kept] {
                    if (alive.expired()) return;
                    connected(kept->ok() ? Result<std::unique_ptr<Socket>>(wrap(std::move(**kept)))
                                         : std::move(*kept));
                });
            });
        return attempt;
    }
    [[nodiscard]] Result<std::unique_ptr<Acceptor>> listen(Endpoint at,
                                                           Accepted accepted) override {
        auto alive = std::make_shared<bool>(true);
        auto inner = net_.listen(
            std::move(at), [this, accepted = std::move(accepted),
                            alive = std::weak_ptr<bool>(alive)](std::unique_ptr<Socket> socket) {
                if (alive.expired()) return;
                const auto kept = std::make_shared<std::unique_ptr<Socket>>(std::move(socket));
                shard_.post([this, accepted, alive, kept] {
                    if (!alive.expired()) accepted(wrap(std::move(*kept)));
                });
            });
        if (!inner) return inner.error();
        return std::unique_ptr<Acceptor>(
            std::make_unique<Listening>(std::move(*inner), std::move(alive)));
    }
    [[nodiscard]] std::unique_ptr<Socket> adopt(int descriptor) override {
        auto inner = net_.adopt(descriptor);
        return inner == nullptr ? nullptr : wrap(std::move(inner));
    }

private:
    struct Attempt final : Connecting {
        std::unique_ptr<Connecting> inner;
        std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    };
    struct Listening final : Acceptor {
        Listening(std::unique_ptr<Acceptor> real, std::shared_ptr<bool> life)
            : inner(std::move(real)), alive(std::move(life)) {}
        [[nodiscard]] Endpoint local() const override { return inner->local(); }
        std::unique_ptr<Acceptor> inner;
        std::shared_ptr<bool> alive;
    };
    std::unique_ptr<Socket> wrap(std::unique_ptr<Socket> inner) {
        return std::make_unique<ShardSocket>(shard_, std::move(inner));
    }

    Shard& shard_;
    Network& net_;
};

/// Answers of the one DNS, brought to a shard.
class ShardResolver final : public Resolver {
public:
    ShardResolver(Shard& shard, SimDns& dns) : shard_(shard), dns_(dns) {}
    void srv(std::string name, Answer<SrvAnswer> answer) override {
        dns_.srv(std::move(name), at_home(std::move(answer)));
    }
    void addresses(std::string host, Answer<AddressAnswer> answer) override {
        dns_.addresses(std::move(host), at_home(std::move(answer)));
    }

private:
    template <class T>
    Answer<T> at_home(Answer<T> answer) {
        return [this, answer = std::move(answer),
                alive = std::weak_ptr<bool>(alive_)](Result<T> result) {
            if (alive.expired()) return;
            shard_.post([answer, alive, result = std::move(result)] {
                if (!alive.expired()) answer(result);
            });
        };
    }

    Shard& shard_;
    SimDns& dns_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class SimDnsTable final : public SceneDns {
public:
    explicit SimDnsTable(SimDns& dns) : dns_(dns) {}
    void set_srv(const std::string& name, std::vector<SrvRecord> records) override {
        dns_.set_srv(name, std::move(records));
    }
    void set_addresses(const std::string& host, std::vector<std::string> addresses) override {
        dns_.set_addresses(host, addresses);
    }
    void set_absent(const std::string& name) override { dns_.set_absent(name); }
    void set_failing(const std::string& name) override { dns_.set_retry(name); }
    void set_silent(const std::string& name) override { dns_.set_never(name); }

private:
    SimDns& dns_;
};

class SimWorld final : public SceneWorld {
public:
    /// How long one waits for something that is due.
    static constexpr Duration patience{3000};

    explicit SimWorld(const Mode& mode)
        : net_(loop_, {.read_piece = mode.piece, .write_piece = mode.piece}),
          dns_(loop_),
          table_(dns_) {}

    [[nodiscard]] bool simulated() const override { return true; }
    [[nodiscard]] const Clock& clock() const override { return clock_; }
    [[nodiscard]] SceneDns& dns() override { return table_; }
    [[nodiscard]] Network& network() override { return net_; }
    [[nodiscard]] std::string address(unsigned machine) const override {
        return "192.0.2." + std::to_string(machine);
    }
    [[nodiscard]] std::unique_ptr<Network> network_for(Shard& shard) override {
        return std::make_unique<ShardNetwork>(shard, net_);
    }
    [[nodiscard]] Result<std::unique_ptr<Resolver>> resolver_for(Shard& shard) override {
        return std::unique_ptr<Resolver>(std::make_unique<ShardResolver>(shard, dns_));
    }
    [[nodiscard]] std::unique_ptr<Store> make_store(const std::string&) override {
        return std::make_unique<MemoryStore>();
    }
    [[nodiscard]] std::unique_ptr<Store> reopen(std::unique_ptr<Store> store,
                                                const std::string&) override {
        return store;  // it answers within the call
    }
    [[nodiscard]] Workers& workers() override { return workers_; }
    void add(Server& server) override { servers_.push_back(&server); }
    void remove(Server& server) override { std::erase(servers_, &server); }

    void settle() override {
        for (std::size_t done = 1; done != 0;) {
            done = loop_.run_until_idle();
            for (Server* server : servers_) done += server->shards().run_until_idle();
        }
    }
    void go_on() override { settle(); }
    bool wait_until(const std::function<bool()>& done) override {
        settle();
        for (Duration waited{0}; !done();) {
            if (waited >= patience) return false;
            waited += step(patience - waited);
        }
        return true;
    }
    void pass(Duration time) override {
        settle();
        for (Duration passed{0}; passed < time;) passed += step(time - passed);
    }
    void set_reachable(const Endpoint& at, bool reachable) override {
        net_.set_behaviour(at, reachable ? SimBehaviour::normal : SimBehaviour::swallows);
    }
    [[nodiscard]] Executor& here() override { return loop_; }

private:
    /// Lets time pass until something is due, at most `most`; returns how much.
    Duration step(Duration most) {
        Duration next = most;
        for (Server* server : servers_) {
            Shards& shards = server->shards();
            for (unsigned i = 0; i < shards.count(); ++i) {
                next = shards[i].timers().until_next(next);
            }
        }
        next = std::min(std::max(next, TimerWheel::tick), most);
        clock_.advance(next);
        settle();
        return next;
    }

    SimClock clock_;
    SimLoop loop_;
    SimNet net_;
    SimDns dns_;
    SimDnsTable table_;
    Workers workers_{0};
    std::vector<Server*> servers_;
};

}  // namespace

std::unique_ptr<SceneWorld> make_simulated_world(const Mode& mode) {
    return std::make_unique<SimWorld>(mode);
}

}  // namespace causeway::scene
