#include "tests/loss/play.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <utility>

#include "gateway/server/server.h"
#include "tests/loss/dice.h"
#include "tests/loss/numbered_client.h"
#include "tests/support/scene_sim.h"

namespace causeway::loss {
namespace {

using scene::SceneServer;

/// Simulated time after which what has no outcome will not have one.
constexpr Duration patience = std::chrono::hours(3);
/// What is under way at an end in good order has so long to arrive.
constexpr Duration end_in_good_order{3000};
constexpr Duration look{100};
/// How long a message that comes once more may take.
constexpr Duration aftermath = std::chrono::minutes(12);

class Play {
public:
    Play(const Schedule& schedule, scene::SceneCertificates& certificates)
        : schedule_(schedule),
          certificates_(certificates),
          mode_{.shards = schedule.shards, .piece = schedule.piece},
          world_(mode_),
          began_(world_.clock().now()),
          dice_(schedule.seed ^ 0x5eedU) {}

    Played play() {
        played_.history.archives = schedule_.archives;
        set_up();
        for (std::size_t step = 0; step < schedule_.steps; ++step) run_step(step);
        heal();
        look_for_left_over();
        read_archives();
        return std::move(played_);
    }

private:
    struct Machine {
        std::unique_ptr<SceneServer> server;
        bool slow = false;  ///< its store holds all commits
        bool frozen = false;
    };

    // ---- setting up ----

    void set_up() {
        for (std::size_t i = 0; i < schedule_.servers; ++i) {
            scene::ServerPlan plan{.domains = {server_name(i) + ".test"}, .options = {}};
            if (!schedule_.archives) plan.options.emplace_back("archive.enabled = false");
            machines_.push_back({std::make_unique<SceneServer>(
                world_, certificates_, std::move(plan), static_cast<unsigned>(i + 1), mode_)});
            machines_.back().server->start();
        }
        for (std::size_t i = 0; i < schedule_.clients.size(); ++i) add_client(i);
        for (int i = 0; i < 20; ++i) pass(Duration(100));
    }

    void add_client(std::size_t index) {
        const ScheduledClient& plan = schedule_.clients[index];
        SceneServer& server = *machines_[plan.server].server;
        const std::string local = client_name(schedule_, index);
        const std::string domain = server_name(plan.server) + ".test";
        const std::string bare = local + "@" + domain;
        server.add_account(bare, "secret of " + local, SceneServer::iterations);
        played_.history.parties.push_back({local, plan.server, plan.managed});
        bare_.push_back(bare);
        clients_.push_back(std::make_unique<NumberedClient>(
            world_, certificates_.client_context(),
            ClientPlan{.bare = bare,
                       .domain = domain,
                       .local = local,
                       .password = "secret of " + local,
                       .managed = plan.managed,
                       .answers_after = plan.answers_after},
            server.at(SceneServer::client_tls_port),
            NumberedClient::Telling{
                .of_client = [this, index](Event::Kind kind,
                                           std::string note) { note_client(index, kind, note); },
                .of_message = [this](Event::Kind kind,
                                     std::size_t message) { note_message(kind, message); },
                .journal = [this,
                            local](const std::string& line) { journal(local + " " + line); }}));
    }

    // ---- what happened ----

    [[nodiscard]] Duration now() const { return world_.clock().now() - began_; }

    void journal(const std::string& line) {
        played_.journal.push_back(
            fmt::format("{:10.3f} {}", static_cast<double>(now().count()) / 1000.0, line));
    }

    void note(Event::Kind kind, std::size_t which, std::string text = {}) {
        played_.history.events.push_back({kind, which, now(), std::move(text)});
    }

    void note_client(std::size_t client, Event::Kind kind, const std::string& text) {
        note(kind, client, text);
        const std::map<Event::Kind, std::string_view> names{
            {Event::Kind::connection_lost, "has no connection"},
            {Event::Kind::session_lost, "cannot resume:"},
            {Event::Kind::wrong, "WRONG:"}};
        journal(
            fmt::format("{} {} {}", played_.history.parties[client].name, names.at(kind), text));
    }

    void note_message(Event::Kind kind, std::size_t message) {
        note(kind, message);
        const auto [from, to] = played_.history.messages[message];
        const std::string& sender = played_.history.parties[from].name;
        const std::string& reader = played_.history.parties[to].name;
        std::string text;
        switch (kind) {
            case Event::Kind::sent: text = fmt::format("sends to {}", reader); break;
            case Event::Kind::sent_anew: text = "sends once more"; break;
            case Event::Kind::acknowledged: text = "is acknowledged"; break;
            case Event::Kind::refused: text = "is refused"; break;
            case Event::Kind::read: text = "reads"; break;
            default: text = "reads once more"; break;
        }
        const bool by_reader = kind == Event::Kind::read || kind == Event::Kind::left_over;
        journal(fmt::format("{} {} m{}", by_reader ? reader : sender, text, message));
    }

    // ---- steps ----

    void run_step(std::size_t step) {
        for (const Fault& fault : schedule_.faults) {
            if (fault.heals == step && fault.heals != 0) heal(fault);
        }
        for (const Fault& fault : schedule_.faults) {
            if (fault.step == step) begin(fault);
        }
        for (const Sending& sending : schedule_.sendings) {
            if (sending.step == step) send(sending);
        }
        for (const auto& client : clients_) client->tick();
        move_stores();
        switch (dice_.below(8)) {
            case 0:
            case 1:
            case 2:
            case 3: work(dice_.between(1, 40)); break;
            case 4:
                world_.stall(Duration(dice_.between(10, 500)));
                work(dice_.between(1, 10));
                break;
            case 5: world_.settle(); break;
            case 6: pass(Duration(dice_.between(10, 800))); break;
            default: pass(Duration(dice_.one_in(6) ? dice_.between(5000, 40'000) : 200)); break;
        }
    }

    void work(std::size_t steps) {
        for (std::size_t i = 0; i < steps; ++i) world_.work(dice_.next() >> 8U);
    }

    /// Clients act meanwhile.
    void pass(Duration time) {
        constexpr Duration at_once{1000};
        for (Duration passed{0}; passed < time;) {
            const Duration piece = std::min(at_once, time - passed);
            world_.pass(piece);
            passed += piece;
            for (const auto& client : clients_) client->tick();
            move_stores();
        }
    }

    /// A lazy store commits what it was given before, now and then.
    void move_stores() {
        for (Machine& machine : machines_) {
            if (machine.slow || !schedule_.lazy_stores || healed_) continue;
            if (machine.server->running() == nullptr) continue;
            if (dice_.one_in(2)) machine.server->memory()->release_commits();
            machine.server->memory()->hold_commits();
        }
    }

    void send(const Sending& sending) {
        for (std::size_t i = 0; i < sending.count; ++i) {
            played_.history.messages.push_back({sending.from, sending.to});
            clients_[sending.from]->send(bare_[sending.to], played_.history.messages.size() - 1);
        }
    }

    // ---- faults ----

    void begin(const Fault& fault) {
        const bool of_client = fault.kind <= Fault::Kind::client_away;
        journal(fmt::format(
            "-- {} {}",
            of_client ? played_.history.parties[fault.who].name : server_name(fault.who),
            describe(fault)));
        if (of_client) return begin_of_client(fault);
        Machine& machine = machines_[fault.who];
        SceneServer& server = *machine.server;
        switch (fault.kind) {
            case Fault::Kind::link_cut: cut_links(server); break;
            case Fault::Kind::power_cut: cut_all(server); [[fallthrough]];
            case Fault::Kind::server_killed: kill(fault); break;
            case Fault::Kind::server_restarted: shut_down(fault); break;
            case Fault::Kind::server_frozen: set_frozen(machine, true); break;
            case Fault::Kind::server_unreachable: set_reachable(server, false); break;
            case Fault::Kind::store_full:
            case Fault::Kind::store_doubts:
            case Fault::Kind::store_fails: break_store(fault, *server.memory()); break;
            case Fault::Kind::store_slow:
                machine.slow = true;
                server.memory()->hold_commits();
                break;
            case Fault::Kind::store_unreadable:
                server.memory()->fail_next_reads(fault.amount);
                break;
            case Fault::Kind::clock_jumps: world_.jump(fault.time); break;
            default: break;
        }
    }

    void break_store(const Fault& fault, MemoryStore& store) {
        constexpr std::size_t all = 1'000'000;
        note(Event::Kind::store_failed, fault.who);
        if (fault.kind == Fault::Kind::store_doubts) {
            store.doubt_next_commits(fault.amount);
        } else {
            store.fail_next_commits(fault.kind == Fault::Kind::store_full ? all : fault.amount);
        }
    }

    void begin_of_client(const Fault& fault) {
        const auto how = fault.kind == Fault::Kind::client_leaves ? NumberedClient::Break::leave
                                                                  : NumberedClient::Break::reset;
        clients_[fault.who]->lose_connection(how, fault.time);
    }

    void heal(const Fault& fault) {
        Machine& machine = machines_[fault.who];
        SceneServer& server = *machine.server;
        switch (fault.kind) {
            case Fault::Kind::power_cut:
            case Fault::Kind::server_killed:
            case Fault::Kind::server_restarted: start(fault.who); break;
            case Fault::Kind::server_frozen: set_frozen(machine, false); break;
            case Fault::Kind::server_unreachable: set_reachable(server, true); break;
            case Fault::Kind::store_full: server.memory()->fail_next_commits(0); break;
            case Fault::Kind::store_slow:
                machine.slow = false;
                server.memory()->release_commits();
                break;
            default: return;
        }
        journal(fmt::format("-- {} is as it was", server_name(fault.who)));
    }

    void cut_links(SceneServer& server) {
        world_.network().cut(server.at(SceneServer::server_port));
        world_.network().cut(server.at(SceneServer::server_tls_port));
    }

    /// Links that it opened itself are cut at their other ends, with those of third servers there.
    void cut_all(SceneServer& server) {
        world_.network().cut(server.at(SceneServer::client_tls_port));
        for (Machine& machine : machines_) cut_links(*machine.server);
    }

    void set_reachable(SceneServer& server, bool reachable) {
        for (const std::uint16_t port : {SceneServer::client_tls_port, SceneServer::server_port,
                                         SceneServer::server_tls_port}) {
            world_.set_reachable(server.at(port), reachable);
        }
    }

    void set_frozen(Machine& machine, bool frozen) {
        if (machine.server->running() == nullptr) return;
        machine.frozen = frozen;
        world_.set_frozen(*machine.server->running(), frozen);
    }

    void kill(const Fault& fault) {
        Machine& machine = machines_[fault.who];
        if (machine.server->running() == nullptr) return;
        note(Event::Kind::killed, fault.who);
        machine.server->stop(fault.amount);
        machine.frozen = machine.slow = false;
    }

    void shut_down(const Fault& fault) {
        Machine& machine = machines_[fault.who];
        if (machine.server->running() == nullptr || machine.frozen) return;
        machine.server->memory()->release_commits();
        machine.slow = false;
        note(Event::Kind::ended, fault.who);
        machine.server->drain();
        for (Duration passed{0}; passed < end_in_good_order; passed += look) {
            pass(look);
            machine.server->running()->end_detached();
        }
        machine.server->memory()->release_commits();
        machine.server->end();
    }

    void start(std::size_t which) {
        Machine& machine = machines_[which];
        if (machine.server->running() != nullptr) return;
        machine.server->recall_lifetime();
        machine.server->start();
    }

    // ---- the end ----

    /// Nothing is broken any more, and all that is to happen happens.
    void heal() {
        healed_ = true;
        journal("-- everything is as it was");
        for (std::size_t i = 0; i < machines_.size(); ++i) {
            Machine& machine = machines_[i];
            machine.slow = false;
            machine.server->memory()->fail_next_commits(0);
            machine.server->memory()->doubt_next_commits(0);
            machine.server->memory()->fail_next_reads(0);
            machine.server->memory()->release_commits();
            set_reachable(*machine.server, true);
            set_frozen(machine, false);
            start(i);
        }
        for (Duration passed{0}; passed < patience && !quiet(); passed += Duration(5000)) {
            pass(Duration(5000));
        }
        for (Duration passed{0}; passed < aftermath; passed += Duration(10'000)) {
            pass(Duration(10'000));
        }
    }

    [[nodiscard]] bool quiet() const {
        return std::ranges::all_of(clients_, [](const auto& one) { return one->quiet(); });
    }

    void look_for_left_over() {
        journal("-- everybody leaves, and comes back in a new session");
        for (const auto& client : clients_) client->begin_anew();
        pass(Duration(30'000));
    }

    void read_archives() {
        if (!schedule_.archives) return;
        played_.history.archives_known = true;
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            SceneServer& server = *machines_[schedule_.clients[i].server].server;
            const auto page =
                world_.ask<ArchivePage>([&](Executor& to, Store::Answer<ArchivePage> answer) {
                    server.store().archive_page({.owner = bare_[i], .rows = 10'000}, to,
                                                std::move(answer));
                });
            if (!page) throw std::runtime_error(page.error().why());
            for (const ArchiveRow& row : page->rows) note_archived(row);
        }
    }

    void note_archived(const ArchiveRow& row) {
        constexpr std::string_view before = "<body>m";
        const std::size_t at = row.body.find(before);
        if (at == std::string::npos) return;
        std::size_t message = 0;
        const char* const digits = row.body.data() + at + before.size();
        std::from_chars(digits, row.body.data() + row.body.size(), message);
        note(row.incoming ? Event::Kind::kept_by_reader : Event::Kind::kept_by_sender, message);
    }

    const Schedule& schedule_;
    scene::SceneCertificates& certificates_;
    scene::Mode mode_;
    scene::SimWorld world_;
    TimePoint began_;
    Dice dice_;
    std::vector<Machine> machines_;
    std::vector<std::string> bare_;  ///< by client
    std::vector<std::unique_ptr<NumberedClient>> clients_;
    Played played_;
    bool healed_ = false;
};

}  // namespace

Played play(const Schedule& schedule, scene::SceneCertificates& certificates) {
    return Play(schedule, certificates).play();
}

}  // namespace causeway::loss
