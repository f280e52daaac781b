// Accounts, for the control socket; see operations.h.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "gateway/control/accounts.h"
#include "gateway/server/operations.h"
#include "gateway/server/operations_gather.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "gateway/session/roster.h"

namespace causeway {
namespace {

using control::Answer;
using control::BulkResult;
using control::Done;
using control::NewAccount;
using control::Page;
using control::PageRequest;
using control::UserDetail;
using control::UserRow;

constexpr std::string_view offline_store = AccountInbox::store_name;
constexpr std::size_t offline_page = 100;
/// Entries that an account may have in its store, for the size of a page.
constexpr std::size_t entries_per_account = 4;
constexpr std::size_t least_entries = 64;
/// After every key of an owner.
constexpr std::string_view past_all_keys = "\x7f";

/// Ends the sessions of the account, on its home shard.
void evict(Hub& hub, std::string_view bare, std::string_view text) {
    if (Account* user = hub.accounts->find(bare))
        user->sessions().evict_all(stream_error::not_authorized, text);
}

/// The account was disabled or enabled: its owner's sessions end, and presence that somebody
/// published in its name is shown as long as it is enabled, whether it was in use or not.
void take_up(Hub& hub, const std::string& bare, bool disabled) {
    hub.accounts->forget(bare);
    if (disabled) evict(hub, bare, "the account was disabled");
    Account& account = hub.accounts->get(bare);
    account.when_loaded([&account](const Outcome& loaded) {
        if (loaded) account.presence().settle_published();
    });
}

/// An account and everything kept for it go: it may log in no more, its sessions end, its contacts
/// hear of it (RFC 6121 §3.2, §3.3), then its data goes in one piece, and last what came meanwhile.
/// If something fails on the way the account stays, disabled, and may be removed again.
class Removal : public std::enable_shared_from_this<Removal> {
public:
    Removal(Server& server, Executor& home, Jid account, Done done)
        : server_(server),
          home_(home),
          hub_(*server.home_of(account.bare()).hub),
          account_(std::move(account)),
          done_(std::move(done)) {}

    void start() {
        Batch batch;
        batch.map_set(account_store::store_name, account_.bare(), account_store::disabled_key, "1");
        commit(std::move(batch), [self = shared_from_this()] { self->part_from_contacts(); });
    }

private:
    void commit(Batch batch, std::function<void()> then) {
        server_.shared().store.commit(
            std::move(batch), home_,
            [self = shared_from_this(), then = std::move(then)](const Outcome& outcome) {
                if (outcome) {
                    then();
                } else {
                    self->done_(outcome);
                }
            });
    }

    void part_from_contacts() {
        hub_.shard.post([self = shared_from_this()] {
            Account& user = self->hub_.accounts->get(self->account_.bare());
            user.when_loaded([self, &user](const Outcome& loaded) { self->part(user, loaded); });
        });
    }

    void part(Account& user, const Outcome& loaded) {
        if (!loaded) {
            home_.post([self = shared_from_this(), loaded] { self->done_(loaded); });
            return;
        }
        user.sessions().evict_all(stream_error::not_authorized, "the account was removed");
        user.presence().end_published();
        for (const auto& [key, item] : user.roster().items().items()) {
            if (item.state.from || item.state.pending_in) tell(item.jid, StanzaType::unsubscribed);
            if (item.state.to || item.state.pending_out) tell(item.jid, StanzaType::unsubscribe);
        }
        // What the sessions still held is then on its way into the store, ahead of what follows.
        after_turn(hub_.shard,
                   [self = shared_from_this()] { self->home_.post([self] { self->erase(); }); });
    }

    void tell(const Jid& contact, StanzaType type) const {
        hub_.routing->route(Packet::make(StanzaKind::presence, type, account_, contact, {}, {}));
    }

    void erase() {
        Batch batch;
        batch.map_clear(account_store::store_name, account_.bare());
        clear_rest(batch);
        commit(std::move(batch), [self = shared_from_this()] {
            self->hub_.shard.post([self] {
                self->hub_.ledger.forget_archive(self->account_.bare());
                self->hub_.accounts->forget(self->account_.bare());
                after_turn(self->hub_.shard,
                           [self] { self->home_.post([self] { self->erase_latecomers(); }); });
            });
        });
    }

    void erase_latecomers() {
        Batch batch;
        clear_rest(batch);
        commit(std::move(batch), [self = shared_from_this()] { self->done_({}); });
    }

    void clear_rest(Batch& batch) const {
        account_store::plan_clear(batch, server_.shared().features, account_.bare());
    }

    Server& server_;
    Executor& home_;
    Hub& hub_;
    const Jid account_;
    const Done done_;
};

/// Rows of accounts from their entries, in order.
std::vector<UserRow> rows_of(const std::vector<MapEntry>& entries) {
    std::vector<UserRow> rows;
    bool account = false;
    const auto finish = [&] {
        if (!rows.empty() && !account) rows.pop_back();
        account = false;
    };
    for (const MapEntry& entry : entries) {
        if (rows.empty() || rows.back().jid != entry.owner) {
            finish();
            rows.push_back({.jid = entry.owner});
        }
        if (entry.key == account_store::credentials_key) account = true;
        if (entry.key == account_store::disabled_key) rows.back().disabled = true;
        if (entry.key == account_store::created_key) {
            rows.back().created = std::strtoll(entry.value.c_str(), nullptr, 10);
        }
    }
    finish();
    return rows;
}

/// What its home shard knows of an account, and what features say of it, once it is loaded.
void look_at(Hub& hub, Executor& home, UserDetail detail, std::function<void(UserDetail)> then,
             Answer<UserDetail> answer) {
    hub.shard.post([&hub, &home, detail = std::move(detail), then = std::move(then),
                    answer = std::move(answer)] {
        Account& account = hub.accounts->get(detail.user.jid);
        account.when_loaded([&account, &home, detail, then, answer](const Outcome& loaded) mutable {
            if (!loaded) {
                home.post([answer, loaded] { answer(loaded); });
                return;
            }
            detail.sessions = account.sessions().size();
            for (const AccountData& data : account.hub().shared.features.account_data()) {
                if (data.tell == nullptr) continue;
                detail.facts.push_back({std::string(data.title), data.tell(account)});
            }
            home.post([then, detail] { then(detail); });
        });
    });
}

/// Counts the stored messages of an account, page by page.
void count_offline(Server& server, Executor& home, UserDetail detail, std::uint64_t after,
                   Answer<UserDetail> answer) {
    server.shared().store.log_list(
        std::string(offline_store), detail.user.jid, after, offline_page, home,
        [&server, &home, detail,
         answer = std::move(answer)](const Result<std::vector<LogRow>>& rows) mutable {
            if (!rows) {
                answer(rows.error());
                return;
            }
            detail.offline_stanzas += rows->size();
            for (const LogRow& row : *rows) detail.offline_bytes += row.body.size();
            if (rows->size() < offline_page) {
                answer(std::move(detail));
            } else {
                const std::uint64_t last = rows->back().id;
                count_offline(server, home, std::move(detail), last, std::move(answer));
            }
        });
}

}  // namespace

// ---- changes ----

void ServerOperations::add_user(NewAccount account, std::uint32_t iterations, Done done) {
    const auto jid = new_account_of(account.jid);
    if (!jid) {
        wipe(account.password);
        done(jid.error());
        return;
    }
    changes_.submit(AccountChanges::Kind::add, std::string(jid->bare()),
                    std::move(account.password), iterations, std::move(done));
}

void ServerOperations::add_users(std::vector<NewAccount> accounts, std::uint32_t iterations,
                                 Answer<BulkResult> answer) {
    struct State {
        BulkResult result;
        std::size_t missing;
        Answer<BulkResult> answer;

        void count(std::size_t index, const Outcome& outcome) {
            if (outcome) {
                ++result.added;
            } else {
                result.failures.push_back({index, outcome});
            }
            if (--missing != 0) return;
            std::ranges::sort(result.failures, {}, &BulkResult::Failure::index);
            answer(std::move(result));
        }
    };
    if (accounts.empty()) {
        answer(BulkResult{});
        return;
    }
    const auto state = std::make_shared<State>(State{{}, accounts.size(), std::move(answer)});
    for (std::size_t index = 0; index < accounts.size(); ++index) {
        add_user(std::move(accounts[index]), iterations,
                 [state, index](const Outcome& outcome) { state->count(index, outcome); });
    }
}

void ServerOperations::set_password(NewAccount account, std::uint32_t iterations, Done done) {
    const auto jid = control::account_of(account.jid);
    if (!jid) {
        wipe(account.password);
        done(jid.error());
        return;
    }
    changes_.submit(AccountChanges::Kind::set_password, std::string(jid->bare()),
                    std::move(account.password), iterations, std::move(done));
}

void ServerOperations::remove_user(std::string jid, Done done) {
    with_account_locked(jid, std::move(done), [this](const Jid& account, const Done& leave) {
        std::make_shared<Removal>(server_, home_, account, leave)->start();
    });
}

void ServerOperations::set_user_disabled(std::string jid, bool disabled, Done done) {
    with_account_locked(
        jid, std::move(done), [this, disabled](const Jid& account, const Done& leave) {
            const std::string bare(account.bare());
            Batch batch;
            if (disabled) {
                batch.map_set(account_store::store_name, bare, account_store::disabled_key, "1");
            } else {
                batch.map_erase(account_store::store_name, bare, account_store::disabled_key);
            }
            server_.shared().store.commit(std::move(batch), home_,
                                          [this, bare, disabled, leave](const Outcome& outcome) {
                                              if (!outcome) {
                                                  leave(outcome);
                                                  return;
                                              }
                                              ask<bool>(
                                                  server_.home_of(bare), home_,
                                                  [bare, disabled](Server::Part& part) {
                                                      take_up(*part.hub, bare, disabled);
                                                      return true;
                                                  },
                                                  [leave](bool) { leave({}); });
                                          });
        });
}

// ---- views ----

void ServerOperations::list_users(std::string domain, PageRequest page,
                                  Answer<Page<UserRow>> answer) {
    std::string suffix;
    if (!domain.empty()) {
        const auto prepared = prepare_domain(domain);
        if (!prepared || !serves(*prepared)) {
            answer(not_served(domain, Cause::absent));
            return;
        }
        suffix = "@" + *prepared;
    }
    const std::size_t limit = std::max(page.limit * entries_per_account, least_entries);
    server_.shared().store.map_scan(
        std::string(account_store::store_name), page.after,
        std::string(page.after.empty() ? std::string_view{} : past_all_keys), limit, home_,
        [suffix, limit, answer = std::move(answer)](Result<std::vector<MapEntry>> entries) {
            if (!entries) {
                answer(entries.error());
                return;
            }
            Page<UserRow> found;
            if (entries->size() >= limit) {
                // The last account may go on: it comes with the next page.
                const auto last =
                    std::ranges::find(*entries, entries->back().owner, &MapEntry::owner);
                if (last != entries->begin()) entries->erase(last, entries->end());
                found.next = entries->back().owner;
            }
            found.rows = rows_of(*entries);
            std::erase_if(found.rows,
                          [&](const UserRow& row) { return !row.jid.ends_with(suffix); });
            answer(std::move(found));
        });
}

void ServerOperations::show_user(std::string jid, Answer<UserDetail> answer) {
    const auto account = control::account_of(jid);
    if (!account) {
        answer(account.error());
        return;
    }
    const std::string bare(account->bare());
    const auto with_roster = [this, bare, answer](UserDetail detail) {
        server_.shared().store.map_list(
            std::string(Roster::store_name), bare, home_,
            [this, detail = std::move(detail),
             answer](const Result<std::vector<MapEntry>>& entries) mutable {
                if (!entries) {
                    answer(entries.error());
                    return;
                }
                detail.contacts = Roster::from_store(detail.user.jid, *entries).listed_count();
                count_offline(server_, home_, std::move(detail), 0, answer);
            });
    };
    server_.shared().store.map_list(
        std::string(account_store::store_name), bare, home_,
        [this, account = *account, bare, answer,
         with_roster](const Result<std::vector<MapEntry>>& entries) {
            const auto found = entries
                                   ? account_store::from_entries(*entries)
                                   : Result<std::optional<account_store::Record>>(entries.error());
            if (!found || !found->has_value()) {
                answer(found ? no_account(account) : found.error());
                return;
            }
            UserDetail detail;
            detail.user = {
                .jid = bare, .disabled = (*found)->disabled, .created = (*found)->created};
            for (const ScramHash hash : scram_hashes) {
                detail.mechanisms.emplace_back(scram_mechanism(hash, false));
                const std::uint64_t iterations = (*found)->credentials.of(hash).iterations;
                detail.iterations = std::max(detail.iterations, iterations);
            }
            look_at(*server_.home_of(bare).hub, home_, std::move(detail), with_roster, answer);
        });
}

}  // namespace causeway
