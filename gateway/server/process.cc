#include "gateway/server/process.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/base/log_output.h"
#include "gateway/base/random.h"
#include "gateway/base/version.h"
#include "gateway/config/load.h"
#include "gateway/control/commands.h"
#include "gateway/control/server.h"
#include "gateway/net/cares_resolver.h"
#include "gateway/net/system_network.h"
#include "gateway/server/check_command.h"
#include "gateway/server/drain.h"
#include "gateway/server/metrics_server.h"
#include "gateway/server/operations.h"
#include "gateway/server/server.h"
#include "gateway/server/service_manager.h"
#include "gateway/server/trace_commands.h"
#include "gateway/store/sqlite.h"
#include "gateway/store/sqlite_check.h"
#include "gateway/xmpp/jid.h"

namespace causeway {
namespace {

namespace asio = boost::asio;

/// Answers of the store for the main thread, before there are shards.
class WaitingExecutor final : public Executor {
public:
    void post(std::function<void()> task) override { asio::post(io_, std::move(task)); }
    void wait_for(const bool& done) {
        while (!done) io_.run_one();
    }

private:
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
};

constexpr std::string_view server_store = LifetimeClock::store;
constexpr std::string_view secret_key = "secret";

/// A value of the server's own, read while nothing else runs.
Result<std::optional<std::string>> read_value(Store& store, std::string_view key) {
    WaitingExecutor here;
    bool done = false;
    Result<std::optional<std::string>> read = std::optional<std::string>{};
    store.map_get(std::string(server_store), "", std::string(key), here,
                  [&](Result<std::optional<std::string>> answer) {
                      read = std::move(answer);
                      done = true;
                  });
    here.wait_for(done);
    return read;
}

/// The secret behind dialback keys and fake salts: made once, kept for good.
Result<std::string> read_secret(Store& store) {
    const auto read = read_value(store, secret_key);
    if (!read) return read.error();
    if (read->has_value()) return **read;
    std::string secret = random_token(32);
    Batch batch;
    batch.map_set(server_store, "", secret_key, secret);
    WaitingExecutor here;
    Outcome committed;
    bool done = false;
    store.commit(std::move(batch), here, [&](const Outcome& outcome) {
        committed = outcome;
        done = true;
    });
    here.wait_for(done);
    if (!committed) return committed;
    return secret;
}

/// What the last run remembered of the LifetimeClock, if there was one.
Result<std::optional<LifetimeClock::Mark>> read_last_lifetime(Store& store) {
    const auto read = read_value(store, LifetimeClock::key);
    if (!read) return read.error();
    if (!read->has_value()) return std::optional<LifetimeClock::Mark>{};
    return LifetimeClock::Mark::parse(**read);
}

Result<std::string> check_domain(std::string_view name) {
    auto prepared = prepare_domain(name);
    if (prepared && domain_to_ascii(*prepared).empty()) {
        return Outcome::malformed("has no form that DNS could hold");
    }
    return prepared;
}

/// Every connection is a descriptor: ask for all that the system allows.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void set_reload_signal(int how) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(how, &signals, nullptr);
}

/// What would end the process and is not meant to.
void prepare_signals() {
    // Log rotation and container managers send the user's signals on suspicion. A write beyond a
    // limit on the size of files is to fail like one on a full disk.
    for (const int signal : {SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ}) std::signal(signal, SIG_IGN);
    // A reload that is asked for while the server starts waits until it can be done. The threads
    // inherit this: the main thread alone takes it, later.
    set_reload_signal(SIG_BLOCK);
}

unsigned thread_count(const Config& config) {
    if (config.server.threads != 0) return config.server.threads;
    return std::max(1U, std::thread::hardware_concurrency());
}

Outcome check_endpoints(const Config& config) {
    for (const auto* list :
         {&config.c2s.listen, &config.c2s.listen_tls, &config.s2s.listen, &config.s2s.listen_tls,
          &config.http.listen, &config.http.listen_tls}) {
        for (const Endpoint& endpoint : *list) {
            if (Outcome free = check_endpoint_free(endpoint); !free) return free;
        }
    }
    return {};
}

int fail(int status, const Outcome& outcome) {
    log::tell(fmt::format("causeway: {}", outcome.why()));
    return status;
}

/// Tasks for the main thread, from any other.
class LoopExecutor final : public Executor {
public:
    explicit LoopExecutor(asio::io_context& io) : io_(io) {}
    void post(std::function<void()> task) override { asio::post(io_, std::move(task)); }

private:
    asio::io_context& io_;
};

/// The parts in the order of their making.
class Process {
public:
    int run(const std::string& path, bool check);

private:
    Outcome load(const std::string& path);
    Outcome open_store();
    Outcome make_server();
    Outcome make_control();
    int report() const;
    int serve();
    void await_signals();
    void on_signal(int signal);
    void watch_certificates();
    void end();

    SystemClock clock_;
    std::shared_ptr<const Config> config_;  ///< as at start; operations_ has the one in force
    std::shared_ptr<const TlsSnapshot> tls_;
    std::vector<std::string> warnings_;
    asio::io_context main_;
    LoopExecutor here_{main_};
    std::unique_ptr<Store> store_;
    std::unique_ptr<Workers> workers_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<Drain> drain_;
    std::unique_ptr<ServerOperations> operations_;
    std::unique_ptr<control::CommandTable> commands_;
    std::unique_ptr<control::Server> control_;
    std::unique_ptr<MetricsServer> metrics_;
    asio::signal_set signals_{main_};
    asio::steady_timer next_day_{main_};
};

Outcome Process::load(const std::string& path) {
    auto config = load_config(path, check_domain);
    if (!config) return config.error();
    config_ = std::make_shared<const Config>(std::move(*config));
    auto tls = TlsSnapshot::load(*config_, warnings_);
    if (!tls) return tls.error();
    tls_ = std::move(*tls);
    return {};
}

Outcome Process::open_store() {
    StoreLimits limits;
    limits.queued_batches = config_->limits.store_queue_batches;
    limits.queued_bytes = config_->limits.store_queue_bytes;
    auto opened = open_sqlite(config_->store.location, limits);
    if (!opened) return opened.error();
    store_ = std::move(*opened);
    return {};
}

Outcome Process::make_server() {
    auto secret = read_secret(*store_);
    if (!secret) return secret.error();
    const auto last_lifetime = read_last_lifetime(*store_);
    if (!last_lifetime) return last_lifetime.error();
    const unsigned threads = thread_count(*config_);
    workers_ = std::make_unique<Workers>(std::max(1U, threads / 2));
    Server::Outside outside{
        .clock = clock_,
        .store = *store_,
        .workers = *workers_,
        .network =
            [](Shard& shard) {
                return std::make_unique<SystemNetwork>(shard.poller(), shard.timers());
            },
        .resolver = [this](Shard& shard) -> Result<std::unique_ptr<Resolver>> {
            ResolverOptions options;
            options.servers = config_->dns.servers;
            options.cache.entries = config_->limits.dns_cache_entries;
            options.cache.positive_max = config_->limits.dns_positive_max_seconds;
            options.cache.absent_max = config_->limits.dns_negative_max_seconds;
            auto made = CaresResolver::open({shard.poller(), shard, shard.timers()}, shard.clock(),
                                            options);
            if (!made) return made.error();
            return std::unique_ptr<Resolver>(std::move(*made));
        },
        .shards = threads,
        .secret = std::move(*secret),
        .last_lifetime = *last_lifetime};
    auto made = Server::make(std::move(outside), config_, tls_);
    if (!made) return made.error();
    server_ = std::move(*made);
    drain_ = std::make_unique<Drain>(*server_, main_, here_, [this] { main_.stop(); });
    return {};
}

/// Claims the socket; it answers nobody yet.
Outcome Process::make_control() {
    operations_ = std::make_unique<ServerOperations>(
        *server_, here_, config_, tls_,
        ServerOperations::Lifecycle{
            .read_config = [this] { return load_config(config_->path, check_domain); },
            .begin_drain =
                [this](std::optional<std::chrono::seconds> patience) {
                    drain_->begin(patience.value_or(operations_->config()->limits.drain_seconds));
                },
            .draining = [this] { return drain_->begun(); }});
    server_->shared().operations = operations_.get();
    server_->shared().control = &here_;
    commands_ = std::make_unique<control::CommandTable>(
        control::CommandHost{*operations_, &server_->shared(), &here_});
    if (Outcome added = control::add_engine_commands(*commands_); !added) return added;
    if (Outcome added = commands_->add(trace_commands()); !added) return added;
    if (Outcome added = commands_->add(check_commands()); !added) return added;
    for (const Feature* feature : server_->shared().features.features()) {
        if (Outcome added = commands_->add(feature->commands); !added) return added;
    }
    control::ServerLimits limits;
    limits.connections = config_->limits.control_connections;
    limits.line_bytes = config_->limits.control_line_bytes;
    auto opened = control::Server::open(main_, config_->control.socket, *commands_, limits);
    if (!opened) return opened.error();
    control_ = std::move(*opened);
    if (!config_->metrics.listen) return {};
    auto metrics = MetricsServer::open(main_, *config_->metrics.listen, [this](auto answer) {
        operations_->measure(std::move(answer));
    });
    if (!metrics) return metrics.error();
    metrics_ = std::move(*metrics);
    return {};
}

/// For --check: a look at everything that changes nothing.
int Process::report() const {
    for (const std::string& warning : warnings_) log::tell("causeway: " + warning);
    std::string text;
    for (const DomainTls* domain : tls_->all()) {
        text += fmt::format("{}: certificate valid until {}\n", domain->domain,
                            format_date_time(domain->expires));
    }
    const auto store = check_sqlite(config_->store.location);
    if (!store) return fail(1, store.error());
    text += fmt::format("store {}: {}\nconfiguration {}: no errors", config_->store.location,
                        *store, config_->path);
    constexpr std::chrono::seconds patience{10};
    if (log::write_line(STDOUT_FILENO, text, patience)) return 0;
    return fail(1, Outcome::retry("the report cannot be written to standard output"));
}

// ---- signals, and the end ----

void Process::await_signals() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        on_signal(signal);
        await_signals();
    });
}

void Process::on_signal(int signal) {
    if (signal == SIGHUP) {
        // It is logged, whatever becomes of it.
        if (!drain_->begun()) operations_->reload([](const auto&) {});
    } else if (drain_->begun()) {
        CAUSEWAY_LOG(warn, "server.interrupted");
        main_.stop();
    } else {
        drain_->begin(operations_->config()->limits.drain_seconds);
    }
}

/// A server may run for longer than its certificates: what is said of them at start and at a reload
/// is said once a day.
void Process::watch_certificates() {
    next_day_.expires_after(std::chrono::hours(24));
    next_day_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        for (const std::string& warning : operations_->tls().expiring(clock_.wall())) {
            CAUSEWAY_LOG(warn, "config.warning", {"why", warning});
        }
        watch_certificates();
    });
}

int Process::serve() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
    await_signals();
    watch_certificates();
    set_reload_signal(SIG_UNBLOCK);
    server_->start();
    control_->start();
    tell_service_manager(ServiceState::ready);
    CAUSEWAY_LOG(info, "server.ready", {"version", version_text},
                 {"domains", config_->domains.size()}, {"threads", server_->shards().count()});
    main_.run();
    end();
    CAUSEWAY_LOG(info, "server.stopped");
    return 0;
}

void Process::end() {
    if (server_ != nullptr) server_->stop();
    if (workers_ != nullptr) workers_->stop();
    store_->stop();
    // Answers that came too late to be heard; some say so to the control socket, which goes last.
    if (drain_ != nullptr) drain_->cancel();
    signals_.cancel();
    next_day_.cancel();
    metrics_.reset();
    main_.restart();
    main_.poll();
    control_.reset();
    main_.restart();
    main_.poll();
    operations_.reset();
    drain_.reset();
    server_.reset();
}

int Process::run(const std::string& path, bool check) {
    prepare_signals();
    umask(0077);
    if (Outcome loaded = load(path); !loaded) return fail(2, loaded);
    if (check) return report();
    if (Outcome opened = open_store(); !opened) return fail(1, opened);
    raise_descriptor_limit();
    log::configure(config_->log.level, config_->log.json);
    for (const std::string& warning : warnings_) {
        CAUSEWAY_LOG(warn, "config.warning", {"why", warning});
    }
    Outcome made = make_server();
    if (made) made = make_control();
    if (made) made = check_endpoints(*config_);
    if (made) made = server_->listen();
    if (!made) {
        const int status = fail(1, made);
        end();
        log::stop();
        return status;
    }
    const int status = serve();
    log::stop();
    return status;
}

}  // namespace

int run_process(const std::string& config_path, bool check) {
    log::secure_standard_streams();  // before anything is opened
    return Process().run(config_path, check);
}

}  // namespace causeway
