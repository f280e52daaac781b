// Accounts: the accounts of one home shard that are in use, by bare JID. An account is loaded when
// somebody needs it and dropped, oldest first, once nobody does.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/base/string_hash.h"
#include "gateway/session/account.h"

namespace causeway {

class Accounts {
public:
    /// Accounts without a session that are kept loaded, per shard.
    static constexpr std::size_t idle_limit = 1024;

    explicit Accounts(Hub& hub) : hub_(hub) {}

    /// The account; it is loaded if that has not been done.
    Account& get(std::string_view bare);
    /// Only if it is loaded.
    [[nodiscard]] Account* find(std::string_view bare);
    /// The control socket changed or removed its stored data: it is loaded again.
    void forget(std::string_view bare);
    /// The account has nothing to do any more; it may be dropped later.
    void idle(Account& user);

    [[nodiscard]] std::size_t size() const { return accounts_.size(); }
    [[nodiscard]] std::size_t session_count() const;
    /// Every account in use.
    void each(const std::function<void(Account&)>& visit);
    /// For listings: every account with at least one session.
    void each_online(const std::function<void(Account&)>& visit);

private:
    struct Entry {
        std::unique_ptr<Account> account;
        std::list<Account*>::iterator idle = {};  ///< its place there, if it is `listed`
        bool listed = false;
    };

    Hub& hub_;
    std::unordered_map<std::string, Entry, StringHash, std::equal_to<>> accounts_;
    /// Those that came to rest, each once, oldest first; one may have something to do again.
    std::list<Account*> idle_;
};

}  // namespace causeway
