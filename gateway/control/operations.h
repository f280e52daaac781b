// Operations: what the control socket can ask of the server, as one abstract interface with plain
// rows. The command table calls it; the server implements it; tests replace it. Nothing here knows
// of JSON.
//
// Threads: every call is made on the control thread, and every answer must be given on the control
// thread, exactly once, from within the call or later. The implementation outlives the control
// server. Failures: absent (names something that does not exist), malformed (not a JID, not a
// level), refused or policy (our no, with the reason), retry (a queue is full, the disk failed).
// The `why` text is shown to the admin as it is: a sentence without a full stop, such as "no
// account juliet@a.test".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"
#include "gateway/xmpp/jid.h"

namespace causeway::control {

template <class T>
using Answer = std::function<void(Result<T>)>;
using Done = std::function<void(Outcome)>;

/// Where a listing goes on. `after` is empty for the first page, else the `next` of the page
/// before.
struct PageRequest {
    std::string after;
    std::size_t limit =
        500;  ///< a hint: a page may hold more where that is simpler, such as a shard
};

/// One page of a listing. `next` is opaque to the caller (a key, a shard's number); empty at the
/// end. A page without rows but with a `next` is allowed.
template <class Row>
struct Page {
    std::vector<Row> rows;
    std::string next;
};

// ---- status ----

/// A domain that is served here.
struct DomainStatus {
    std::string name;
    UnixMillis certificate_expires = 0;  ///< 0: no certificate
    std::string certificate_issuer;      ///< as a distinguished name; may be empty
    std::uint64_t sessions = 0;
};

/// An endpoint on which the server listens.
struct ListenerStatus {
    std::string kind;     ///< the option that asked for it, such as "c2s.listen_tls"
    std::string address;  ///< "127.0.1.1:5223"
};

/// The state of the process, summed over its shards.
struct Status {
    std::string version;
    std::int64_t process = 0;  ///< process id
    UnixMillis started = 0;
    UnixMillis now = 0;
    bool draining = false;
    std::uint64_t shards = 0;
    std::vector<DomainStatus> domains;
    std::vector<ListenerStatus> listeners;
    std::uint64_t sessions = 0;                 ///< bound and connected
    std::uint64_t sessions_detached = 0;        ///< waiting to be resumed
    std::uint64_t connections_negotiating = 0;  ///< accepted, not yet authenticated and bound
    std::uint64_t peers_inbound = 0;
    std::uint64_t peers_outbound = 0;
    std::uint64_t peers_connecting = 0;
    std::uint64_t queued_domains = 0;
    std::uint64_t queued_stanzas = 0;
    std::uint64_t queued_bytes = 0;
    std::uint64_t resident_bytes = 0;  ///< of the process
    std::uint64_t log_dropped = 0;     ///< log events that standard error did not take
    std::string store_failure;         ///< why the last commit failed; empty: it did not
    std::uint64_t store_failed = 0;    ///< commits that failed since the start
};

// ---- accounts ----

/// An account to be added, or to get a new password.
struct NewAccount {
    std::string jid;
    std::string password;
};

/// What became of a bulk request: every account either counts as added or stands in `failures`.
struct BulkResult {
    struct Failure {
        std::size_t index = 0;  ///< position in the request
        Outcome outcome;
    };
    std::uint64_t added = 0;
    std::vector<Failure> failures;
};

/// One account of a listing.
struct UserRow {
    std::string jid;
    bool disabled = false;
    UnixMillis created = 0;  ///< 0: not known
};

/// What a feature says of an account, such as "takes part in": "messages, by its own profile".
struct UserFact {
    std::string title;
    std::string text;
};

/// All that is told of one account.
struct UserDetail {
    UserRow user;
    std::vector<std::string> mechanisms;  ///< whose keys are stored, such as "SCRAM-SHA-256"
    std::uint64_t iterations = 0;
    std::uint64_t sessions = 0;
    std::uint64_t contacts = 0;
    std::uint64_t offline_stanzas = 0;
    std::uint64_t offline_bytes = 0;
    std::vector<UserFact> facts;
};

// ---- sessions ----

/// What a stream is encrypted with; both empty where there is no TLS.
struct TlsInfo {
    std::string version;  ///< "TLSv1.3"
    std::string cipher;   ///< "TLS_AES_256_GCM_SHA384"
};

/// One session of a listing.
struct SessionRow {
    std::string jid;  ///< bare
    std::string resource;
    std::string state;      ///< "available", "unavailable" (no presence sent yet) or "detached"
    std::string transport;  ///< "starttls", "tls" or "websocket"
    TlsInfo tls;
    std::string mechanism;        ///< how it authenticated, such as "SCRAM-SHA-256-PLUS"
    std::string address;          ///< "192.0.2.7:51334", "[2001:db8::1]:51334"
    std::optional<int> priority;  ///< of its last available presence
    UnixMillis since = 0;         ///< bound at
    std::uint64_t unacked = 0;    ///< stanzas sent and not yet acknowledged (XEP-0198)
    bool resumable = false;       ///< stream management with resumption is on
};

// ---- peers and queues ----

enum class Direction : unsigned char { inbound, outbound };

/// One domain pair on one server-to-server stream, or an attempt at one.
struct PeerRow {
    std::string domain;  ///< the remote one
    std::string local;   ///< ours
    Direction direction = Direction::outbound;
    std::string state;  ///< "resolving", "connecting", "negotiating", "established" or "waiting"
    std::string authentication;  ///< "external", "dialback" or empty while there is none
    TlsInfo tls;
    std::string target;      ///< outbound: the SRV target's host and port
    std::string address;     ///< of the other end
    std::string last_error;  ///< of the latest failure, empty if it never failed
    UnixMillis last_error_at = 0;
    UnixMillis since = 0;       ///< in this state
    UnixMillis next_retry = 0;  ///< 0: none planned
    std::uint64_t queued = 0;   ///< stanzas waiting for the domain, in memory and store
};

/// A target that discovery found, in the order of trying.
struct TargetRow {
    std::string host;
    std::uint16_t port = 0;
    bool direct_tls = false;
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::vector<std::string> addresses;
    std::string last_error;
};

/// What waits for one remote domain.
struct QueueRow {
    std::string domain;
    std::uint64_t stanzas = 0;
    std::uint64_t bytes = 0;
    UnixMillis oldest = 0;      ///< when the oldest was received
    UnixMillis next_retry = 0;  ///< 0: none planned
    std::uint64_t attempts = 0;
    std::string last_error;
};

/// All that is told of one remote domain.
struct PeerDetail {
    std::string domain;
    std::vector<PeerRow> links;
    std::vector<TargetRow> targets;
    std::optional<QueueRow> queue;
};

/// One waiting stanza. Never its body.
struct QueuedStanza {
    std::uint64_t id = 0;
    std::string from;
    std::string to;
    std::string kind;  ///< "message chat", "presence subscribe", …
    UnixMillis at = 0;
    UnixMillis expires = 0;
    std::uint64_t attempts = 0;
    std::uint64_t bytes = 0;
};

// ---- the running server ----

/// What a reload did with one changed option or certificate.
struct ReloadChange {
    std::string option;   ///< "limits.roster", "tls a.test"
    std::string applies;  ///< "live", "new-streams" or "restart" (not in force until a restart)
};

/// See the head of this file for threads and failures. JIDs and domains arrive as the admin wrote
/// them: parsing and preparing them, and saying malformed, is the implementation's part.
class Operations {
public:
    Operations() = default;
    Operations(const Operations&) = delete;
    Operations& operator=(const Operations&) = delete;
    virtual ~Operations() = default;

    virtual void status(Answer<Status> answer) = 0;

    /// `iterations` of the SCRAM keys; 0: the default. Refused if the account exists.
    virtual void add_user(NewAccount account, std::uint32_t iterations, Done done) = 0;
    /// Each account on its own: one that fails does not keep the others out.
    virtual void add_users(std::vector<NewAccount> accounts, std::uint32_t iterations,
                           Answer<BulkResult> answer) = 0;
    virtual void set_password(NewAccount account, std::uint32_t iterations, Done done) = 0;
    /// Ends its sessions and removes everything stored for it.
    virtual void remove_user(std::string jid, Done done) = 0;
    /// By JID; `domain` empty: all. Absent if the domain is not served here.
    virtual void list_users(std::string domain, PageRequest page, Answer<Page<UserRow>> answer) = 0;
    virtual void show_user(std::string jid, Answer<UserDetail> answer) = 0;
    /// Disabling also ends its sessions. No error if it already is as asked.
    virtual void set_user_disabled(std::string jid, bool disabled, Done done) = 0;

    /// `jid` empty: all; bare: its sessions; full: that one. Absent if there is no such account or,
    /// for a full JID, no such session.
    virtual void list_sessions(std::string jid, PageRequest page,
                               Answer<Page<SessionRow>> answer) = 0;
    /// Ends the stream with a stream error; not resumable after that.
    virtual void kill_session(std::string full_jid, Done done) = 0;

    virtual void list_peers(PageRequest page, Answer<Page<PeerRow>> answer) = 0;
    /// Absent if there is neither a link, nor an attempt, nor a queue, nor a remembered failure.
    virtual void show_peer(std::string domain, Answer<PeerDetail> answer) = 0;
    /// Closes every stream with that domain; answers how many. Absent if there was none.
    virtual void close_peer(std::string domain, Answer<std::uint64_t> answer) = 0;
    /// Forgets backoff and cached failures and tries now. Absent as in show_peer.
    virtual void retry_peer(std::string domain, Done done) = 0;

    virtual void list_queues(PageRequest page, Answer<Page<QueueRow>> answer) = 0;
    /// Oldest first. An empty first page is reported to the admin as absent.
    virtual void show_queue(std::string domain, PageRequest page,
                            Answer<Page<QueuedStanza>> answer) = 0;
    /// Drops the waiting stanzas without errors to their senders; answers how many. Absent if none.
    virtual void drop_queue(std::string domain, Answer<std::uint64_t> answer) = 0;

    /// Reads the configuration and the certificates again. Malformed (file:line:column, what is
    /// wrong, what would be right) leaves everything as it was.
    virtual void reload(Answer<std::vector<ReloadChange>> answer) = 0;
    /// "error", "warn", "info" or "debug".
    virtual void set_log_level(std::string level, Done done) = 0;
    /// Answers when the drain has begun; the control server is to be destroyed last. nullopt: the
    /// configured time.
    virtual void shutdown(std::optional<std::uint32_t> drain_seconds, Done done) = 0;

    /// That there is no such account, in words that name the domains here where its own is none.
    [[nodiscard]] virtual Outcome no_account(const Jid& account) const = 0;
};

}  // namespace causeway::control
