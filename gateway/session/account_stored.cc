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

struct AccountInbox::CatchingUp {
    std::string resource;
    Missed missed;
    std::vector<std::uint64_t> waiting = {};  ///< rows that come by themselves
    ArchiveQuery query = {};
    std::function<void()> then;
};

void AccountInbox::catch_up(const Resource& session, Missed missed, std::function<void()> then) {
    std::ranges::sort(missed.messages);
    std::ranges::sort(missed.copies);
    std::vector<std::uint64_t> rows;
    std::ranges::set_union(missed.messages, missed.copies, std::back_inserter(rows));
    const std::uint64_t before = rows.empty() ? missed.since : rows.front() - 1;
    const auto task =
        std::make_shared<CatchingUp>(CatchingUp{.resource = std::string(session.jid().resource()),
                                                .missed = std::move(missed),
                                                .then = std::move(then)});
    task->query = {.owner = std::string(account_.jid().bare()),
                   .above = before,
                   .below = rows.empty() ? task->missed.before : rows.back() + 1,
                   .ids = std::move(rows)};
    const auto listed = [this, task](const Result<std::vector<LogRow>>& waiting) {
        if (waiting) {
            // What is on its way to another client does not come to this one by itself.
            for (const LogRow& row : *waiting) {
                if (!account_.hub().ledger.in_flight(row.id)) task->waiting.push_back(row.id);
            }
            send_archived(task);
        } else {
            task->then();
        }
        account_.end_question();
    };
    account_.begin_question();
    account_.hub().shared.store.log_list(std::string(store_name),
                                         std::string(account_.jid().bare()), before, again_at_most,
                                         account_.hub().shard, listed);
}

/// First the rows that were sent to the session, then what came while it was not there.
void AccountInbox::send_archived(const std::shared_ptr<CatchingUp>& task) {
    const auto answered = [this, task](const Result<ArchivePage>& page) {
        Resource* const session = account_.sessions().find(task->resource);
        if (page && session != nullptr) {
            for (const ArchiveRow& row : page->rows) {
                const PacketRef packet = missed_by(*session, *task, row);
                if (packet == nullptr) continue;
                session->deliver(Packet::of_archive(packet, row.id), Ledger::nothing_open);
            }
        }
        const bool first_part = !task->query.ids.empty();
        if (page && session != nullptr && (first_part || !page->complete)) {
            task->query.after = page->reached;
            if (page->complete) {
                task->query = {.owner = std::move(task->query.owner),
                               .above = task->missed.since,
                               .below = task->missed.before};
            }
            send_archived(task);
        } else {
            task->then();
        }
        account_.end_question();
    };
    account_.begin_question();
    account_.hub().shared.store.archive_page(task->query, account_.hub().shard, answered);
}

/// nullptr: the session is not to have that message, or has it in another way.
PacketRef AccountInbox::missed_by(const Resource& session, const CatchingUp& task,
                                  const ArchiveRow& row) const {
    const Missed& missed = task.missed;
    if (std::ranges::binary_search(task.waiting, row.id)) return nullptr;
    if (row.incoming) {
        PacketRef packet = delayed(row.body, row.id, time_of_id(row.id));
        if (packet == nullptr) return nullptr;
        const Jid& to = packet->to();
        if (std::ranges::binary_search(missed.messages, row.id) || to == session.jid() ||
            (!to.has_resource() && missed.available)) {
            return packet;
        }
    }
    for (const SessionData& data : account_.hub().shared.features.session_data()) {
        PacketRef copy = data.copy == nullptr ? nullptr : data.copy(account_, session, row);
        if (copy != nullptr) return copy;
    }
    return nullptr;
}

void AccountInbox::redeliver() {
    if (!account_.sessions().best().empty()) read_stored();
}

void AccountInbox::room_again() {
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
    session.deliver(packet, hub.ledger.adopt(packet, store_key(), row.id));
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
