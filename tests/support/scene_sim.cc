#include "tests/support/scene_sim.h"

#include <algorithm>
#include <utility>

#include "gateway/server/server.h"
#include "gateway/store/memory.h"

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

}  // namespace

SimWorld::SimWorld(const Mode& mode)
    : net_(loop_, {.read_piece = mode.piece, .write_piece = mode.piece}),
      dns_(loop_),
      table_(dns_) {}

std::string SimWorld::address(unsigned machine) const {
    return "192.0.2." + std::to_string(machine);
}

std::unique_ptr<Network> SimWorld::network_for(Shard& shard) {
    return std::make_unique<ShardNetwork>(shard, net_);
}

Result<std::unique_ptr<Resolver>> SimWorld::resolver_for(Shard& shard) {
    return std::unique_ptr<Resolver>(std::make_unique<ShardResolver>(shard, dns_));
}

std::unique_ptr<Store> SimWorld::make_store(const std::string& /*name*/) {
    return std::make_unique<MemoryStore>();
}

std::unique_ptr<Store> SimWorld::reopen(std::unique_ptr<Store> store, const std::string& /*name*/) {
    return store;  // it answers within the call
}

void SimWorld::remove(Server& server) {
    std::erase(servers_, &server);
    frozen_.erase(&server);
}

void SimWorld::set_reachable(const Endpoint& at, bool reachable) {
    net_.set_behaviour(at, reachable ? SimBehaviour::normal : SimBehaviour::swallows);
}

void SimWorld::set_frozen(Server& server, bool frozen) {
    if (frozen) {
        frozen_.insert(&server);
    } else {
        frozen_.erase(&server);
    }
}

void SimWorld::settle() {
    for (std::size_t done = 1; done != 0;) {
        done = loop_.run_until_idle();
        for (Server* server : servers_) {
            if (!frozen_.contains(server)) done += server->shards().run_until_idle();
        }
    }
}

bool SimWorld::work(std::size_t choice) {
    std::vector<Shard*> shards;
    for (Server* server : servers_) {
        if (frozen_.contains(server)) continue;
        for (unsigned i = 0; i < server->shards().count(); ++i) {
            shards.push_back(&server->shards()[i]);
        }
    }
    const std::size_t which = choice % (shards.size() + 1);
    return which == shards.size() ? loop_.run_one() : shards[which]->turn(Duration::zero()) != 0;
}

bool SimWorld::wait_until(const std::function<bool()>& done) {
    settle();
    for (Duration waited{0}; !done();) {
        if (waited >= patience) return false;
        waited += step(patience - waited);
    }
    return true;
}

void SimWorld::pass(Duration time) {
    settle();
    for (Duration passed{0}; passed < time;) passed += step(time - passed);
}

Duration SimWorld::step(Duration most) {
    Duration next = most;
    for (Server* server : servers_) {
        if (frozen_.contains(server)) continue;
        Shards& shards = server->shards();
        for (unsigned i = 0; i < shards.count(); ++i) next = shards[i].timers().until_next(next);
    }
    next = std::min(std::max(next, TimerWheel::tick), most);
    clock_.advance(next);
    settle();
    return next;
}

std::unique_ptr<SceneWorld> make_simulated_world(const Mode& mode) {
    return std::make_unique<SimWorld>(mode);
}

}  // namespace causeway::scene
