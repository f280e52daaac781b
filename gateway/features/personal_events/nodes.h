// AccountNodes: the nodes of one account, in memory while the account is: their settings and what
// their items come to. The items stay in the store. What is asked is done one after the other, and
// a change is seen only once it is durable. An account without nodes has none of this.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/feature/slots.h"
#include "gateway/features/personal_events/model.h"
#include "gateway/features/personal_events/request.h"
#include "gateway/session/account.h"

namespace causeway::personal_events {

using Nodes = std::map<std::string, Node, std::less<>>;

class AccountNodes final : public SlotState {
public:
    /// Requests of an account that wait for those before them.
    static constexpr std::size_t waiting_limit = 1000;

    explicit AccountNodes(Account& account) : account_(account) {}

    /// nullptr: the account has no nodes.
    static AccountNodes* of(const Account& account);
    /// Takes over what the store has of the account.
    static void load(Account& account, const std::vector<MapEntry>& entries);
    /// Does `task` when all before it is done; it calls done() of what it is given, once. False:
    /// too much is waiting. On the account's home, once it is loaded.
    static bool enqueue(Account& account, std::function<void(AccountNodes&)> task);

    [[nodiscard]] Account& account() const { return account_; }
    [[nodiscard]] Hub& hub() const { return account_.hub(); }
    [[nodiscard]] const Nodes& all() const { return nodes_; }
    /// nullptr: there is none of that name.
    [[nodiscard]] const Node* find(std::string_view name) const;
    /// Of all items.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    /// The task that runs is at its end. It does not touch this object afterwards.
    void done();

    /// Commits what the batch holds and the node; then the node is as given, and `then` is told.
    /// The settings are written only if `with_settings`.
    void store(Batch batch, const std::string& name, const Node& node, bool with_settings,
               std::function<void(bool)> then);
    /// Clients were told of the newest item of the node, if it is there.
    void told(const std::string& name, Moment moment);
    /// Commits the batch; then the node is gone.
    void erase(Batch batch, const std::string& name, std::function<void(bool)> then);

    // Items; a failure is that of the store.
    using Items = std::function<void(Result<std::vector<Item>>)>;
    /// All of a node, newest first.
    void read_all(const std::string& name, Items then);
    /// Those of them that exist.
    void read(const std::string& name, std::vector<std::string> ids, Items then);

private:
    enum class State : unsigned char {
        idle,
        starting,  ///< a task was called and has not returned
        ended,     ///< and has said that it is done
        waiting,   ///< a task goes on later
    };
    struct Scan;

    void run();
    void set(const std::string& name, Node node);
    void scan(const std::shared_ptr<Scan>& scan);

    Account& account_;
    Nodes nodes_;
    std::uint64_t bytes_ = 0;
    std::deque<std::function<void(AccountNodes&)>> waiting_;
    State state_ = State::idle;
};

}  // namespace causeway::personal_events
