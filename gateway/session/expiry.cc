#include "gateway/session/expiry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "gateway/base/log.h"
#include "gateway/session/accounts.h"

namespace causeway {
namespace {

std::string_view itself(std::string_view owner) { return owner; }

/// The queue of a pair of domains belongs to "remote local".
std::string_view remote_domain(std::string_view owner) { return owner.substr(0, owner.find(' ')); }

StanzaError offline_gone(Hub& home, std::string_view owner, std::size_t, std::size_t) {
    if (Account* account = home.accounts->find(owner)) account->inbox().recount();
    return {.condition = StanzaCondition::recipient_unavailable,
            .text = "The message was kept for the recipient, who did not collect it in time.",
            .type = "cancel"};
}

StanzaError outbound_gone(Hub& home, std::string_view owner, std::size_t rows, std::size_t bytes) {
    std::string text = "It could not be delivered in time.";
    if (const std::string cause = home.remote->expired(owner, rows, bytes); !cause.empty()) {
        text += ' ' + cause;
    }
    return {.condition = StanzaCondition::remote_server_timeout,
            .text = std::move(text),
            .type = "cancel"};
}

constexpr std::array<ExpiringStore, 2> stores{{{.name = AccountInbox::store_name,
                                                .stage = TraceStage::offline,
                                                .home_of = itself,
                                                .gone = offline_gone},
                                               {.name = "outbound",
                                                .stage = TraceStage::queue,
                                                .home_of = remote_domain,
                                                .gone = outbound_gone}}};

}  // namespace

std::span<const ExpiringStore> expiring_stores() { return stores; }

/// A batch that was given out to the homes of its rows, until all have answered.
struct Expiry::Round {
    std::size_t homes = 0;
    Tally sum;
};

Expiry::Expiry(Hub& hub, std::span<const ExpiringStore> stores_to_watch) : hub_(hub) {
    for (const ExpiringStore& store : stores_to_watch) looking_.push_back({.store = &store});
}

Expiry::~Expiry() = default;

void Expiry::start() {
    remember_clock();
    on_timer(0);
}

void Expiry::on_timer(std::uint32_t) {
    if (hub_.shared.lifetimes.wall_was_set_since(remembered_) ||
        hub_.shared.lifetimes.now() - remembered_.lifetime >= mark_interval.count()) {
        remember_clock();
    }
    look();
    const auto kept = std::chrono::duration_cast<Duration>(hub_.limits().remote_queue_seconds);
    hub_.shard.timers().arm(timer_, std::clamp(kept, Duration{1000}, interval), *this);
}

void Expiry::remember_clock() {
    remembered_ = hub_.shared.lifetimes.mark();
    Batch batch;
    batch.map_set(LifetimeClock::store, {}, LifetimeClock::key, remembered_.text());
    hub_.shared.store.commit(std::move(batch), hub_.shard, {});
}

void Expiry::look() {
    for (Looking& looking : looking_) {
        if (looking.busy) continue;
        looking.busy = true;
        looking.passed_over = 0;
        next_batch(looking);
    }
}

void Expiry::next_batch(Looking& looking) {
    // Those that were passed over come first again; behind them a whole batch is to find room.
    const std::size_t limit = batch_rows + looking.passed_over;
    hub_.shared.store.log_expired(std::string(looking.store->name), hub_.shared.lifetimes.now(),
                                  limit, hub_.shard, [this, &looking, limit](Result<Rows> rows) {
                                      if (!rows || rows->empty()) {
                                          looking.busy = false;
                                          return;
                                      }
                                      const bool more = rows->size() >= limit;
                                      give_out(looking, std::move(*rows), more);
                                  });
}

void Expiry::give_out(Looking& looking, Rows rows, bool more) {
    std::map<Hub*, Rows> by_home;
    for (auto& row : rows) {
        by_home[&hub_.home_of(looking.store->home_of(row.first))].push_back(std::move(row));
    }
    const auto round = std::make_shared<Round>(Round{.homes = by_home.size(), .sum = {}});
    for (auto& [home, part] : by_home) {
        const Done done = [this, &looking, round, more, home = home](const Tally& tally) {
            home->at(hub_, [this, &looking, round, more, tally] {
                round->sum.erased += tally.erased;
                round->sum.passed_over += tally.passed_over;
                round->sum.failed = round->sum.failed || tally.failed;
                if (--round->homes == 0) tallied(looking, round->sum, more);
            });
        };
        hub_.at(*home, [home = home, store = looking.store, part = std::move(part), done] {
            erase_at_home(*home, *store, part, done);
        });
    }
}

void Expiry::tallied(Looking& looking, const Tally& tally, bool more) {
    looking.passed_over = tally.passed_over;
    if (!more || tally.failed || tally.passed_over > passed_over_limit) {
        looking.busy = false;
        return;
    }
    // Behind what else the shard has to do.
    hub_.shard.post([this, &looking] { next_batch(looking); });
}

void Expiry::erase_at_home(Hub& home, const ExpiringStore& store, Rows rows, const Done& done) {
    const std::size_t found = rows.size();
    std::erase_if(rows, [&](const auto& row) { return home.ledger.in_flight(row.second.id); });
    Tally tally{.passed_over = found - rows.size()};
    if (rows.empty()) {
        done(tally);
        return;
    }
    Batch batch;
    for (const auto& [owner, row] : rows) batch.log_erase(store.name, owner, row.id);
    home.shared.store.commit(
        std::move(batch), home.shard,
        [&home, &store, tally, done, rows = std::move(rows)](const Outcome& erased) mutable {
            tally.failed = !erased;
            if (erased) {
                tally.erased = rows.size();
                tell_senders(home, store, rows);
            } else {
                CAUSEWAY_LOG(error, "store.expiry_failed", {"store", store.name},
                             {"rows", rows.size()}, {"cause", erased.why()});
            }
            done(tally);
        });
}

void Expiry::tell_senders(Hub& home, const ExpiringStore& store, const Rows& rows) {
    std::map<std::string_view, std::vector<const LogRow*>> by_owner;
    for (const auto& [owner, row] : rows) by_owner[owner].push_back(&row);
    for (const auto& [owner, gone] : by_owner) {
        std::size_t bytes = 0;
        for (const LogRow* row : gone) bytes += row->body.size();
        const StanzaError error = store.gone(home, owner, gone.size(), bytes);
        for (const LogRow* row : gone) {
            if (row->body.empty()) continue;  // the archive gave it up: there is nobody to tell
            if (const auto packet = Packet::from_bytes(row->body)) {
                home.trace.note(**packet,
                                {store.stage, TraceVerdict::expired, owner, error.text, row->id});
                home.routing->bounce(**packet, error);
            } else {
                CAUSEWAY_LOG(error, "store.unreadable_row", {"store", store.name}, {"owner", owner},
                             {"row", row->id});
            }
        }
    }
}

}  // namespace causeway
