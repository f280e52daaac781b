#include "gateway/session/account_inbox.h"

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/account.h"
#include "gateway/session/inbox_trace.h"

namespace causeway {
namespace {
// Beyond that, what comes while stored messages are on their way goes to the store itself.
constexpr std::size_t behind_limit = 1000;
/// What waits until it is known how many are stored; a store may be long about that.
constexpr std::size_t uncounted_limit = 1000;
}  // namespace

StoreKey AccountInbox::store_key() const {
    const Hub& hub = account_.hub();
    const auto kept = std::chrono::duration_cast<Duration>(hub.limits().offline_seconds);
    return {store_name, std::string(account_.jid().bare()), hub.shared.lifetimes.after(kept)};
}

void AccountInbox::remember(const PacketRef& packet, HoldId hold) {
    Hub& hub = account_.hub();
    hub.seen.note(packet->repeat_keys(), hub.clock().now(), hold);
}

void AccountInbox::announce(const PacketRef& packet, std::span<Resource* const> sessions) {
    const Delivered delivered{account_, packet, sessions};
    for (const DeliveredHook& hook : account_.hub().shared.features.delivered()) {
        hook.run(delivered);
    }
}

void AccountInbox::refuse(const PacketRef& packet, AcknowledgementTicket ticket) {
    account_.hub().routing->bounce(
        *packet, {.condition = StanzaCondition::service_unavailable, .text = {}}, ticket);
}

// ---- which session gets it ----

void AccountInbox::deliver(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (!packet->to().has_resource()) {
        to_account(packet, ticket);
    } else if (Resource* session = account_.sessions().find(packet->to().resource())) {
        to_sessions({&session, 1}, packet, ticket);
    } else if ((packet->type() == StanzaType::chat && !looks_for_awaited()) || knows_awaited()) {
        to_one_that_is_not_there(packet, ticket);
    } else {
        look_for_awaited([this, packet, ticket] { deliver(packet, ticket); });
    }
}

/// §8.5.3.2.1: only chat falls back to the account; a headline is dropped, the rest refused. One
/// that may come back is there, and what can be stored is for it from the store. So is an error
/// that was made here, about a message of the account's own.
void AccountInbox::to_one_that_is_not_there(const PacketRef& packet, AcknowledgementTicket ticket) {
    const StanzaType type = packet->type();
    const bool falls_back = type == StanzaType::chat || packet->lasting_error() ||
                            (type == StanzaType::normal && packet->storable() &&
                             awaits_session(packet->to().resource()));
    if (falls_back) {
        to_account(packet, ticket);
    } else if (hold_for_awaited(packet)) {
        account_.hub().settle(ticket);
    } else if (type == StanzaType::normal || type == StanzaType::groupchat) {
        inbox_trace::no_such_session(account_, *packet, TraceVerdict::refused);
        refuse(packet, ticket);
    } else if (type == StanzaType::headline) {
        inbox_trace::no_such_session(account_, *packet, TraceVerdict::dropped);
        account_.hub().settle(ticket);
    } else {
        to_account(packet, ticket);
    }
}

void AccountInbox::answer_for_nobody(const PacketRef& packet) {
    if (none_comes_back(account_.hub())) return;
    account_.in_order([this, packet](const Outcome& outcome) {
        if (!outcome || !account_.exists()) return;
        if (account_.sessions().find(packet->to().resource()) != nullptr) {
            account_.receive(packet, {});
        } else if (knows_awaited()) {
            hold_for_awaited(packet);
        } else {
            look_for_awaited([this, packet] { answer_for_nobody(packet); });
        }
    });
}

void AccountInbox::to_account(const PacketRef& packet, AcknowledgementTicket ticket) {
    switch (packet->type()) {
        case StanzaType::normal:
        case StanzaType::chat: to_best(packet, ticket); return;
        case StanzaType::headline: headline(packet, ticket); return;
        case StanzaType::groupchat:
            inbox_trace::not_of_that_type(account_, *packet, TraceVerdict::refused);
            refuse(packet, ticket);
            return;
        default:  // §8.5.2.1.1: an error goes no further, unless it was made here
            if (packet->storable()) {
                to_best(packet, ticket);
                return;
            }
            inbox_trace::not_of_that_type(account_, *packet, TraceVerdict::dropped);
            account_.hub().settle(ticket);
            return;
    }
}

void AccountInbox::headline(const PacketRef& packet, AcknowledgementTicket ticket) {
    AccountSessions::Some takers;
    for (Resource* session : account_.sessions().all()) {
        if (session->available() && session->priority >= 0) takers.push_back(session);
    }
    for (Resource* session : takers) session->deliver(packet, 0);
    if (takers.empty()) inbox_trace::no_takers(account_, *packet);
    if (!takers.empty()) announce(packet, takers);
    account_.hub().settle(ticket);
}

void AccountInbox::to_sessions(std::span<Resource* const> sessions, const PacketRef& packet,
                               AcknowledgementTicket ticket) {
    Hub& hub = account_.hub();
    const bool held = packet->archived() ||
                      ((packet->storable() || packet->tells_outcome()) &&
                       (ticket.owed() || std::ranges::any_of(sessions, &Resource::acknowledges)));
    const HoldId hold = held ? hub.ledger.hold(packet, ticket, store_key()) : 0;
    remember(packet, hold);
    hand_over(packet, hold, sessions);
    if (!held) hub.settle(ticket);
}

void AccountInbox::hand_over(const PacketRef& packet, HoldId hold,
                             std::span<Resource* const> sessions) {
    // The first session that has it has it for the account.
    for (std::size_t more = 1; more < sessions.size(); ++more) account_.hub().ledger.share(hold);
    for (Resource* session : sessions) session->deliver(packet, hold);
    announce(packet, sessions);
}

void AccountInbox::to_best(const PacketRef& packet, AcknowledgementTicket ticket) {
    const AccountSessions::Some best = account_.sessions().best();
    if (best.empty()) {
        to_nobody(packet, ticket);
        return;
    }
    if (packet->storable() && best.size() == 1 && !catching_up() && best.front()->crowded()) {
        // They come faster than the client takes them: the rest waits, and the store keeps what is
        // too much.
        rows_after_ = 0;
        reading_ = Reading::paused;
    }
    if (packet->storable() && catching_up()) {
        queue_behind(packet, ticket);
        return;
    }
    to_sessions(best, packet, ticket);
}

// ---- no session takes it ----

bool AccountInbox::pass_undelivered(const PacketRef& packet, AcknowledgementTicket& ticket,
                                    Undelivered::Reason reason) {
    Hub& hub = account_.hub();
    Undelivered undelivered{{hub, ticket}, account_, packet, reason};
    return hub.pass(hub.shared.features.undelivered(), undelivered, packet);
}

void AccountInbox::to_nobody(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (!packet->storable()) {
        if (pass_undelivered(packet, ticket, Undelivered::Reason::not_kept)) {
            inbox_trace::not_kept(account_, *packet);
            account_.hub().settle(ticket);
        }
    } else {
        keep({packet, ticket, Because::nobody_takes_it});
    }
}

void AccountInbox::keep(Message message) {
    if (!stored_ || !uncounted_.empty()) {
        if (uncounted_.size() >= uncounted_limit) {
            bounce_unstored(message);
            return;
        }
        // Behind those that wait for the same answer, so that the order stays.
        uncounted_.push_back(std::move(message));
        if (uncounted_.size() == 1) count();
        return;
    }
    Hub& hub = account_.hub();
    auto& [packet, ticket, because] = message;
    if (*stored_ + keeping_ >= hub.limits().offline_messages) {
        if (!pass_undelivered(packet, ticket, Undelivered::Reason::over_quota)) return;
        inbox_trace::over_quota(account_, *packet);
        hub.routing->bounce(*packet,
                            {.condition = StanzaCondition::service_unavailable,
                             .text = "Too many messages are waiting for this contact."},
                            ticket);
        return;
    }
    if (because == Because::nobody_takes_it &&
        !pass_undelivered(packet, ticket, Undelivered::Reason::nobody_available)) {
        return;
    }
    ++keeping_;
    inbox_trace::kept(account_, *packet);
    remember(packet, hub.ledger.keep(packet, ticket, store_key(),
                                     [this](const Result<std::uint64_t>& row) { kept(row); }));
}

void AccountInbox::bounce_unstored(const Message& message) {
    account_.hub().routing->bounce(*message.packet,
                                   {.condition = StanzaCondition::resource_constraint,
                                    .text = "The message could not be stored."},
                                   message.ticket);
}

void AccountInbox::kept(const Result<std::uint64_t>& row) {
    account_.begin_question();
    --keeping_;
    if (row && stored_) ++*stored_;
    // A session may have become available while it was on its way to the disk, too late to read it.
    redeliver();
    account_.end_question();
}

void AccountInbox::take_back(const std::vector<HoldId>& holds) {
    account_.begin_question();
    keeping_ += holds.size();
    for (const HoldId hold : holds) {
        account_.hub().ledger.release_to(hold, [this](const Result<std::uint64_t>&) {
            account_.begin_question();
            stored_.reset();
            if (--keeping_ == 0) redeliver();
            account_.end_question();
        });
    }
    account_.end_question();
}

void AccountInbox::count() {
    Hub& hub = account_.hub();
    // Messages of somebody who is blocked now take no room from others. As many of them are kept as
    // of all others together.
    const std::size_t most = hub.limits().offline_messages;
    hub.shared.store.log_list(std::string(store_name), std::string(account_.jid().bare()), 0,
                              account_.access().state().blocked.empty() ? most : 2 * most,
                              hub.shard,
                              [this](const Result<std::vector<LogRow>>& rows) { counted(rows); });
}

bool AccountInbox::from_blocked(const LogRow& row) const {
    bool blocked = false;
    (void)Packet::visit_bytes(
        row.body, [&](const Stanza& message) { blocked = account_.access().blocks(message.from); });
    return blocked;
}

void AccountInbox::counted(const Result<std::vector<LogRow>>& rows) {
    account_.begin_question();
    Hub& hub = account_.hub();
    if (rows) {
        // A row whose time is over does not count, and one that is arriving is counted by kept().
        const bool any_blocked = !account_.access().state().blocked.empty();
        stored_ = static_cast<std::size_t>(std::ranges::count_if(*rows, [&](const LogRow& row) {
            return !hub.shared.lifetimes.over(row.expires) && !hub.ledger.arriving(row.id) &&
                   !(any_blocked && from_blocked(row));
        }));
        const std::size_t most = hub.limits().offline_messages;
        if (rows->size() >= 2 * most) stored_ = std::max(*stored_, most);
    }
    for (const Message& waiting : std::exchange(uncounted_, {})) {
        if (stored_) {
            keep(waiting);
            continue;
        }
        bounce_unstored(waiting);
    }
    if (keeping_ == 0) redeliver();
    account_.end_question();
}

// ---- what comes while stored messages are on their way ----

void AccountInbox::queue_behind(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (behind_.size() >= behind_limit) {
        store_behind();
        keep({packet, ticket, Because::too_much_waits});
        return;
    }
    const HoldId hold = account_.hub().ledger.hold(packet, ticket, store_key());
    remember(packet, hold);
    behind_.push_back({packet, hold});
    inbox_trace::behind(account_, *packet);
}

void AccountInbox::store_behind() {
    for (const QueuedBehind& waiting : std::exchange(behind_, {})) {
        ++keeping_;
        account_.hub().ledger.release_to(waiting.hold,
                                         [this](const Result<std::uint64_t>& row) { kept(row); });
    }
}

void AccountInbox::sessions_changed() {
    if (reading_ != Reading::paused && behind_.empty()) return;
    if (account_.sessions().best().empty()) {
        // The next session begins anew.
        if (reading_ == Reading::paused) reading_ = Reading::no;
        store_behind();
    } else if (reading_ == Reading::paused) {
        read_page();
    }
}

void AccountInbox::caught_up() {
    const AccountSessions::Some best = account_.sessions().best();
    if (best.empty()) store_behind();
    for (const QueuedBehind& waiting : std::exchange(behind_, {})) {
        hand_over(waiting.packet, waiting.hold, best);
    }
}

}  // namespace causeway
