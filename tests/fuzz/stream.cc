// Fuzz target: streams from their first byte to their last, with a whole server in a simulation.
// The input is a script of small steps on up to four connections: open one as a client or as
// another server, in the clear, with TLS or over WebSocket; send words of a vocabulary or raw
// bytes; log in; let time pass; let the store fail; go away. Besides not crashing: what has not
// proved who it is is gone when its time is over, with whatever it said and however it says nothing
// now; and when everybody has gone, so has all that was kept for them.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/encoding.h"
#include "gateway/server/server.h"
#include "gateway/session/account_store.h"
#include "tests/fuzz/stream_words.h"
#include "tests/support/scene_server.h"
#include "tests/support/scene_world.h"
#include "tests/support/sim_net.h"
#include "tests/support/websocket_frames.h"

using namespace causeway;
using fuzz::Wire;

namespace {

constexpr std::size_t longest_script = 200;  // steps; more tell nothing new

void require(bool holds) {
    if (!holds) std::abort();
}

/// What is made once for all scripts: keys and certificates.
struct Constants {
    Constants() : config(std::make_shared<Config>()) {
        using Kind = scene::SceneCertificates::Kind;
        const auto& files = certificates.files("a.test", Kind::trusted);
        config->domains.push_back({"a.test", files.certificate, files.key});
        config->tls.trust = certificates.trust();
        for (const Wire wire : fuzz::wires) listen(wire).push_back(endpoint(wire));
        std::vector<std::string> warnings;
        auto loaded = TlsSnapshot::load(*config, warnings);
        require(loaded.ok());
        tls = *loaded;
        peer_tls = certificates.snapshot("b.test", Kind::trusted);
        auto keys = make_credentials("secret", scene::SceneServer::iterations);
        require(keys.ok());
        credentials = *keys;
    }

    static Endpoint endpoint(Wire wire) {
        return sim_endpoint("192.0.2.1", static_cast<std::uint16_t>(5000 + static_cast<int>(wire)));
    }
    Config::Endpoints& listen(Wire wire) {
        // Nothing is listened on but what is said here.
        static bool cleared = false;
        if (!std::exchange(cleared, true)) {
            config->c2s = {{}, {}};
            config->s2s.listen.clear();
            config->s2s.listen_tls.clear();
        }
        switch (wire) {
            case Wire::client: return config->c2s.listen;
            case Wire::client_tls: return config->c2s.listen_tls;
            case Wire::websocket: return config->http.listen;
            case Wire::server: return config->s2s.listen;
            case Wire::server_tls: return config->s2s.listen_tls;
        }
        std::abort();
    }

    std::shared_ptr<Config> config;
    scene::SceneCertificates certificates;
    std::shared_ptr<const TlsSnapshot> tls, peer_tls;
    Credentials credentials;
};

Constants& constants() {
    static Constants made;
    return made;
}

/// The server and everything around it, new for each script, so that a script is all that counts.
class Place {
public:
    Place() {
        world_ = scene::make_simulated_world({.shards = shards});
        // c.test exists and does not answer, d.test refuses, nobody has heard of the others.
        for (const auto& [name, address] :
             {std::pair{"c.test", "192.0.2.3"}, std::pair{"d.test", "192.0.2.4"}}) {
            world_->dns().set_addresses(name, {address});
        }
        net().set_behaviour(sim_endpoint("192.0.2.3", 5269), SimBehaviour::swallows);
        Batch batch;
        for (const char* account : {"romeo@a.test", "juliet@a.test"}) {
            account_store::plan(batch, account, constants().credentials, world_->clock().wall());
        }
        store.commit(std::move(batch), world_->here(),
                     [](const Outcome& end) { require(end.ok()); });
        auto made =
            Server::make({.clock = world_->clock(),
                          .store = store,
                          .workers = world_->workers(),
                          .network = [this](Shard& shard) { return world_->network_for(shard); },
                          .resolver = [this](Shard& shard) { return world_->resolver_for(shard); },
                          .shards = shards,
                          .secret = std::string(32, 's')},
                         constants().config, constants().tls);
        require(made.ok());
        server = std::move(*made);
        require(server->listen().ok());
        world_->add(*server);
        world_->settle();
    }
    ~Place() {
        world_->remove(*server);
        server.reset();
        world_->settle();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    void settle() { world_->settle(); }
    void pass(Duration time) { world_->pass(time); }
    SimNet& net() { return dynamic_cast<SimNet&>(world_->network()); }

    /// Streams of clients and servers that have proved who they are.
    std::size_t proven() {
        std::size_t count = 0;
        for (unsigned i = 0; i < shards; ++i) {
            server->part(i).clients->each_session(
                [&](ClientSession& session) { count += session.detached() ? 0 : 1; });
            server->part(i).servers->each_incoming(
                [&](IncomingStream& stream) { count += stream.pairs().empty() ? 0 : 1; });
        }
        return count;
    }
    /// Whether it is as if nobody had ever come.
    void require_empty() {
        require(net().connections() == 0 && net().pending() <= shards);
        for (unsigned i = 0; i < shards; ++i) {
            Server::Part& part = server->part(i);
            part.clients->each_session([](ClientSession&) { std::abort(); });
            part.servers->each_incoming([](IncomingStream&) { std::abort(); });
            require(part.clients->negotiating() == 0 && part.servers->negotiating() == 0);
            require(part.hub->ledger.open() == 0);
        }
    }

    MemoryStore store;
    std::unique_ptr<Server> server;

private:
    static constexpr unsigned shards = 2;
    std::unique_ptr<scene::SceneWorld> world_;
};

/// One connection to the server, from the other end.
class Caller final : private SocketHandler {
public:
    Caller(Place& place, Wire wire) : place_(place), wire_(wire) {
        connecting_ = place_.net().connect(Constants::endpoint(wire), std::nullopt,
                                           [this](Result<std::unique_ptr<Socket>> made) {
                                               if (made) socket_ = std::move(*made);
                                           });
        place_.settle();
        require(socket_ != nullptr);
        socket_->set_handler(this);
        socket_->want_read();
        if (wire_ == Wire::client_tls || wire_ == Wire::server_tls) start_tls();
        if (wire_ == Wire::websocket) {
            write(
                "GET /xmpp-websocket HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n");
        }
        place_.settle();
    }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() = default;

    [[nodiscard]] Wire wire() const { return wire_; }
    [[nodiscard]] bool over() const { return over_; }

    /// As the wire carries it: a WebSocket takes whole messages.
    void say(std::string_view text) {
        write(wire_ == Wire::websocket ? client_frame(FrameKind::text, text) : std::string(text));
    }
    void write(std::string_view bytes) {
        if (tls_ == nullptr) {
            unsent_ += bytes;
        } else if (tls_->established()) {
            static_cast<void>(tls_->encrypt(bytes, unsent_));
        }
        flush();
    }
    /// Whatever the server thinks of it.
    void start_tls() {
        if (tls_ != nullptr) return;
        const bool server = wire_ == Wire::server || wire_ == Wire::server_tls;
        tls_ = std::make_unique<TlsEngine>(server ? constants().peer_tls->first().connecting.get()
                                                  : constants().certificates.client_context(),
                                           TlsEngine::Role::client, constants().peer_tls, "a.test");
        take({});
    }
    void finish() {
        if (tls_ != nullptr && tls_->established()) tls_->shut_down(unsent_);
        flush();
        socket_->shutdown_write();
    }

private:
    void on_readable() override {
        std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        const IoResult result = socket_->read(buffer);
        over_ = result.status == IoResult::Status::end || result.status == IoResult::Status::failed;
        if (over_) return;
        const std::size_t size = result.status == IoResult::Status::ok ? result.bytes : 0;
        if (tls_ != nullptr) take(std::string(buffer.data(), size));
        socket_->want_read();
    }
    void on_writable() override { flush(); }

    /// What the server says does not matter, but TLS has to hear it.
    void take(const std::string& bytes) {
        ciphertext_ += bytes;
        const std::string records = ciphertext_.substr(0, TlsEngine::whole_records(ciphertext_));
        ciphertext_.erase(0, records.size());
        tls_->set_input(records);
        if (!tls_->established()) static_cast<void>(tls_->handshake(unsent_));
        std::array<char, 16384> plain;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        std::size_t size = 0;
        while (tls_->established() &&
               tls_->decrypt(plain, size, unsent_) == TlsEngine::Status::done) {
        }
        tls_->set_input({});
        flush();
    }
    void flush() {
        const IoResult result = socket_->write(unsent_);
        if (result.status == IoResult::Status::ok) unsent_.erase(0, result.bytes);
        if (result.status == IoResult::Status::again) socket_->want_write();
    }

    Place& place_;
    Wire wire_;
    std::unique_ptr<Connecting> connecting_;
    std::unique_ptr<Socket> socket_;
    std::unique_ptr<TlsEngine> tls_;
    std::string unsent_;
    std::string ciphertext_;
    bool over_ = false;
};

/// The script: each step is a byte of what and who, and what that takes.
class Script {
public:
    Script(Place& place, std::string_view text) : place_(place), text_(text) {}

    void run() {
        for (std::size_t steps = 0; !text_.empty() && steps < longest_script; ++steps) step();
    }

    /// Nobody says anything more; see what becomes of them.
    void wait_out() {
        const Duration handshake{constants().config->limits.handshake_seconds};
        const Duration close_wait{5000};
        const Duration a_moment{1000};
        place_.store.release_commits();
        place_.pass(handshake + close_wait + a_moment);
        require(open_except(Wire::websocket) <= place_.proven());
        // HTTP had as much time before; and an account's home on another shard grants it again.
        place_.pass(2 * (handshake + close_wait) + a_moment);
        require(open_except({}) <= place_.proven());
        for (auto& caller : callers_) caller.reset();
        place_.pass(Duration{constants().config->limits.resume_seconds} + close_wait + a_moment);
        place_.require_empty();
    }

private:
    std::size_t byte() {
        if (text_.empty()) return 0;
        const auto first = static_cast<unsigned char>(text_.front());
        text_.remove_prefix(1);
        return first;
    }

    void step() {
        const std::size_t what = byte();
        auto& caller = callers_[what >> 3 & 3];
        switch (what & 7) {
            case 0: open(caller, fuzz::wires[byte() % fuzz::wires.size()]); break;
            case 1:
            case 2: say(caller.get(), fuzz::words[byte() % std::size(fuzz::words)]); break;
            case 3: raw(caller.get(), byte()); break;
            case 4: log_in(caller.get(), byte()); break;
            case 5: place_.pass(fuzz::waits[byte() % fuzz::waits.size()]); break;
            case 6: leave(caller, byte()); break;
            case 7: trouble(byte()); break;
        }
        // Otherwise it goes with what comes next.
        if ((what & 0x20) == 0) place_.settle();
    }

    void open(std::unique_ptr<Caller>& caller, Wire wire) {
        caller.reset();
        caller = std::make_unique<Caller>(place_, wire);
    }
    static void say(Caller* caller, std::string_view word) {
        if (caller != nullptr) caller->say(fuzz::spoken(word, caller->wire()));
    }
    void raw(Caller* caller, std::size_t size) {
        const std::string_view bytes = text_.substr(0, size);
        text_.remove_prefix(bytes.size());
        if (caller != nullptr) caller->write(bytes);
    }
    void log_in(Caller* caller, std::size_t how) {
        if (caller == nullptr) return;
        for (const std::string_view word : fuzz::login(caller->wire(), how)) {
            say(caller, word);
            place_.settle();
        }
    }
    static void leave(std::unique_ptr<Caller>& caller, std::size_t how) {
        if (caller == nullptr) return;
        if (how % 3 == 0) caller.reset();
        if (how % 3 == 1) caller->finish();
        if (how % 3 == 2) caller->start_tls();
    }
    void trouble(std::size_t which) {
        if (which % 4 == 0) place_.store.fail_next_commits(1);
        if (which % 4 == 1) place_.store.fail_next_reads(1);
        if (which % 4 == 2) place_.store.hold_commits();
        if (which % 4 == 3) place_.store.release_commits();
    }
    std::size_t open_except(std::optional<Wire> wire) const {
        return static_cast<std::size_t>(std::ranges::count_if(callers_, [&](const auto& caller) {
            return caller != nullptr && !caller->over() && caller->wire() != wire;
        }));
    }

    Place& place_;
    std::string_view text_;
    std::array<std::unique_ptr<Caller>, 4> callers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Place place;
    Script script(place, {reinterpret_cast<const char*>(data), size});
    script.run();
    script.wait_out();
    return 0;
}
