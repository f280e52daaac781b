#include "tests/support/scene_server.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "gateway/config/load.h"
#include "gateway/server/server.h"
#include "gateway/server/why.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "gateway/store/memory.h"
#include "tests/support/scene_administrator.h"

namespace causeway::scene {
namespace {

void require(const Outcome& outcome) {
    if (!outcome) throw std::runtime_error(outcome.why());
}

Result<std::string> check_domain(std::string_view name) { return prepare_domain(name); }

/// Keys are derived once for each password.
const Credentials& credentials_of(const std::string& password, std::uint32_t iterations) {
    static std::map<std::pair<std::string, std::uint32_t>, Credentials> known;
    const auto key = std::pair(password, iterations);
    if (const auto found = known.find(key); found != known.end()) return found->second;
    auto made = make_credentials(password, iterations);
    if (!made) throw std::runtime_error(made.error().why());
    return known.emplace(key, *made).first->second;
}

}  // namespace

// ---- certificates ----

SceneCertificates::SceneCertificates() {
    authority_ = issue({.common_name = "Authority of the scene", .authority = true});
    trust_ = directory_.write("authority.pem", authority_.certificate_pem());
    client_.reset(SSL_CTX_new(TLS_client_method()));
    if (SSL_CTX_load_verify_file(client_.get(), trust_.c_str()) != 1) {
        throw std::runtime_error("the scene's authority cannot be loaded");
    }
    SSL_CTX_set_verify(client_.get(), SSL_VERIFY_PEER, nullptr);
}

const SceneCertificates::Files& SceneCertificates::files(const std::string& domain, Kind kind) {
    const std::string name = (kind == Kind::trusted ? "trusted-" : "self-signed-") + domain;
    return make(name, {domain}, kind);
}

const SceneCertificates::Files& SceneCertificates::files_for_all(
    const std::vector<std::string>& domains) {
    return make(fmt::format("common-{}", fmt::join(domains, "-")), domains, Kind::trusted);
}

const SceneCertificates::Files& SceneCertificates::make(const std::string& name,
                                                        const std::vector<std::string>& domains,
                                                        Kind kind) {
    if (const auto found = files_.find(name); found != files_.end()) return found->second;
    const TestCertificate made = issue({.common_name = domains.front(), .dns = domains},
                                       kind == Kind::trusted ? &authority_ : nullptr);
    const Files files{directory_.write(name + ".crt", made.certificate_pem()),
                      directory_.write(name + ".key", made.key_pem())};
    return files_.emplace(name, files).first->second;
}

std::shared_ptr<const TlsSnapshot> SceneCertificates::snapshot(const std::string& domain,
                                                               Kind kind) {
    const Files& pair = files(domain, kind);
    if (const auto found = snapshots_.find(pair.certificate); found != snapshots_.end()) {
        return found->second;
    }
    Config config;
    config.tls.trust = trust_;
    config.domains.push_back({domain, pair.certificate, pair.key});
    std::vector<std::string> warnings;
    auto loaded = TlsSnapshot::load(config, warnings);
    if (!loaded) throw std::runtime_error(loaded.error().why());
    return snapshots_.emplace(pair.certificate, *loaded).first->second;
}

// ---- the server ----

SceneServer::SceneServer(SceneWorld& world, SceneCertificates& certificates, ServerPlan plan,
                         unsigned machine, const Mode& mode)
    : world_(world),
      certificates_(certificates),
      plan_(std::move(plan)),
      machine_(machine),
      shards_(mode.shards),
      store_name_(fmt::format("machine-{}", machine)),
      store_(world.make_store(store_name_)) {
    const std::string host = fmt::format("machine-{}.test", machine);
    world.dns().set_addresses(host, {world.address(machine)});
    for (const std::string& domain : plan_.domains) {
        world.dns().set_srv("_xmpp-server._tcp." + domain,
                            {{.priority = 0, .weight = 0, .port = server_port, .target = host}});
    }
}

SceneServer::~SceneServer() {
    // What the store still holds is answered to shards that are there.
    store_->stop();
    stop();
}

Server& SceneServer::up() {
    if (server_ == nullptr) throw std::runtime_error("that server is down");
    return *server_;
}

bool SceneServer::serves(std::string_view domain) const {
    return std::ranges::find(plan_.domains, domain) != plan_.domains.end();
}

Endpoint SceneServer::at(std::uint16_t port) const {
    return {boost::asio::ip::make_address(world_.address(machine_)), port};
}

std::shared_ptr<const Config> SceneServer::configuration() const {
    // "domain.…" stands in each [[domain]], "a.test: domain.…" in that of a.test.
    constexpr std::string_view of_domain = "domain.";
    constexpr std::string_view of_one = ": domain.";
    std::string text, of_domains;
    std::map<std::string, std::string, std::less<>> of_each;
    for (const std::string& line : plan_.options) {
        const std::size_t named = line.find(of_one);
        if (line.starts_with(of_domain)) {
            of_domains += line.substr(of_domain.size()) + "\n";
        } else if (named != std::string::npos && serves(line.substr(0, named))) {
            of_each[line.substr(0, named)] += line.substr(named + of_one.size()) + "\n";
        } else {
            text += line + "\n";
        }
    }
    const std::string address = world_.address(machine_);
    for (const auto& [key, port] : {std::pair{"c2s.listen", client_port},
                                    {"c2s.listen_tls", client_tls_port},
                                    {"s2s.listen", server_port},
                                    {"s2s.listen_tls", server_tls_port}}) {
        text += fmt::format("{} = ['{}:{}']\n", key, address, port);
    }
    text += fmt::format("tls.trust = '{}'\n", certificates_.trust());
    for (const std::string& domain : plan_.domains) {
        if (std::ranges::find(dropped_, domain) != dropped_.end()) continue;
        using Certificates = ServerPlan::Certificates;
        const auto& files =
            plan_.certificates == Certificates::one
                ? certificates_.files_for_all(plan_.domains)
                : certificates_.files(domain, plan_.certificates == Certificates::self_signed
                                                  ? SceneCertificates::Kind::self_signed
                                                  : SceneCertificates::Kind::trusted);
        text += fmt::format("[[domain]]\nname = '{}'\ncertificate = '{}'\nkey = '{}'\n{}{}", domain,
                            files.certificate, files.key, of_domains, of_each[domain]);
    }
    auto config = parse_config(text, "/scene.toml", check_domain);
    if (!config) throw std::runtime_error(config.error().why());
    return std::make_shared<const Config>(std::move(*config));
}

void SceneServer::start() {
    if (server_ != nullptr) end();
    const auto config = configuration();
    std::vector<std::string> warnings;
    auto tls = TlsSnapshot::load(*config, warnings);
    if (!tls) throw std::runtime_error(tls.error().why());
    auto made =
        Server::make({.clock = world_.clock(),
                      .store = *store_,
                      .workers = world_.workers(),
                      .network = [this](Shard& shard) { return world_.network_for(shard); },
                      .resolver = [this](Shard& shard) { return world_.resolver_for(shard); },
                      .shards = shards_,
                      .secret = fmt::format("the secret of machine {:0>16}", machine_),
                      .last_lifetime = last_lifetime_},
                     config, *tls);
    if (!made) throw std::runtime_error(made.error().why());
    server_ = std::move(*made);
    // Administrators' requests are carried out on the first shard: there is no other thread.
    operations_ = std::make_unique<ServerOperations>(*server_, server_->shards()[0], config, *tls,
                                                     ServerOperations::Lifecycle{});
    server_->shared().operations = operations_.get();
    server_->shared().control = &server_->shards()[0];
    require(server_->listen());
    world_.add(*server_);
    world_.settle();
}

void SceneServer::stop(std::size_t held_commits_kept) {
    if (server_ == nullptr) return;
    world_.remove(*server_);
    store_ = world_.reopen(std::move(store_), store_name_);
    auto* const memory = dynamic_cast<MemoryStore*>(store_.get());
    if (memory != nullptr) {
        memory->lose_held_commits(held_commits_kept);
        memory->refuse_commits(true);  // a crash writes nothing any more
    }
    server_.reset();
    operations_.reset();
    if (memory != nullptr) {
        memory->refuse_commits(false);
        memory->begin_process(world_.clock().wall());
    }
    world_.settle();
}

void SceneServer::end() {
    if (world_.simulated()) {
        // The end of the time that a draining process has; elsewhere its threads still run.
        for (unsigned i = 0; i < server_->shards().count(); ++i) {
            std::vector<ClientSession*> left;
            server_->part(i).clients->each_session(
                [&](ClientSession& session) { left.push_back(&session); });
            for (ClientSession* session : left) session->leave_process({});
        }
        world_.settle();
    }
    world_.remove(*server_);
    server_->stop();
    store_ = world_.reopen(std::move(store_), store_name_);
    server_.reset();
    operations_.reset();
    if (auto* const memory = dynamic_cast<MemoryStore*>(store_.get())) {
        memory->begin_process(world_.clock().wall());
    }
    world_.settle();
}

void SceneServer::recall_lifetime() {
    const auto mark = world_.ask<std::optional<std::string>>(
        [&](Executor& to, Store::Answer<std::optional<std::string>> answer) {
            store_->map_get(std::string(LifetimeClock::store), {}, std::string(LifetimeClock::key),
                            to, std::move(answer));
        });
    last_lifetime_ = mark && *mark ? LifetimeClock::Mark::parse(**mark) : std::nullopt;
}

void SceneServer::drain() {
    up().drain();
    world_.settle();
    up().end_detached();
    world_.settle();
    up().drain_links();
}

void SceneServer::stop_serving(const std::string& domain) {
    dropped_.push_back(domain);
    reload(plan_.options);
}

void SceneServer::reload(std::vector<std::string> options) {
    plan_.options = std::move(options);
    const auto config = configuration();
    std::vector<std::string> warnings;
    auto tls = TlsSnapshot::load(*config, warnings);
    if (!tls) throw std::runtime_error(tls.error().why());
    up().adopt(config, *tls);
    world_.settle();
}

// ---- what it knows ----

void SceneServer::commit(Batch batch) {
    // A store that holds its commits answers when the scene has ended.
    const auto result = std::make_shared<std::optional<Outcome>>();
    store_->commit(std::move(batch), world_.here(),
                   [result](Outcome outcome) { *result = std::move(outcome); });
    if (!world_.wait_until([&] { return result->has_value(); })) {
        throw std::runtime_error("the store is silent: does it hold its commits?");
    }
    require(**result);
}

void SceneServer::add_account(const std::string& bare, const std::string& password,
                              std::uint32_t count) {
    Batch batch;
    account_store::plan(batch, bare, credentials_of(password, count), world_.clock().wall());
    commit(std::move(batch));
}

void SceneServer::disable_account(const std::string& bare) {
    Batch batch;
    batch.map_set(account_store::store_name, bare, account_store::disabled_key, "1");
    commit(std::move(batch));
}

void SceneServer::add_contact(const std::string& owner, const RosterItem& item) {
    Roster& roster = written_[owner];
    Batch batch;
    roster.apply(roster.plan(batch, owner, item, item.listed));
    commit(std::move(batch));
}

Roster SceneServer::roster(const std::string& owner) {
    auto entries = world_.ask<std::vector<MapEntry>>(
        [&](Executor& to, Store::Answer<std::vector<MapEntry>> answer) {
            store_->map_list(std::string(Roster::store_name), owner, to, std::move(answer));
        });
    if (!entries) throw std::runtime_error(entries.error().why());
    return Roster::from_store(owner, *entries);
}

std::vector<std::string> SceneServer::administer(const std::string& line) {
    Server& server = up();
    const auto answer = world_.ask<std::vector<std::string>>(
        [&](Executor& to, std::function<void(Result<std::vector<std::string>>)> give) {
            scene::administer(server, *operations_, line,
                              [&to, give = std::move(give)](std::vector<std::string> lines) {
                                  to.post([give, lines = std::move(lines)] { give(lines); });
                              });
        });
    return answer ? *answer : std::vector{"error: " + answer.error().why()};
}

void SceneServer::begin_administering(const std::string& line) {
    administered_ = std::make_shared<std::vector<std::string>>();
    scene::administer(*server_, *operations_, line,
                      [&to = world_.here(), place = administered_](std::vector<std::string> lines) {
                          to.post([place, lines = std::move(lines)] { *place = lines; });
                      });
}

std::vector<std::string> SceneServer::administered() {
    if (administered_ == nullptr) return {"error: nothing was begun"};
    world_.wait_until([&] { return !administered_->empty(); });
    return administered_->empty() ? std::vector<std::string>{"error: no answer came"}
                                  : *administered_;
}

std::string SceneServer::explanation(const std::string& id, const std::string& from) {
    const auto answer =
        world_.ask<WhyAnswer>([&](Executor& to, std::function<void(Result<WhyAnswer>)> give) {
            why(up().shared(), to, {.id = id, .from = from, .to = {}}, std::move(give));
        });
    return answer ? answer->sentence : answer.error().why();
}

void SceneServer::let_read(const std::string& bare) {
    // In the simulation all is done by now that can be.
    if (world_.simulated() || server_ == nullptr) return;
    struct Look {
        bool asked = false, busy = true;
        int count = 0;
    };
    const auto look = std::make_shared<Look>();
    Hub& home = *server_->home_of(bare).hub;
    const auto ask = [&home, look, bare, &here = world_.here()] {
        look->asked = true;
        ++look->count;
        home.shard.post([&home, look, bare, &here] {
            Account* account = home.accounts->find(bare);
            const bool busy = account != nullptr && account->inbox().busy();
            here.post([look, busy] {
                look->busy = busy;
                look->asked = false;
            });
        });
    };
    constexpr int enough = 1000;
    world_.wait_until([&] {
        if (!look->asked && look->busy && look->count < enough) ask();
        return !look->asked;
    });
}

std::size_t SceneServer::rows(const std::string& log, const std::string& owner) {
    auto found = world_.ask<std::vector<LogRow>>(
        [&](Executor& to, Store::Answer<std::vector<LogRow>> answer) {
            store_->log_list(log, owner, 0, 10000, to, std::move(answer));
        });
    if (!found) throw std::runtime_error(found.error().why());
    return found->size();
}

std::map<std::string, std::string> SceneServer::link(std::string_view local,
                                                     std::string_view remote) {
    std::map<std::string, std::string> told;
    up().home_of(remote).servers->each_pair([&](const RemotePair& pair) {
        if (pair.local() != local || pair.remote() != remote) return;
        const PairReport report = pair.report();
        told = {{"state", report.state},
                {"authentication", report.authentication},
                {"encrypted", report.tls_version.empty() ? "no" : "yes"},
                {"target", report.target},
                {"address", report.address},
                {"error", report.last_error},
                {"waiting", fmt::format("{}", report.in_memory)},
                {"attempts", fmt::format("{}", report.attempts)},
                {"retry", report.next_retry == 0 ? "no" : "yes"}};
    });
    return told;
}

void SceneServer::close_link(std::string_view remote) {
    (void)up().home_of(remote).servers->close(remote);
}

void SceneServer::retry_link(std::string_view remote) {
    up().home_of(remote).servers->each_pair([&](RemotePair& pair) {
        if (pair.remote() == remote) pair.retry();
    });
}

std::optional<std::int64_t> SceneServer::counted(std::string_view metric, std::string_view value) {
    std::vector<std::vector<std::int64_t>> shards;
    for (unsigned i = 0; i < up().shards().count(); ++i) {
        shards.push_back(up().part(i).hub->metrics.all());
    }
    for (const MetricSample& sample : samples_of(up().shared().features.metrics(), shards)) {
        if (sample.metric->name == metric && sample.value == value) {
            return static_cast<std::int64_t>(sample.number);
        }
    }
    return std::nullopt;
}

}  // namespace causeway::scene
