#include "s2s/stored_queue.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {
// Rows read at once.
constexpr std::size_t page = 100;
// A store that fails is asked again.
constexpr Duration asked_again{5000};
}  // namespace

std::string StoredQueue::queue_owner(std::string_view remote, std::string_view local) {
    return fmt::format("{} {}", remote, local);
}

StoredQueue::StoredQueue(Hub& hub, std::string local, std::string remote, Owner& owner)
    : hub_(hub),
      local_(std::move(local)),
      queue_(queue_owner(remote, local_)),
      owner_(owner),
      notices_(hub, store_name, local_, queue_, owner) {}

StoreKey StoredQueue::key() const {
    const auto kept = std::chrono::duration_cast<Duration>(hub_.limits().remote_queue_seconds);
    return {store_name, queue_, hub_.shared.lifetimes.after(kept)};
}

Outcome StoredQueue::keep(const PacketRef& packet, AcknowledgementTicket ticket,
                          StoredAs stored_as) {
    const std::size_t size = packet->bytes().size();
    // How many errors there are the other server alone decides: half of the room is for others.
    const std::size_t part = packet->type() == StanzaType::error ? 2 : 1;
    if (rows_ >= hub_.limits().remote_queue_stanzas / part ||
        bytes_ + size > hub_.limits().remote_queue_bytes / part) {
        return Outcome::policy("too much is waiting for that domain");
    }
    ++rows_;
    bytes_ += size;
    filled(DelayedNotices::Rows::fresh);
    ++keeping_;
    hub_.ledger.keep(packet, ticket, key(), arrival(size, std::move(stored_as)));
    return {};
}

void StoredQueue::give_back(HoldId hold, StoredAs stored_as) {
    const PacketRef packet = hub_.ledger.packet(hold);
    const std::size_t size = packet == nullptr ? 0 : packet->bytes().size();
    ++rows_;
    bytes_ += size;
    filled(DelayedNotices::Rows::fresh);
    ++keeping_;
    hub_.ledger.release_to(hold, arrival(size, std::move(stored_as)));
}

/// What is to be done when a row is in the store, or cannot be.
Ledger::Kept StoredQueue::arrival(std::size_t bytes, StoredAs stored_as) {
    return [this, bytes, stored_as = std::move(stored_as)](const Result<std::uint64_t>& row) {
        --keeping_;
        if (row && stored_as) stored_as(*row);
        if (!row) (void)expired(1, bytes);
        go_on();
    };
}

void StoredQueue::go_on() {
    if (given_up_.ok()) {
        read();
    } else if (!empty() && keeping_ == 0) {
        give_up_behind(0);
    }
}

void StoredQueue::go_on_later() { hub_.shard.timers().arm(later_, asked_again, *this); }

bool StoredQueue::found(std::size_t rows, std::size_t bytes) {
    if (!empty()) return false;
    filled(DelayedNotices::Rows::of_earlier_run);
    rows_ = rows;
    bytes_ = bytes;
    return true;
}

/// Something is, or is about to be, in the store.
void StoredQueue::filled(DelayedNotices::Rows rows) {
    if (!empty()) return;
    state_ = State::stored;
    notices_.begin(rows);
}

void StoredQueue::fewer(std::size_t rows, std::size_t bytes) {
    rows_ -= std::min(rows_, rows);
    bytes_ -= std::min(bytes_, bytes);
}

bool StoredQueue::expired(std::size_t rows, std::size_t bytes) {
    fewer(rows, bytes);
    if (rows_ != 0 || keeping_ != 0 || state_ != State::stored) return false;
    emptied();
    return true;
}

void StoredQueue::dropped() {
    read_until_ = 0;
    rows_ = bytes_ = 0;
    if (!reading()) emptied();
}

void StoredQueue::emptied() {
    if (keeping_ != 0) return;
    state_ = State::empty;
    rows_ = bytes_ = 0;
    arrived_.clear();
    notices_.end();
}

void StoredQueue::restart() {
    read_until_ = 0;
    ++readings_;
}

// ---- read back ----

void StoredQueue::read() {
    if (empty() || !owner_.takes_stored()) return;
    if (reading()) {
        state_ = State::reading_again;
        return;
    }
    state_ = State::reading;
    ++open_;
    hub_.shared.store.log_list(std::string(store_name), queue_, read_until_, page, hub_.shard,
                               [this, reading = readings_](Result<std::vector<LogRow>> rows) {
                                   --open_;
                                   page_read(reading, std::move(rows));
                               });
}

void StoredQueue::page_read(std::uint64_t reading, Result<std::vector<LogRow>> rows) {
    const bool again = std::exchange(state_, State::stored) == State::reading_again;
    if (!given_up_.ok()) {
        give_up_behind(0);
        return;
    }
    if (!owner_.takes_stored()) return;
    if (reading != readings_) {
        read();  // this page was asked for before restart()
        return;
    }
    if (!rows) {
        CAUSEWAY_LOG(error, "s2s.queue_unreadable", {"queue", queue_},
                     {"cause", rows.error().why()});
        go_on_later();
        return;
    }
    for (const LogRow& row : *rows) {
        if (!owner_.takes_stored() || !write(row)) return;
    }
    if (!rows->empty() || again) {
        read();
    } else if (keeping_ == 0) {
        emptied();
    }
}

/// False: it is still on its way into the store, or being erased; what ends that reads on.
bool StoredQueue::write(const LogRow& row) {
    if (hub_.ledger.arriving(row.id) || refused_.contains(row.id)) return false;
    read_until_ = row.id;
    // What is over is left to the Expiry, which may be erasing it.
    if (hub_.ledger.in_flight(row.id) || hub_.shared.lifetimes.over(row.expires)) return true;
    auto packet = Packet::from_bytes(row.body);
    if (!packet) {
        CAUSEWAY_LOG(error, "s2s.queue_unreadable_row", {"queue", queue_}, {"row", row.id});
        return true;
    }
    if (arrived_.erase(row.id) != 0) {
        fewer(1, row.body.size());
        hub_.ledger.confirm(hub_.ledger.adopt(*packet, key(), row.id));
        return true;
    }
    PacketRef stamped = *packet;
    if (stamped->kind() == StanzaKind::message) {
        XmlBuilder delay;
        delay.open("delay", ns::delay)
            .attribute("from", local_)
            .attribute("stamp", format_date_time(row.at));
        stamped = stamped->with_child(delay.take());
    }
    fewer(1, row.body.size());
    owner_.write_stored(stamped, hub_.ledger.adopt(stamped, key(), row.id), row.id);
    return true;
}

// ---- given up ----

void StoredQueue::fail(const Outcome& why) {
    if (empty()) return;
    given_up_ = why;
    give_up_behind(0);
}

void StoredQueue::give_up_behind(std::uint64_t row) {
    ++open_;
    hub_.shared.store.log_list(
        std::string(store_name), queue_, row, page, hub_.shard,
        [this](Result<std::vector<LogRow>> rows) {
            --open_;
            if (given_up_.ok()) return;
            if (!rows) {
                go_on_later();
                return;
            }
            if (rows->empty()) {
                // What is on its way here brings us back.
                if (!reading() && refused_.empty()) emptied();
                return;
            }
            const std::uint64_t last = rows->back().id;
            // What has arrived is the Ledger's to erase: it is no failure.
            std::erase_if(*rows, [this](const LogRow& one) {
                return refused_.contains(one.id) ||
                       (hub_.ledger.in_flight(one.id) && !hub_.ledger.arriving(one.id));
            });
            erase_page(*rows, last);
        });
}

void StoredQueue::erase_page(const std::vector<LogRow>& rows, std::uint64_t last) {
    if (rows.empty()) {
        give_up_behind(last);
        return;
    }
    Batch erased;
    for (const LogRow& row : rows) {
        erased.log_erase(store_name, queue_, row.id);
        refused_.insert(row.id);
    }
    ++open_;
    hub_.shared.store.commit(std::move(erased), hub_.shard,
                             [this, rows, last, why = given_up_](const Outcome& done) {
                                 --open_;
                                 for (const LogRow& row : rows) refused_.erase(row.id);
                                 if (done) {
                                     page_erased(rows, last, why);
                                 } else {
                                     go_on_later();
                                 }
                                 // They may be wanted again meanwhile.
                                 if (given_up_.ok()) read();
                             });
}

void StoredQueue::page_erased(const std::vector<LogRow>& rows, std::uint64_t last,
                              const Outcome& why) {
    // Only now: an error that is followed by the message itself would be a lie.
    for (const LogRow& row : rows) {
        fewer(1, row.body.size());
        if (auto packet = Packet::from_bytes(row.body)) {
            owner_.refuse_stored(**packet, why);
        } else {
            CAUSEWAY_LOG(error, "s2s.queue_unreadable_row", {"queue", queue_}, {"row", row.id});
        }
    }
    if (!given_up_.ok()) give_up_behind(last);
}

}  // namespace causeway
