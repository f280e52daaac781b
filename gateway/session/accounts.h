// Accounts: the accounts of one home shard that are in use, by bare JID. An account is loaded when
// somebody needs it and dropped, oldest first, once nobody does.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/session/account.h"

namespace causeway {

class Accounts {
public:
    /// Accounts without a session that are kept loaded, per shard.
    static constexpr std::size_t idle_limit = 1024;

    explicit Accounts(Hub& hub) : hub_(hub) {}

    /// The account, loading it if need be.
    Account& get(std::string_view bare);
    /// Only if it is loaded.
    [[nodiscard]] Account* find(std::string_view bare);
    /// Its stored data changed behind its back (control socket), or it was removed: reload it.
    void forget(std::string_view bare);
    /// The user has nothing to do any more; it may be dropped later.
    void idle(Account& user);

    [[nodiscard]] std::size_t size() const { return accounts_.size(); }
    [[nodiscard]] std::size_t session_count() const;
    /// For listings: every user with at least one resource.
    void each_online(const std::function<void(Account&)>& visit);

private:
    Hub& hub_;
    std::unordered_map<std::string, std::unique_ptr<Account>, StringHash, std::equal_to<>>
        accounts_;
    std::list<std::string> idle_;  ///< oldest first; an entry may be stale
};

}  // namespace causeway
