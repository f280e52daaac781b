// The part of AccountInbox that reads stored messages: in pages, in order, as fast as the client
// takes them, and before anything that came later (RFC 6120 §10.1).
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {
constexpr std::size_t page_size = 100;
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

void AccountInbox::received(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& sent,
                            std::uint32_t h) {
    const StoreKey key = store_key();
    for (const auto& [number, row] : sent) {
        if (static_cast<std::int32_t>(number - h) <= 0) account_.hub().ledger.erase(key, row);
    }
    stored_.reset();
}

void AccountInbox::redeliver() {
    if (!account_.sessions().best().empty()) read_stored();
}

void AccountInbox::room_again() {
    if (reading_ == Reading::paused) read_page();
}

void AccountInbox::read_page() {
    reading_ = Reading::page;
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
        // The archive gave the message up before anybody came for it.
        Batch batch;
        batch.log_erase(store_name, account_.jid().bare(), row.id);
        hub.shared.store.commit(std::move(batch), hub.shard, {});
        stored_.reset();
        return false;
    }
    auto packet = Packet::from_bytes(row.body);
    if (!packet) {
        CAUSEWAY_LOG(error, "offline.unreadable_row", {"jid", account_.jid().bare()},
                     {"row", row.id}, {"cause", packet.error().why()});
        return false;
    }
    stored_.reset();  // the row goes when the client has it
    const PacketRef delayed =
        (*packet)->with_child(XmlBuilder()
                                  .open("delay", ns::delay)
                                  .attribute("from", account_.jid().domain())
                                  .attribute("stamp", format_date_time(row.at))
                                  .take());
    session.deliver(delayed, hub.ledger.adopt(delayed, store_key(), row.id));
    return true;
}

}  // namespace causeway
