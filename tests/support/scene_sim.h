// SimWorld: the simulated world: SimNet, SimDns and SimClock, with the shards of all servers run in
// turn on the calling thread. Beside what every world can, a test may run it in small steps, set
// its wall clock, cut its connections and freeze a server. Owner: the test.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gateway/shard/workers.h"
#include "tests/support/scene_world.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_dns.h"
#include "tests/support/sim_net.h"

namespace causeway::scene {

/// What scenes say of DNS, for SimDns.
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

    explicit SimWorld(const Mode& mode);

    [[nodiscard]] bool simulated() const override { return true; }
    [[nodiscard]] const Clock& clock() const override { return clock_; }
    [[nodiscard]] SceneDns& dns() override { return table_; }
    [[nodiscard]] SimNet& network() override { return net_; }
    [[nodiscard]] std::string address(unsigned machine) const override;
    [[nodiscard]] std::unique_ptr<Network> network_for(Shard& shard) override;
    [[nodiscard]] Result<std::unique_ptr<Resolver>> resolver_for(Shard& shard) override;
    [[nodiscard]] std::unique_ptr<Store> make_store(const std::string& name) override;
    [[nodiscard]] std::unique_ptr<Store> reopen(std::unique_ptr<Store> store,
                                                const std::string& name) override;
    [[nodiscard]] Workers& workers() override { return workers_; }
    void add(Server& server) override { servers_.push_back(&server); }
    void remove(Server& server) override;
    void settle() override;
    void go_on() override { settle(); }
    bool wait_until(const std::function<bool()>& done) override;
    void pass(Duration time) override;
    void set_reachable(const Endpoint& at, bool reachable) override;
    [[nodiscard]] Executor& here() override { return loop_; }

    /// One task of the network or one turn of one shard, as `choice` says; false if there was
    /// nothing to do. What is under way then stays under way.
    bool work(std::size_t choice);
    /// Time goes on while nobody does anything, as on a machine that has other work.
    void stall(Duration time) { clock_.advance(time); }
    /// Everybody's wall clock is set forward, or back.
    void jump(Duration by) { clock_.set_wall(clock_.wall() + by.count()); }
    /// A frozen server does nothing, as a process that was stopped; its connections stay.
    void set_frozen(Server& server, bool frozen);

private:
    /// Lets time pass until something is due, at most `most`; returns how much.
    Duration step(Duration most);

    SimClock clock_;
    SimLoop loop_;
    SimNet net_;
    SimDns dns_;
    SimDnsTable table_;
    Workers workers_{0};
    std::vector<Server*> servers_;
    std::set<Server*> frozen_;
};

}  // namespace causeway::scene
