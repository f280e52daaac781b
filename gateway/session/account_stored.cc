// The part of AccountInbox that reads stored messages: in pages, in order, as fast as the client
// takes them, and before anything that came later (RFC 6120 §10.1).
#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {
constexpr std::size_t page_size = 100;
constexpr Duration read_again_after{1000};

/// The store could not say what waits.
struct ReadingAgain final : SlotState, TimerTarget {
    explicit ReadingAgain(Account& whose) : account(whose) {}
    void on_timer(std::uint32_t) override { account.inbox().redeliver(); }

    Account& account;
    Timer timer;
};
constexpr Slot<ReadingAgain> reading_again_slot{"reading what waits again"};

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
    if (!knows_awaited()) {
        look_for_awaited([this] { read_page(); });
        return;
    }
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
                read_again_later();
                caught_up();
            }
            account_.end_question();
        });
}

/// Or what waits would be for the next session, however long this one stays.
void AccountInbox::read_again_later() {
    ReadingAgain& again = account_.slots.make(reading_again_slot, account_);
    if (again.timer.armed()) return;
    account_.hub().shard.timers().arm(again.timer, read_again_after, again, 0);
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
    if (hub.ledger.in_flight(row.id) || hub.shared.lifetimes.over(row.expires) ||
        awaited_has(row.id)) {
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
    if (account_.access().blocks(packet->from())) {
        hub.trace.note(*packet, {.stage = TraceStage::offline,
                                 .verdict = TraceVerdict::waiting,
                                 .where = account_.jid().bare(),
                                 .reason = "its sender is blocked there; it comes when that is "
                                           "over and a client is available",
                                 .stanza_id = row.id});
        return false;
    }
    stored_.reset();  // the row goes when the client has it
    was_sent(session, row.id);
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
