// FakeOperations: a server for the control socket's tests, with a few rows of everything. Answers
// at once, or, while `holding`, only when release() is called. Belongs to one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/control/command.h"
#include "gateway/control/operations.h"

namespace causeway::control {

class FakeOperations final : public Operations {
public:
    struct Account {
        std::string password;
        std::uint32_t iterations = 0;
        bool disabled = false;
    };

    std::map<std::string, Account> accounts;
    std::vector<SessionRow> sessions;
    std::vector<PeerRow> peers;
    std::vector<QueueRow> queues;
    std::vector<QueuedStanza> stanzas;  ///< of b.test
    std::vector<ReloadChange> changes;
    std::string log_level = "info";
    std::optional<std::uint32_t> drain_seconds;
    bool stopped = false;
    std::function<void()> on_shutdown;

    /// Of the view that goes on until somebody ends it; see add_test_commands.
    std::unique_ptr<Reply> live;
    bool live_cancelled = false;

    bool holding = false;
    std::vector<std::function<void()>> held;
    std::size_t pages_asked = 0;
    /// How many rows a page has, whatever was asked for.
    std::size_t rows_per_page = 500;

    FakeOperations() { fill(); }

    void release() {
        for (const auto& task : std::exchange(held, {})) {
            task();
        }
    }

    void status(Answer<Status> answer) override {
        Status status;
        status.version = "1.0";
        status.process = 4711;
        status.started = 1'000;
        status.now = 90'061'000;
        status.shards = 2;
        status.domains = {{"a.test", 80'000'000, "CN=Test CA", sessions.size()}};
        status.listeners = {{"c2s.listen", "127.0.1.1:5222"}};
        status.sessions = sessions.size();
        status.queued_stanzas = 12'345;
        status.resident_bytes = 23'456'789;
        later([answer = std::move(answer), status] { answer(status); });
    }

    void add_user(NewAccount account, std::uint32_t iterations, Done done) override {
        const Outcome outcome = add(account, iterations);
        later([done = std::move(done), outcome] { done(outcome); });
    }
    void add_users(std::vector<NewAccount> some, std::uint32_t iterations,
                   Answer<BulkResult> answer) override {
        BulkResult result;
        for (std::size_t i = 0; i < some.size(); ++i) {
            if (Outcome outcome = add(some[i], iterations); outcome.ok()) {
                ++result.added;
            } else {
                result.failures.push_back({i, std::move(outcome)});
            }
        }
        later([answer = std::move(answer), result] { answer(result); });
    }
    void set_password(NewAccount account, std::uint32_t iterations, Done done) override {
        on_account(account.jid, std::move(done), [&](Account& found) {
            found.password = account.password;
            found.iterations = iterations;
        });
    }
    void remove_user(std::string jid, Done done) override {
        on_account(jid, std::move(done), [](Account&) {});
        accounts.erase(jid);
    }
    void list_users(std::string domain, PageRequest page, Answer<Page<UserRow>> answer) override {
        std::vector<UserRow> rows;
        for (const auto& [jid, account] : accounts) {
            if (domain.empty() || jid.ends_with("@" + domain)) {
                rows.push_back({jid, account.disabled, 1'000});
            }
        }
        if (!domain.empty() && domain != "a.test") {
            answer(Outcome::absent(domain + " is not served here"));
            return;
        }
        give(rows, page, std::move(answer));
    }
    void show_user(std::string jid, Answer<UserDetail> answer) override {
        const auto found = accounts.find(jid);
        if (found == accounts.end()) {
            answer(no_account(jid));
            return;
        }
        UserDetail user;
        user.user = {jid, found->second.disabled, 1'000};
        user.mechanisms = {"SCRAM-SHA-1", "SCRAM-SHA-256"};
        user.iterations = found->second.iterations;
        user.offline_bytes = 2'048;
        user.facts = {{"takes part in", "presence (its own profile is presence)"}};
        later([answer = std::move(answer), user] { answer(user); });
    }
    void set_user_disabled(std::string jid, bool disabled, Done done) override {
        on_account(jid, std::move(done), [&](Account& found) { found.disabled = disabled; });
    }

    void list_sessions(std::string jid, PageRequest page,
                       Answer<Page<SessionRow>> answer) override {
        std::vector<SessionRow> rows;
        for (const SessionRow& row : sessions) {
            if (jid.empty() || jid == row.jid || jid == row.jid + "/" + row.resource) {
                rows.push_back(row);
            }
        }
        if (rows.empty() && !jid.empty() && !accounts.contains(jid)) {
            answer(Outcome::absent("no session " + jid));
            return;
        }
        give(rows, page, std::move(answer));
    }
    void kill_session(std::string full_jid, Done done) override {
        const auto removed = std::erase_if(sessions, [&](const SessionRow& row) {
            return row.jid + "/" + row.resource == full_jid;
        });
        const Outcome outcome =
            removed == 0 ? Outcome::absent("no session " + full_jid) : Outcome{};
        later([done = std::move(done), outcome] { done(outcome); });
    }

    void list_peers(PageRequest page, Answer<Page<PeerRow>> answer) override {
        give(peers, page, std::move(answer));
    }
    void show_peer(std::string domain, Answer<PeerDetail> answer) override {
        if (domain != "b.test") {
            answer(Outcome::absent("nothing is known of " + domain));
            return;
        }
        PeerDetail detail;
        detail.domain = domain;
        detail.links = peers;
        detail.targets = {{"xmpp.b.test", 5269, false, 5, 10, {"127.0.2.1", "::1"}, "refused"}};
        detail.queue = queues.front();
        later([answer = std::move(answer), detail] { answer(detail); });
    }
    void close_peer(std::string domain, Answer<std::uint64_t> answer) override {
        const auto closed =
            std::erase_if(peers, [&](const PeerRow& row) { return row.domain == domain; });
        count(closed, "no stream with " + domain, std::move(answer));
    }
    void retry_peer(std::string domain, Done done) override {
        done(domain == "b.test" ? Outcome{} : Outcome::absent("nothing is known of " + domain));
    }

    void list_queues(PageRequest page, Answer<Page<QueueRow>> answer) override {
        give(queues, page, std::move(answer));
    }
    void show_queue(std::string domain, PageRequest page,
                    Answer<Page<QueuedStanza>> answer) override {
        give(domain == "b.test" ? stanzas : std::vector<QueuedStanza>{}, page, std::move(answer));
    }
    void drop_queue(std::string domain, Answer<std::uint64_t> answer) override {
        const std::size_t rows = domain == "b.test" ? stanzas.size() : 0;
        stanzas.clear();
        count(rows, "nothing is queued for " + domain, std::move(answer));
    }

    void reload(Answer<std::vector<ReloadChange>> answer) override { answer(changes); }
    void set_log_level(std::string level, Done done) override {
        if (level != "info" && level != "debug") {
            done(Outcome::malformed("no level " + level + "; one of info, debug"));
            return;
        }
        log_level = level;
        done({});
    }
    void shutdown(std::optional<std::uint32_t> seconds, Done done) override {
        drain_seconds = seconds;
        stopped = true;
        done({});
        if (on_shutdown) {
            on_shutdown();
        }
    }

    [[nodiscard]] Outcome no_account(const Jid& account) const override {
        return no_account(std::string(account.bare()));
    }

private:
    static Outcome no_account(const std::string& jid) {
        return Outcome::absent("no account " + jid);
    }

    void fill() {
        accounts["juliet@a.test"] = {"rose", 4096, false};
        sessions.push_back({"juliet@a.test",
                            "balcony",
                            "available",
                            "starttls",
                            {"TLSv1.3", "TLS_AES_256_GCM_SHA384"},
                            "SCRAM-SHA-256-PLUS",
                            "127.0.0.1:51334",
                            -1,
                            1'000,
                            3,
                            true});
        sessions.push_back({"juliet@a.test",
                            "garden",
                            "unavailable",
                            "websocket",
                            {},
                            "PLAIN",
                            "[::1]:51335",
                            std::nullopt,
                            2'000,
                            0,
                            false});
        PeerRow peer;
        peer.domain = "b.test";
        peer.local = "a.test";
        peer.state = "established";
        peer.authentication = "external";
        peer.tls = {"TLSv1.3", "TLS_AES_256_GCM_SHA384"};
        peer.target = "xmpp.b.test:5269";
        peer.address = "127.0.2.1:5269";
        peer.since = 1'000;
        peers.push_back(peer);
        peer.direction = Direction::inbound;
        peer.state = "waiting";
        peer.authentication.clear();
        peer.tls = {};
        peer.last_error = "connection \x1b[31mrefused";
        peer.last_error_at = 2'000;
        peers.push_back(peer);
        queues.push_back({"b.test", 2, 700, 1'000, 5'000, 3, "refused"});
        stanzas = {{7, "juliet@a.test", "romeo@b.test", "message chat", 1'000, 9'000, 3, 300},
                   {8, "juliet@a.test", "romeo@b.test", "presence subscribe", 2'000, 0, 3, 400}};
        changes = {{"limits.roster", "live"}, {"server.threads", "restart"}};
    }

    Outcome add(const NewAccount& account, std::uint32_t iterations) {
        if (account.jid.find('@') == std::string::npos) {
            return Outcome::malformed("not an account's address: " + account.jid);
        }
        if (accounts.contains(account.jid)) {
            return Outcome::refused("there is an account " + account.jid + " already");
        }
        accounts[account.jid] = {account.password, iterations, false};
        return {};
    }

    template <class Change>
    void on_account(const std::string& jid, Done done, Change change) {
        const auto found = accounts.find(jid);
        const Outcome outcome = found == accounts.end() ? no_account(jid) : Outcome{};
        if (outcome.ok()) {
            change(found->second);
        }
        later([done = std::move(done), outcome] { done(outcome); });
    }

    void count(std::size_t number, const std::string& if_none, Answer<std::uint64_t> answer) {
        if (number == 0) {
            answer(Outcome::absent(if_none));
        } else {
            answer(static_cast<std::uint64_t>(number));
        }
    }

    /// The page that begins at row number `after`.
    template <class Row>
    void give(const std::vector<Row>& rows, const PageRequest& request, Answer<Page<Row>> answer) {
        ++pages_asked;
        const std::size_t begin =
            request.after.empty() ? 0 : static_cast<std::size_t>(std::stoul(request.after));
        const std::size_t end = std::min(rows.size(), begin + rows_per_page);
        Page<Row> page;
        page.rows.assign(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                         rows.begin() + static_cast<std::ptrdiff_t>(end));
        page.next = end < rows.size() ? std::to_string(end) : "";
        later([answer = std::move(answer), page] { answer(page); });
    }

    void later(std::function<void()> task) {
        if (holding) {
            held.push_back(std::move(task));
        } else {
            task();
        }
    }
};

}  // namespace causeway::control
