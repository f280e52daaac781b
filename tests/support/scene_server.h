// SceneServer: one server of a conversation, whole as in a process of its own, with its
// certificates, accounts and store; it can go down and come back. Certificates come from an
// authority that is made once for a run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/tls_store.h"
#include "gateway/server/operations.h"
#include "gateway/session/roster.h"
#include "gateway/store/memory.h"
#include "tests/support/scene_world.h"
#include "tests/support/test_certificates.h"

namespace causeway::scene {

/// The authority of a run and what it has certified.
class SceneCertificates {
public:
    enum class Kind : unsigned char { trusted, self_signed };

    SceneCertificates();
    /// Paths of PEM files for a domain; made when first asked for.
    struct Files {
        std::string certificate, key;
    };
    const Files& files(const std::string& domain, Kind kind);
    /// One certificate for all of them.
    const Files& files_for_all(const std::vector<std::string>& domains);
    [[nodiscard]] const std::string& trust() const { return trust_; }
    /// TLS of a domain as a server has it: accepting and connecting.
    std::shared_ptr<const TlsSnapshot> snapshot(const std::string& domain, Kind kind);
    /// For clients, who trust the authority and show no certificate.
    [[nodiscard]] SSL_CTX* client_context() const { return client_.get(); }

private:
    const Files& make(const std::string& name, const std::vector<std::string>& domains, Kind kind);

    TestDirectory directory_;
    TestCertificate authority_;
    std::string trust_;
    std::map<std::string, Files> files_;
    std::map<std::string, std::shared_ptr<const TlsSnapshot>> snapshots_;
    SslContextPointer client_;
};

/// What a scene says about a server.
struct ServerPlan {
    enum class Certificates : unsigned char { each_its_own, self_signed, one };
    std::vector<std::string> domains;
    /// Lines of TOML with dotted keys; those that begin with "domain." hold for each domain,
    /// those with "a.test: domain." for a.test.
    std::vector<std::string> options;
    Certificates certificates = Certificates::each_its_own;
};

class SceneServer {
public:
    static constexpr std::uint16_t client_port = 5222, client_tls_port = 5223;
    static constexpr std::uint16_t server_port = 5269, server_tls_port = 5270;
    /// Cheap, since it is not the point here.
    static constexpr std::uint32_t iterations = 10;

    SceneServer(SceneWorld& world, SceneCertificates& certificates, ServerPlan plan,
                unsigned machine, const Mode& mode);
    SceneServer(const SceneServer&) = delete;
    SceneServer& operator=(const SceneServer&) = delete;
    ~SceneServer();

    /// Begins to listen. Throws std::runtime_error where the configuration is not accepted.
    void start();
    /// As by a power cut: connections break, nothing is said. What was committed stays; of commits
    /// that a store in memory holds, so many as the disk is said to have.
    void stop(std::size_t held_commits_kept = 0);
    /// In good order: what a drained server does when it ends.
    void end();
    /// In good order: every stream is told.
    void drain();
    /// Loads a configuration without that domain, as a reload does.
    void stop_serving(const std::string& domain);
    /// The same with these options in place of those that it has.
    void reload(std::vector<std::string> options);

    [[nodiscard]] bool serves(std::string_view domain) const;
    [[nodiscard]] const ServerPlan& plan() const { return plan_; }
    [[nodiscard]] Endpoint at(std::uint16_t port) const;
    [[nodiscard]] Store& store() { return *store_; }
    /// nullptr while it is down.
    [[nodiscard]] Server* running() { return server_.get(); }
    /// As a process does before it starts: goes on in the time of the last run's LifetimeClock.
    void recall_lifetime();
    /// nullptr where the store is on disk.
    [[nodiscard]] MemoryStore* memory() { return dynamic_cast<MemoryStore*>(store_.get()); }

    void add_account(const std::string& bare, const std::string& password, std::uint32_t count);
    void disable_account(const std::string& bare);
    void add_contact(const std::string& owner, const RosterItem& item);
    Roster roster(const std::string& owner);
    /// Until what waits for the account has been read: a message that comes before that goes behind
    /// it, and one that nobody keeps overtakes it. Not for long: a client may take its time.
    void let_read(const std::string& bare);
    /// Rows that stand in a log.
    std::size_t rows(const std::string& log, const std::string& owner);
    /// What listings tell of a pair of domains, by name; empty if nothing is known of it.
    std::map<std::string, std::string> link(std::string_view local, std::string_view remote);
    /// What `causewayctl peer close` and `peer retry` do.
    void close_link(std::string_view remote);
    void retry_link(std::string_view remote);
    /// The number of a feature's metric over all shards; nothing if there is none of that name.
    std::optional<std::int64_t> counted(std::string_view metric, std::string_view value);

    /// What an administrator's verb answers; see scene_administrator.h.
    std::vector<std::string> administer(const std::string& line);
    /// The same, but the scene goes on meanwhile.
    void begin_administering(const std::string& line);
    /// What that answered; blocks until it has.
    std::vector<std::string> administered();
    /// What `causewayctl why` says of a message: its explanation, or why there is none.
    std::string explanation(const std::string& id, const std::string& from = {});

private:
    [[nodiscard]] std::shared_ptr<const Config> configuration() const;
    void commit(Batch batch);
    /// The running server; a step that needs it fails while it is down.
    Server& up();

    SceneWorld& world_;
    SceneCertificates& certificates_;
    ServerPlan plan_;
    std::vector<std::string> dropped_;  ///< domains that it serves no more
    unsigned machine_;
    unsigned shards_;
    std::string store_name_;
    std::unique_ptr<Store> store_;
    std::optional<LifetimeClock::Mark> last_lifetime_;
    std::map<std::string, Roster> written_;  ///< rosters as add_contact() made them
    std::unique_ptr<Server> server_;
    std::unique_ptr<ServerOperations> operations_;
    std::shared_ptr<std::vector<std::string>> administered_;  ///< what was begun; empty until then
};

}  // namespace causeway::scene
