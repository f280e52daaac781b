// Messages that were stored for an account: read in pages, in order, as fast as its clients take
// them, and before anything that came later (RFC 6120 §10.1).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/account.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {
constexpr std::size_t page = 100;
// Beyond that, what comes while stored messages are on their way goes to the store itself.
constexpr std::size_t behind_limit = 1000;
}  // namespace

Account::Resources Account::best_resources() const {
    Resources best;
    int priority = 0;
    for (Resource* resource : resources_) {
        if (!resource->available() || resource->priority < priority) continue;
        if (resource->priority > priority) best.clear();
        priority = resource->priority;
        best.push_back(resource);
    }
    return best;
}

void Account::deliver_offline() {
    rows_after_ = 0;
    more_rows_ = true;
    read_rows();
}

void Account::redeliver() {
    if (!best_resources().empty()) deliver_offline();
}

void Account::room_again() {
    if (more_rows_) read_rows();
}

void Account::read_rows() {
    if (reading_rows_) return;  // its answer sees that there is more
    reading_rows_ = true;
    more_rows_ = false;
    ++reading_;
    hub_.shared.store.log_list(std::string(offline_store), std::string(jid_.bare()), rows_after_,
                               page, hub_.shard, [this](const Result<std::vector<LogRow>>& rows) {
                                   reading_rows_ = false;
                                   if (rows) {
                                       deliver_rows(*rows);
                                   } else {
                                       CAUSEWAY_LOG(error, "offline.unreadable",
                                                    {"jid", jid_.bare()},
                                                    {"cause", rows.error().why()});
                                       caught_up();
                                   }
                                   --reading_;
                                   rest();
                               });
}

void Account::deliver_rows(const std::vector<LogRow>& rows) {
    const Resources best = best_resources();
    if (best.empty()) {
        // Whoever comes next begins anew.
        more_rows_ = false;
        spill_behind();
        return;
    }
    if (best.front()->crowded()) {
        more_rows_ = true;
        return;  // room_again() goes on
    }
    // Somebody asked to begin anew while this page was read: rows may stand before it.
    const bool anew = more_rows_;
    for (const LogRow& row : rows) {
        if (!anew) rows_after_ = row.id;
        if (!deliver_row(*best.front(), row)) continue;
        if (!best.front()->crowded()) continue;
        more_rows_ = true;
        return;
    }
    if (anew || !rows.empty()) {
        read_rows();
    } else if (keeping_ == 0) {
        offline_rows_ = 0;
        offline_counted_ = true;
        caught_up();
    }
}

bool Account::deliver_row(Resource& resource, const LogRow& row) {
    if (hub_.ledger.in_flight(row.id) || (row.expires != 0 && row.expires <= hub_.clock().wall())) {
        return false;
    }
    auto packet = Packet::from_bytes(row.body);
    if (!packet) {
        CAUSEWAY_LOG(error, "offline.unreadable_row", {"jid", jid_.bare()}, {"row", row.id});
        return false;
    }
    std::string delay = "<delay";
    append_attribute(delay, "xmlns", ns::delay);
    append_attribute(delay, "from", jid_.domain());
    append_attribute(delay, "stamp", format_date_time(row.at));
    delay += "/>";
    const PacketRef delayed = (*packet)->with_child(delay);
    resource.deliver(delayed, hub_.ledger.adopt(delayed, store_key(), row.id));
    return true;
}

// ---- what came meanwhile ----

void Account::queue_behind(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (behind_.size() >= behind_limit) {
        spill_behind();
        store_message(packet, ticket);
        return;
    }
    const HoldId hold = hub_.ledger.hold(packet, ticket, store_key());
    hub_.seen.note(packet->resend_key(), hold);
    behind_.push_back({packet, hold});
}

void Account::spill_behind() {
    for (const Behind& waiting : std::exchange(behind_, {})) {
        ++keeping_;
        ++offline_rows_;
        hub_.ledger.release_to(waiting.hold, [this](const auto&) {
            --keeping_;
            redeliver();
            rest();
        });
    }
}

void Account::resources_changed() {
    if (!more_rows_ && behind_.empty()) return;
    if (best_resources().empty()) {
        more_rows_ = false;
        spill_behind();
    } else if (more_rows_) {
        read_rows();
    }
}

void Account::caught_up() {
    const Resources best = best_resources();
    if (best.empty()) {
        spill_behind();
        return;
    }
    for (const Behind& waiting : std::exchange(behind_, {})) {
        for (std::size_t more = 1; more < best.size(); ++more) hub_.ledger.share(waiting.hold);
        for (Resource* resource : best) resource->deliver(waiting.packet, waiting.hold);
    }
}

}  // namespace causeway
