// ClientTable: the client streams and sessions of one shard, and their bounds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "c2s/client_session.h"
#include "c2s/client_stream.h"

namespace causeway {

class ClientTable {
public:
    explicit ClientTable(Hub& hub);
    ClientTable(const ClientTable&) = delete;
    ClientTable& operator=(const ClientTable&) = delete;
    ~ClientTable();

    /// A connection that arrived; refused (closed) beyond the limits on the unauthenticated.
    void accept(std::unique_ptr<Channel> channel);
    /// A stream that authenticated on another shard and whose account lives here.
    void adopt(MovingClient moving);
    /// Takes a stream's channel to the account's shard.
    void move(ClientStream& stream, Hub& home, MovingClient moving);

    /// Makes the session of a newly bound resource.
    ClientSession& create(Jid full);
    /// The session that `token` resumes, among those of the account; nullptr if there is none.
    [[nodiscard]] ClientSession* find_resumable(const Jid& account, std::string_view token);
    /// How many of its sessions can go on after a restart.
    [[nodiscard]] std::size_t kept_of(const Account& user) const;
    /// How many sessions of the account are waiting to be resumed.
    [[nodiscard]] std::size_t detached_of(Account& user) const;

    /// They have ended; freed at the end of the turn.
    void remove(ClientStream& stream);
    void remove(ClientSession& session);
    /// The stream is no longer among the unauthenticated.
    void authenticated(const ClientStream& stream);

    [[nodiscard]] std::size_t negotiating() const { return unauthenticated_; }
    void each_session(const std::function<void(ClientSession&)>& visit);
    /// Ends every stream with system-shutdown (RFC 6120 §4.9.3.19).
    void shut_down();
    /// Ends the sessions whose streams are gone, which go on in the next process.
    void end_detached();

    /// The hub of this table's shard.
    [[nodiscard]] Hub& hub() { return hub_; }

private:
    Hub& hub_;
    std::unordered_map<ClientStream*, std::unique_ptr<ClientStream>> streams_;
    std::unordered_map<ClientSession*, std::unique_ptr<ClientSession>> sessions_;
    std::unordered_map<const ClientStream*, std::string> prefixes_;  ///< of the unauthenticated
    std::map<std::string, std::size_t> per_prefix_;
    std::size_t unauthenticated_ = 0;
    std::vector<ClientTable*> all_;
    bool closing_ = false;

    friend class ClientTables;
};

/// The tables of all shards, so that a stream finds its home.
class ClientTables {
public:
    void add(ClientTable& table) { tables_.push_back(&table); }
    /// Call once all are added.
    void connect() {
        for (ClientTable* table : tables_) table->all_ = tables_;
    }
    [[nodiscard]] const std::vector<ClientTable*>& all() const { return tables_; }

private:
    std::vector<ClientTable*> tables_;
};

}  // namespace causeway
