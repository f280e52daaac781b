// AccountChanges: new accounts and new passwords, a bounded number at a time however many are asked
// for, so that a list of 100,000 accounts fills neither the queue of the workers, where logins wait
// as well, nor that of the store. AccountLocks: changes of one account come one after the other,
// since each looks before it writes. Both belong to the control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/control/operations.h"
#include "gateway/sasl/scram_keys.h"
#include "gateway/server/server.h"

namespace causeway {

class AccountLocks {
public:
    /// Runs `task` now, or when those before it on that account have left.
    void enter(const std::string& bare, std::function<void()> task);
    /// The change of the account is over, however it ended.
    void leave(const std::string& bare);

private:
    std::unordered_map<std::string, std::deque<std::function<void()>>> waiting_;
};

class AccountChanges {
public:
    /// Changes that are under way between their look into the store and their commit.
    static constexpr std::size_t under_way_limit = 256;
    /// Key derivations that the workers have at a time: a login waits behind no more than these.
    static constexpr std::size_t deriving_limit = 8;

    enum class Kind : unsigned char { add, set_password };

    /// Everything is called on the thread of `home`. The parts outlive this, and no work is left
    /// with the workers or the store when it goes.
    AccountChanges(Server& server, Executor& home, AccountLocks& locks)
        : server_(server), home_(home), locks_(locks) {}
    AccountChanges(const AccountChanges&) = delete;
    AccountChanges& operator=(const AccountChanges&) = delete;

    /// `bare` is normalised and its domain is served. `iterations`: 0 for the usual number. Refused
    /// if an account to add exists, absent if one to change does not, malformed for a password that
    /// cannot be prepared.
    void submit(Kind kind, std::string bare, std::string password, std::uint32_t iterations,
                control::Done done);

private:
    struct Change {
        Kind kind;
        std::string bare;
        std::string password;
        std::uint32_t iterations;
        control::Done done;
        Outcome derived = {};
        Credentials credentials = {};
    };
    using ChangePointer = std::shared_ptr<Change>;

    void start_some();
    void look(const ChangePointer& change);
    void derive(const ChangePointer& change);
    void derive_some();
    void commit(const ChangePointer& change);
    void finish(const ChangePointer& change, const Outcome& outcome);

    Server& server_;
    Executor& home_;
    AccountLocks& locks_;
    std::deque<ChangePointer> waiting_;
    std::deque<ChangePointer> to_derive_;
    std::size_t under_way_ = 0;
    std::size_t deriving_ = 0;
};

}  // namespace causeway
