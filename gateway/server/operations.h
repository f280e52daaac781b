// ServerOperations: what the control socket can ask, answered by the running Server. It lives on
// the control thread; it asks the shards by posting to them and the store through its Executor, so
// that every answer is given on the control thread. Split by subject: operations_users.cc
// (accounts), operations_sessions.cc, operations_peers.cc (links and queues),
// operations_process.cc (status, reload, end).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/operations.h"
#include "gateway/server/operations_accounts.h"
#include "gateway/server/server.h"

namespace causeway {

/// What a reload puts in force: `wanted`, but for the options that only a restart can change, which
/// stay as they are in `running`.
Config in_force(const Config& running, const Config& wanted);

class ServerOperations final : public control::Operations {
public:
    /// What belongs to the process and not to the Server. All called on the control thread.
    struct Lifecycle {
        /// Reads the configuration file again.
        std::function<Result<Config>()> read_config;
        /// Ends every stream and then the process; nullopt: within the configured time. A later
        /// call sets another time.
        std::function<void(std::optional<std::chrono::seconds>)> begin_drain;
        std::function<bool()> draining;
    };

    /// `home` is the control thread. Everything outlives this.
    ServerOperations(Server& server, Executor& home, std::shared_ptr<const Config> config,
                     std::shared_ptr<const TlsSnapshot> tls, Lifecycle lifecycle);

    /// The configuration in force.
    [[nodiscard]] const std::shared_ptr<const Config>& config() const { return config_; }
    [[nodiscard]] const TlsSnapshot& tls() const { return *tls_; }

    void status(control::Answer<control::Status> answer) override;
    /// The numbers of the status and of the features, for one scrape.
    void measure(control::Answer<MetricSamples> answer);

    void add_user(control::NewAccount account, std::uint32_t iterations,
                  control::Done done) override;
    void add_users(std::vector<control::NewAccount> accounts, std::uint32_t iterations,
                   control::Answer<control::BulkResult> answer) override;
    void set_password(control::NewAccount account, std::uint32_t iterations,
                      control::Done done) override;
    void remove_user(std::string jid, control::Done done) override;
    void list_users(std::string domain, control::PageRequest page,
                    control::Answer<control::Page<control::UserRow>> answer) override;
    void show_user(std::string jid, control::Answer<control::UserDetail> answer) override;
    void set_user_disabled(std::string jid, bool disabled, control::Done done) override;

    void list_sessions(std::string jid, control::PageRequest page,
                       control::Answer<control::Page<control::SessionRow>> answer) override;
    void kill_session(std::string full_jid, control::Done done) override;

    void list_peers(control::PageRequest page,
                    control::Answer<control::Page<control::PeerRow>> answer) override;
    void show_peer(std::string domain, control::Answer<control::PeerDetail> answer) override;
    void close_peer(std::string domain, control::Answer<std::uint64_t> answer) override;
    void retry_peer(std::string domain, control::Done done) override;

    void list_queues(control::PageRequest page,
                     control::Answer<control::Page<control::QueueRow>> answer) override;
    void show_queue(std::string domain, control::PageRequest page,
                    control::Answer<control::Page<control::QueuedStanza>> answer) override;
    void drop_queue(std::string domain, control::Answer<std::uint64_t> answer) override;

    void reload(control::Answer<std::vector<control::ReloadChange>> answer) override;
    void set_log_level(std::string level, control::Done done) override;
    void shutdown(std::optional<std::uint32_t> drain_seconds, control::Done done) override;
    [[nodiscard]] Outcome no_account(const Jid& account) const override;

private:
    /// The address of a new account, whose domain must be served.
    [[nodiscard]] Result<Jid> new_account_of(std::string_view text) const;
    [[nodiscard]] bool serves(std::string_view domain) const;
    /// Calls `then` if the account exists; `fail` hears why not.
    [[nodiscard]] Outcome not_served(std::string_view domain, Cause cause) const;
    void if_account(const Jid& account, control::Done fail, std::function<void()> then);
    /// The same for the account that `jid` names, while nobody else changes it: until `leave` is
    /// called, which calls `done`.
    void with_account_locked(
        std::string_view jid, control::Done done,
        std::function<void(const Jid& account, const control::Done& leave)> then);

    [[nodiscard]] std::vector<control::ListenerStatus> listeners() const;
    /// The rows that wait in the outbound store, by queue: one for each pair of domains.
    void with_queues(std::function<void(Result<std::vector<LogTotals>>)> then);
    Result<std::vector<control::ReloadChange>> reload_now();

    Server& server_;
    Executor& home_;
    std::shared_ptr<const Config> config_;
    std::shared_ptr<const TlsSnapshot> tls_;
    Lifecycle lifecycle_;
    AccountLocks locks_;
    AccountChanges changes_;
};

}  // namespace causeway
