// A whole Server over a simulated network, DNS, clock and store, and its ServerOperations, driven
// from one thread: settle() lets everything happen that can.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/control/commands.h"
#include "gateway/server/operations.h"
#include "gateway/server/trace_commands.h"
#include "gateway/session/roster.h"
#include "gateway/store/memory.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_dns.h"
#include "tests/support/sim_net.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/control/recorder.h"

namespace causeway::test {

/// Hands its calls to another Network, which outlives it.
class BorrowedNetwork final : public Network {
public:
    explicit BorrowedNetwork(Network& network) : network_(network) {}
    [[nodiscard]] std::unique_ptr<Connecting> connect(Endpoint to, std::optional<Address> from,
                                                      Connected connected) override {
        return network_.connect(to, from, std::move(connected));
    }
    [[nodiscard]] Result<std::unique_ptr<Acceptor>> listen(Endpoint at,
                                                           Accepted accepted) override {
        return network_.listen(at, std::move(accepted));
    }
    [[nodiscard]] std::unique_ptr<Socket> adopt(int descriptor) override {
        return network_.adopt(descriptor);
    }

private:
    Network& network_;
};

/// The same for a Resolver.
class BorrowedResolver final : public Resolver {
public:
    explicit BorrowedResolver(Resolver& resolver) : resolver_(resolver) {}
    void srv(std::string name, Answer<SrvAnswer> answer) override {
        resolver_.srv(std::move(name), std::move(answer));
    }
    void addresses(std::string host, Answer<AddressAnswer> answer) override {
        resolver_.addresses(std::move(host), std::move(answer));
    }

private:
    Resolver& resolver_;
};

/// Serves a.test and b.test with two shards.
class OperationsFixture {
public:
    OperationsFixture() {
        renew("a.test");
        renew("b.test");
        auto tls = TlsSnapshot::load(config, warnings);
        REQUIRE(tls.ok());
        const auto shared_config = std::make_shared<const Config>(config);
        Server::Outside outside{
            .clock = clock,
            .store = store,
            .workers = workers,
            .network = [this](Shard&) { return std::make_unique<BorrowedNetwork>(net); },
            .resolver = [this](Shard&) -> Result<std::unique_ptr<Resolver>> {
                return std::unique_ptr<Resolver>(std::make_unique<BorrowedResolver>(dns));
            },
            .shards = 2,
            .secret = std::string(32, 's')};
        auto made = Server::make(std::move(outside), shared_config, *tls);
        REQUIRE(made.ok());
        server = std::move(*made);
        operations = std::make_unique<ServerOperations>(
            *server, loop, shared_config, *tls,
            ServerOperations::Lifecycle{.read_config = [this] { return wanted; },
                                        .begin_drain =
                                            [this](std::optional<std::chrono::seconds> patience) {
                                                draining = true;
                                                drain = patience;
                                            },
                                        .draining = [this] { return draining; }});
        wanted = config;
        commands = std::make_unique<control::CommandTable>(
            control::CommandHost{*operations, &server->shared(), &loop});
        REQUIRE(control::add_engine_commands(*commands).ok());
        REQUIRE(commands->add(trace_commands()).ok());
        for (const Feature* feature : server->shared().features.features()) {
            REQUIRE(commands->add(feature->commands).ok());
        }
    }

    /// A new certificate for the domain, in the file that `config` names.
    void renew(const std::string& domain) {
        const TestCertificate made = issue({.common_name = domain, .dns = {domain}});
        const std::string certificate = files.write(domain + ".crt", made.certificate_pem());
        const std::string key = files.write(domain + ".key", made.key_pem());
        if (domain == "a.test") config.tls.trust = certificate;
        for (const DomainConfig& known : config.domains) {
            if (known.name == domain) return;
        }
        config.domains.push_back({.name = domain, .certificate = certificate, .key = key});
    }

    void settle() {
        while (server->shards().run_until_idle() + loop.run_until_idle() != 0) {
        }
    }
    /// Lets time pass, in steps, so that what is due happens in order.
    void pass(Duration time) {
        for (constexpr Duration step{100}; time > Duration::zero(); time -= step) {
            clock.advance(step);
            settle();
        }
    }

    /// The answer to `call`, which must come exactly once.
    template <class T>
    Result<T> answer_to(const std::function<void(control::Answer<T>)>& call) {
        std::vector<Result<T>> answers;
        call([&answers](Result<T> answer) { answers.push_back(std::move(answer)); });
        settle();
        REQUIRE(answers.size() == 1);
        return answers.front();
    }
    Outcome outcome_of(const std::function<void(control::Done)>& call) {
        std::vector<Outcome> answers;
        call([&answers](const Outcome& answer) { answers.push_back(answer); });
        settle();
        REQUIRE(answers.size() == 1);
        return answers.front();
    }
    Outcome add(const std::string& jid, const std::string& password = "secret") {
        return outcome_of([&](control::Done done) {
            operations->add_user({jid, password}, 1, std::move(done));
        });
    }
    Outcome remove(const std::string& jid) {
        return outcome_of(
            [&](control::Done done) { operations->remove_user(jid, std::move(done)); });
    }
    Result<control::UserDetail> show(const std::string& jid) {
        return answer_to<control::UserDetail>(
            [&](auto answer) { operations->show_user(jid, std::move(answer)); });
    }
    /// What a command answers, of the engine or of a feature.
    void run(const std::string& method, const std::string& params, control::Recorded& into) {
        control::run(*commands, method, params, into);
        settle();
        into.run_waiting();
        REQUIRE(into.answer);
    }
    /// The rows of `roster show`.
    Result<boost::json::array> contacts(const std::string& jid) {
        control::Recorded recorded;
        run("roster.show", "{\"jid\":\"" + jid + "\"}", recorded);
        if (!*recorded.answer) return recorded.answer->error();
        return recorded.lines.empty() ? boost::json::array() : recorded.lines.front();
    }
    /// Every page of `list`, which is asked for pages of `limit` rows.
    template <class Row>
    std::vector<Row> all_pages(
        std::size_t limit,
        const std::function<void(control::PageRequest, control::Answer<control::Page<Row>>)>&
            list) {
        std::vector<Row> rows;
        std::string after;
        do {
            const auto page = answer_to<control::Page<Row>>([&](auto answer) {
                list({after, limit}, std::move(answer));
            });
            REQUIRE(page.ok());
            CHECK(page->next != (after.empty() ? "?" : after));
            rows.insert(rows.end(), page->rows.begin(), page->rows.end());
            after = page->next;
        } while (!after.empty());
        return rows;
    }

    void commit(Batch batch) {
        std::optional<Outcome> outcome;
        store.commit(std::move(batch), loop, [&](Outcome end) { outcome = std::move(end); });
        settle();
        REQUIRE(outcome);
        REQUIRE(outcome->ok());
    }
    /// Both see each other's presence.
    void befriend(const std::string& one, const std::string& other) {
        Batch batch;
        for (const auto& [owner, contact] : {std::pair{one, other}, std::pair{other, one}}) {
            RosterItem item;
            item.jid = *Jid::parse(contact);
            item.state = {.to = true, .from = true};
            item.listed = true;
            (void)Roster().plan(batch, owner, item, true);
        }
        commit(std::move(batch));
    }
    /// A resource that is connected by nothing, as one whose stream broke.
    ClientSession& session(const std::string& full) {
        const Jid jid = *Jid::parse(full);
        return server->home_of(jid.bare()).clients->create(jid);
    }
    /// Keys of an account, by which a password may be verified.
    std::optional<Credentials> credentials(const std::string& bare) {
        std::optional<Credentials> found;
        store.map_get("accounts", bare, "credentials", loop,
                      [&](const Result<std::optional<std::string>>& value) {
                          REQUIRE(value.ok());
                          if (!value->has_value()) return;
                          auto parsed = Credentials::parse(**value);
                          REQUIRE(parsed.ok());
                          found = *parsed;
                      });
        settle();
        return found;
    }
    std::size_t log_rows(const std::string& name, const std::string& owner) {
        std::size_t count = 0;
        store.log_list(name, owner, 0, 1000, loop, [&](const Result<std::vector<LogRow>>& rows) {
            REQUIRE(rows.ok());
            count = rows->size();
        });
        settle();
        return count;
    }

    SimClock clock;
    SimLoop loop;
    SimNet net{loop};
    SimDns dns{loop};
    MemoryStore store;
    Workers workers{0};
    TestDirectory files;
    Config config;
    std::vector<std::string> warnings;
    Result<Config> wanted = Config{};  ///< what a reload reads
    bool draining = false;
    std::optional<std::chrono::seconds> drain;
    std::unique_ptr<Server> server;
    std::unique_ptr<ServerOperations> operations;
    std::unique_ptr<control::CommandTable> commands;
};

}  // namespace causeway::test
