#include "gateway/server/operations_accounts.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"

namespace causeway {

void AccountLocks::enter(const std::string& bare, std::function<void()> task) {
    const auto [entry, first] = waiting_.try_emplace(bare);
    if (first) {
        task();
    } else {
        entry->second.push_back(std::move(task));
    }
}

void AccountLocks::leave(const std::string& bare) {
    const auto entry = waiting_.find(bare);
    if (entry == waiting_.end()) return;
    if (entry->second.empty()) {
        waiting_.erase(entry);
        return;
    }
    const std::function<void()> next = std::move(entry->second.front());
    entry->second.pop_front();
    next();
}

void AccountChanges::submit(Kind kind, std::string bare, std::string password,
                            std::uint32_t iterations, control::Done done) {
    waiting_.push_back(std::make_shared<Change>(
        Change{.kind = kind,
               .bare = std::move(bare),
               .password = std::move(password),
               .iterations = iterations == 0 ? default_scram_iterations : iterations,
               .done = std::move(done)}));
    start_some();
}

void AccountChanges::start_some() {
    while (under_way_ < under_way_limit && !waiting_.empty()) {
        const ChangePointer change = std::move(waiting_.front());
        waiting_.pop_front();
        ++under_way_;
        locks_.enter(change->bare, [this, change] { look(change); });
    }
}

void AccountChanges::look(const ChangePointer& change) {
    server_.shared().store.map_get(
        std::string(account_store::store_name), change->bare,
        std::string(account_store::credentials_key), home_,
        [this, change](const Result<std::optional<std::string>>& found) {
            if (!found) {
                finish(change, found.error());
            } else if (change->kind == Kind::add && found->has_value()) {
                finish(change, Outcome::refused(
                                   fmt::format("the account {} exists already", change->bare)));
            } else if (change->kind == Kind::set_password && !found->has_value()) {
                finish(change, Outcome::absent(fmt::format("no account {}", change->bare)));
            } else {
                to_derive_.push_back(change);
                derive_some();
            }
        });
}

void AccountChanges::derive_some() {
    while (deriving_ < deriving_limit && !to_derive_.empty()) {
        const ChangePointer change = std::move(to_derive_.front());
        to_derive_.pop_front();
        derive(change);
    }
}

void AccountChanges::derive(const ChangePointer& change) {
    ++deriving_;
    const bool taken = server_.shared().workers.run([this, change] {
        auto made = make_credentials(change->password, change->iterations);
        wipe(change->password);
        if (made) {
            change->credentials = std::move(*made);
        } else {
            change->derived = made.error();
        }
        home_.post([this, change] {
            --deriving_;
            commit(change);
            derive_some();
        });
    });
    if (!taken) {
        --deriving_;
        finish(change, Outcome::retry("too many logins are waiting for their keys; try again"));
    }
}

void AccountChanges::commit(const ChangePointer& change) {
    if (!change->derived) {
        finish(change, change->derived);
        return;
    }
    const bool added = change->kind == Kind::add;
    Batch batch;
    // What came for an account of that name in the moment of its removal is not for this one.
    if (added) account_store::plan_clear(batch, server_.shared().features, change->bare);
    account_store::plan(batch, change->bare, change->credentials,
                        added ? server_.shared().clock.wall() : 0);
    server_.shared().store.commit(
        std::move(batch), home_, [this, change, added](const Outcome& outcome) {
            if (outcome && added) {
                // Somebody may have written to it before it existed.
                Hub& home = *server_.home_of(change->bare).hub;
                home.shard.post([&home, bare = change->bare] { home.accounts->forget(bare); });
            }
            finish(change, outcome);
        });
}

void AccountChanges::finish(const ChangePointer& change, const Outcome& outcome) {
    wipe(change->password);
    locks_.leave(change->bare);
    --under_way_;
    std::exchange(change->done, nullptr)(outcome);
    start_some();
}

}  // namespace causeway
