// The part of AccountInbox that reads stored messages: in pages, in order, as fast as the client
// takes them, and before anything that came later (RFC 6120 §10.1).
#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {
constexpr std::size_t page_size = 100;
/// Rows that are looked at to find out what waits, when a session of an earlier process is back.
constexpr std::size_t again_at_most = 10'000;
}  // namespace

void AccountInbox::read_stored() {
    rows_after_ = 0;
    if (reading_ == Reading::page || reading_ == Reading::anew) {
        reading_ = Reading::anew;
    } else {
        read_page();
    }
}

HoldId AccountInbox::fetched(const PacketRef& packet, std::uint64_t row) {
    Hub& hub = account_.hub();
    if (hub.ledger.in_flight(row)) return 0;
    stored_.reset();  // the row goes when the client has it
    return hub.ledger.adopt(packet, store_key(), row);
}

void AccountInbox::received(const std::vector<std::uint64_t>& rows) {
    const StoreKey key = store_key();
    for (const std::uint64_t row : rows) account_.hub().ledger.erase(key, row);
    stored_.reset();
}

/// Stands with the session until it has caught up.
struct AccountInbox::CatchingUp final : SlotState {
    CatchingUp(Missed what, std::function<void()> next)
        : missed(std::move(what)), then(std::move(next)) {}

    Missed missed;
    std::vector<std::uint64_t> waiting;  ///< rows of the page that come by themselves
    std::vector<std::uint64_t> came;     ///< rows that came by themselves since it began
    ArchiveQuery query;
    std::function<void()> then;
    enum class Pace : unsigned char {
        at_once,
        paused,      ///< its client has much to take: room_again() goes on
        was_paused,  ///< in this round: others may have got more meanwhile
    };
    Pace pace = Pace::at_once;
    enum class Round : unsigned char {
        while_away,
        while_here,  ///< what came for the account while the client was taking the rest
    };
    Round round = Round::while_away;
};

constexpr Slot<AccountInbox::CatchingUp> AccountInbox::catch_up_slot{"catching up"};

void AccountInbox::catch_up(Resource& session, Missed missed, std::function<void()> then) {
    std::ranges::sort(missed.messages);
    std::ranges::sort(missed.copies);
    std::vector<std::uint64_t> rows;
    std::ranges::set_union(missed.messages, missed.copies, std::back_inserter(rows));
    const std::uint64_t before = rows.empty() ? missed.since : rows.front() - 1;
    session.slots.drop(catch_up_slot);
    CatchingUp& task = session.slots.make(catch_up_slot, std::move(missed), std::move(then));
    task.query = {.owner = std::string(account_.jid().bare()),
                  .above = before,
                  .below = rows.empty() ? task.missed.before : rows.back() + 1,
                  .ids = std::move(rows)};
    send_archived(session, task);
}

/// nullptr: that session has ended, though another may have its name.
Resource* AccountInbox::catching_up_as(const std::string& resource, const CatchingUp* key) const {
    Resource* const session = account_.sessions().find(resource);
    return session != nullptr && session->slots.get(catch_up_slot) == key ? session : nullptr;
}

void AccountInbox::caught_up(Resource& session, CatchingUp& task) {
    const auto then = std::move(task.then);
    session.slots.drop(catch_up_slot);
    then();
}

/// First the rows that were sent to the session, then what came while it was not there. What waits
/// is looked up behind each page: a message that is in the archive by then, and is to wait, is
/// listed by then as well.
void AccountInbox::send_archived(Resource& session, CatchingUp& task) {
    const auto with_task = [this, resource = std::string(session.jid().resource()),
                            key = &task](const std::function<void(Resource&, CatchingUp&)>& run) {
        if (Resource* const its = catching_up_as(resource, key)) run(*its, *key);
        account_.end_question();
    };
    const auto answered = [this, with_task](const Result<ArchivePage>& page) {
        with_task([&](Resource& its, CatchingUp& open) {
            if (!page) {
                caught_up(its, open);
                return;
            }
            const auto listed = [this, with_task,
                                 page = *page](const Result<std::vector<LogRow>>& waiting) {
                with_task([&](Resource& still, CatchingUp& same) {
                    if (!waiting) {
                        caught_up(still, same);
                        return;
                    }
                    same.waiting.clear();
                    // What is on its way to another client does not come to this one by itself.
                    for (const LogRow& row : *waiting) {
                        if (!account_.hub().ledger.in_flight(row.id)) {
                            same.waiting.push_back(row.id);
                        }
                    }
                    send_page(still, same, page);
                });
            };
            if (page->rows.empty()) {
                send_page(its, open, *page);
                return;
            }
            account_.begin_question();
            account_.hub().shared.store.log_list(
                std::string(store_name), std::string(account_.jid().bare()),
                page->rows.front().id - 1, again_at_most, account_.hub().shard, listed);
        });
    };
    account_.begin_question();
    account_.hub().shared.store.archive_page(task.query, account_.hub().shard, answered);
}

void AccountInbox::send_page(Resource& session, CatchingUp& task, const ArchivePage& page) {
    for (const ArchiveRow& row : page.rows) {
        const PacketRef packet = missed_by(session, task, row);
        if (packet == nullptr) continue;
        session.deliver(Packet::of_archive(packet, row.id), Ledger::nothing_open);
        if (!session.crowded()) continue;
        task.query.after = row.id;
        task.pace = CatchingUp::Pace::paused;
        return;
    }
    const bool first_part = !task.query.ids.empty();
    if (page.complete && !first_part) {
        if (std::exchange(task.pace, CatchingUp::Pace::at_once) != CatchingUp::Pace::at_once &&
            task.missed.available) {
            look_once_more(session, task);
        } else {
            caught_up(session, task);
        }
        return;
    }
    task.query.after = page.reached;
    if (page.complete) {
        task.query = {.owner = std::move(task.query.owner),
                      .above = task.missed.since,
                      .below = task.missed.before};
    }
    send_archived(session, task);
}

/// Until its presence has been said, messages for the account go to its other sessions.
void AccountInbox::look_once_more(Resource& session, CatchingUp& task) {
    task.round = CatchingUp::Round::while_here;
    task.missed.since = task.missed.before - 1;
    task.missed.before = account_.hub().shared.ids.next_id();
    task.query = {.owner = std::string(account_.jid().bare()),
                  .above = task.missed.since,
                  .below = task.missed.before};
    send_archived(session, task);
}

void AccountInbox::go_on_catching_up() {
    for (Resource* session : account_.sessions().all()) {
        CatchingUp* const task = session->slots.get(catch_up_slot);
        if (task == nullptr || task->pace != CatchingUp::Pace::paused || session->crowded())
            continue;
        task->pace = CatchingUp::Pace::was_paused;
        send_archived(*session, *task);
    }
}

PacketRef AccountInbox::copy_for(const Resource& session, const ArchiveRow& row) const {
    for (const SessionData& data : account_.hub().shared.features.session_data()) {
        PacketRef copy = data.copy == nullptr ? nullptr : data.copy(account_, session, row);
        if (copy != nullptr) return copy;
    }
    return nullptr;
}

/// nullptr: the session is not to have that message, or has it in another way.
PacketRef AccountInbox::missed_by(const Resource& session, const CatchingUp& task,
                                  const ArchiveRow& row) const {
    const Missed& missed = task.missed;
    const bool while_here = task.round == CatchingUp::Round::while_here;
    const bool comes_by_itself = std::ranges::binary_search(task.waiting, row.id) ||
                                 account_.hub().ledger.arriving(row.id) ||
                                 std::ranges::find(task.came, row.id) != task.came.end();
    if (comes_by_itself) return nullptr;
    // What came when no other session was there waits, or was given to this one as it came back.
    const bool was_sent = std::ranges::binary_search(missed.messages, row.id) ||
                          std::ranges::binary_search(missed.copies, row.id);
    if (!was_sent && account_.sessions().all().size() == 1) return nullptr;
    if (row.incoming) {
        PacketRef packet = delayed(row.body, row.id, time_of_id(row.id));
        if (packet == nullptr || account_.access().blocks(packet->from())) return nullptr;
        const Jid& to = packet->to();
        if (while_here && (to.has_resource() || copy_for(session, row) != nullptr)) return nullptr;
        if (std::ranges::binary_search(missed.messages, row.id) || to == session.jid() ||
            (!to.has_resource() && missed.available)) {
            return packet;
        }
    }
    return while_here ? nullptr : copy_for(session, row);
}

void AccountInbox::redeliver() {
    if (!account_.sessions().best().empty()) read_stored();
}

void AccountInbox::room_again() {
    go_on_catching_up();
    if (reading_ == Reading::paused) read_page();
}

void AccountInbox::read_page() {
    reading_ = Reading::page;
    page_after_ = rows_after_;
    Hub& hub = account_.hub();
    hub.shared.store.log_list(
        std::string(store_name), std::string(account_.jid().bare()), rows_after_, page_size,
        hub.shard, [this](const Result<std::vector<LogRow>>& rows) {
            account_.begin_question();
            if (rows) {
                deliver_page(*rows);
            } else {
                CAUSEWAY_LOG(error, "offline.unreadable", {"jid", account_.jid().bare()},
                             {"cause", rows.error().why()});
                reading_ = Reading::no;
                caught_up();
            }
            account_.end_question();
        });
}

void AccountInbox::deliver_page(const std::vector<LogRow>& rows) {
    // Told to begin anew while this page was read: rows may stand before it.
    const bool anew = reading_ == Reading::anew;
    if (anew && page_after_ != 0) {
        read_page();
        return;
    }
    const AccountSessions::Some best = account_.sessions().best();
    if (best.empty()) {
        reading_ = Reading::no;  // the next session begins anew
        store_behind();
        return;
    }
    Resource& session = *best.front();
    if (session.crowded()) {
        reading_ = Reading::paused;  // room_again() goes on
        return;
    }
    for (const LogRow& row : rows) {
        if (!anew) rows_after_ = row.id;
        if (!deliver_row(session, row) || !session.crowded()) continue;
        reading_ = Reading::paused;
        return;
    }
    if (anew || !rows.empty()) {
        read_page();
        return;
    }
    reading_ = Reading::no;
    // What is still on its way into the store comes back by kept() or counted().
    if (keeping_ == 0 && uncounted_.empty()) caught_up();
}

bool AccountInbox::had_copy(const Resource& session, std::uint64_t number) const {
    return std::ranges::any_of(
        account_.hub().shared.features.session_data(), [&](const SessionData& data) {
            return data.had_copy != nullptr && data.had_copy(session, number);
        });
}

bool AccountInbox::deliver_row(Resource& session, const LogRow& row) {
    Hub& hub = account_.hub();
    if (hub.ledger.in_flight(row.id) || hub.shared.lifetimes.over(row.expires)) {
        return false;
    }
    if (row.body.empty()) {
        // Purged from the archive by the administrator, or lost with a damaged row.
        CAUSEWAY_LOG(info, "offline.gone_from_archive", {"jid", account_.jid().bare()},
                     {"row", row.id});
        Batch batch;
        batch.log_erase(store_name, account_.jid().bare(), row.id);
        hub.shared.store.commit(std::move(batch), hub.shard, {});
        stored_.reset();
        return false;
    }
    const PacketRef packet = delayed(row.body, row.id, row.at);
    if (packet == nullptr) return false;
    // XEP-0191 §3.3: it came before its sender was blocked, and waits until that is over.
    if (account_.access().blocks(packet->from())) return false;
    stored_.reset();  // the row goes when the client has it
    // Its client may say that it is available before it has caught up.
    if (CatchingUp* const task = session.slots.get(catch_up_slot)) task->came.push_back(row.id);
    const HoldId hold = hub.ledger.adopt(packet, store_key(), row.id);
    if (had_copy(session, row.id)) {
        session.has_copy(row.id, hold);
    } else {
        session.deliver(packet, hold);
    }
    return true;
}

/// nullptr: it cannot be read.
PacketRef AccountInbox::delayed(const std::string& body, std::uint64_t row, UnixMillis at) const {
    auto packet = Packet::from_bytes(body);
    if (!packet) {
        CAUSEWAY_LOG(error, "offline.unreadable_row", {"jid", account_.jid().bare()}, {"row", row},
                     {"cause", packet.error().why()});
        return nullptr;
    }
    return (*packet)->with_child(XmlBuilder()
                                     .open("delay", ns::delay)
                                     .attribute("from", account_.jid().domain())
                                     .attribute("stamp", format_date_time(at))
                                     .take());
}

}  // namespace causeway
