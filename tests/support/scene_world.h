// SceneWorld: where a conversation takes place: the network, DNS and time of its servers, and how
// to wait for them. Two kinds: simulated (everything in one thread, deterministic) and real
// (loopback sockets, a name server, a thread for each shard). Owner: the runner, one for each
// scene.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/net/resolver.h"
#include "gateway/net/socket.h"
#include "gateway/store/store.h"
#include "tests/support/scene_schemas.h"

namespace causeway {
class Server;
class Shard;
class Workers;
}  // namespace causeway

namespace causeway::scene {

/// How a conversation is played.
struct Mode {
    bool sockets = false;  ///< real sockets instead of the simulation
    unsigned shards = 1;
    bool split_input = false;  ///< everything is sent one byte at a time, each in a TLS record
    std::size_t piece = 0;     ///< the simulated network moves at most so many bytes at once
    SceneSchemas* schemas = nullptr;  ///< what servers send is valid by them; null: not looked at
};

/// What DNS says; a name that was never set does not exist.
class SceneDns {
public:
    SceneDns() = default;
    SceneDns(const SceneDns&) = delete;
    SceneDns& operator=(const SceneDns&) = delete;
    virtual ~SceneDns() = default;
    virtual void set_srv(const std::string& name, std::vector<SrvRecord> records) = 0;
    virtual void set_addresses(const std::string& host, std::vector<std::string> addresses) = 0;
    virtual void set_absent(const std::string& name) = 0;
    /// Questions about it get no answer at all.
    virtual void set_silent(const std::string& name) = 0;
    virtual void set_failing(const std::string& name) = 0;
};

class SceneWorld {
public:
    SceneWorld() = default;
    SceneWorld(const SceneWorld&) = delete;
    SceneWorld& operator=(const SceneWorld&) = delete;
    virtual ~SceneWorld() = default;

    [[nodiscard]] virtual bool simulated() const = 0;
    [[nodiscard]] virtual const Clock& clock() const = 0;
    [[nodiscard]] virtual SceneDns& dns() = 0;
    /// The network as the people of the scene see it; used on the calling thread alone.
    [[nodiscard]] virtual Network& network() = 0;
    /// The address of the n-th machine, from 1.
    [[nodiscard]] virtual std::string address(unsigned machine) const = 0;

    // For servers:
    [[nodiscard]] virtual std::unique_ptr<Network> network_for(Shard& shard) = 0;
    [[nodiscard]] virtual Result<std::unique_ptr<Resolver>> resolver_for(Shard& shard) = 0;
    [[nodiscard]] virtual std::unique_ptr<Store> make_store(const std::string& name) = 0;
    /// After a server was removed and before it is freed: whatever its store had still to answer
    /// has been answered when this returns what to go on with.
    [[nodiscard]] virtual std::unique_ptr<Store> reopen(std::unique_ptr<Store> store,
                                                        const std::string& name) = 0;
    [[nodiscard]] virtual Workers& workers() = 0;
    /// A server that listens, to be run from now on until remove(), which stops it.
    virtual void add(Server& server) = 0;
    virtual void remove(Server& server) = 0;

    /// Returns when nothing more happens without new input or time.
    virtual void settle() = 0;
    /// After new input: in the simulation the same, elsewhere the world goes on by itself.
    virtual void go_on() = 0;
    /// Until `done`, or for as long as a person would wait; false then.
    virtual bool wait_until(const std::function<bool()>& done) = 0;
    /// Only in the simulation.
    virtual void pass(Duration time) = 0;
    /// Simulated: an address does not answer, or does again.
    virtual void set_reachable(const Endpoint& at, bool reachable) = 0;

    /// Blocks until the answer of a store is there.
    template <class T>
    Result<T> ask(const std::function<void(Executor&, Store::Answer<T>)>& question) {
        Result<T> answer = Outcome::retry("no answer came");
        bool done = false;
        question(here(), [&](Result<T> given) {
            answer = std::move(given);
            done = true;
        });
        wait_until([&] { return done; });
        return answer;
    }
    /// The calling thread as a place for callbacks.
    [[nodiscard]] virtual Executor& here() = 0;

    /// By the people of the scene.
    SentElements sent;
};

std::unique_ptr<SceneWorld> make_simulated_world(const Mode& mode);
/// `directory` holds databases; it outlives the world.
std::unique_ptr<SceneWorld> make_socket_world(const Mode& mode, const std::string& directory);

}  // namespace causeway::scene
