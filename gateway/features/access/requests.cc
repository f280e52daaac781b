// What waits for the owner of an account: messages that the rules hold, and requests to subscribe.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/features/access/operations.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::access {
namespace {

/// Messages that the owner accepted and that have not passed the rules yet.
struct Accepted final : SlotState {
    std::vector<PacketRef> packets;
};
constexpr Slot<Accepted> accepted_slot{"access-accepted"};

std::size_t most_held(const Account& account) {
    return static_cast<std::size_t>(held_limit.integer(*account.hub().config));
}

std::string said_in(std::string_view bytes, std::string_view element) {
    std::string text;
    static_cast<void>(Packet::visit_bytes(bytes, [&](Stanza& stanza) {
        const Element* child = stanza.element.child(ns::client, element);
        if (child != nullptr) text = child->text(stanza.arena);
    }));
    return text;
}

void list_held(Account& account, std::function<void(Result<Requests>)> answer) {
    account.begin_question();
    account.hub().shared.store.log_list(
        std::string(held_store), std::string(account.jid().bare()), 0, most_held(account),
        account.hub().shard,
        [&account, answer = std::move(answer)](const Result<std::vector<LogRow>>& rows) {
            Requests held;
            if (rows) {
                for (const LogRow& row : *rows) {
                    const auto packet = Packet::from_bytes(row.body);
                    if (!packet) continue;
                    held.push_back({.kind = Request::Kind::message,
                                    .from = (*packet)->from(),
                                    .text = said_in(row.body, "body"),
                                    .at = row.at,
                                    .row = row.id,
                                    .body = row.body});
                }
                answer(std::move(held));
            } else {
                answer(rows.error());
            }
            account.end_question();
        });
}

Requests subscription_requests(const Account& account) {
    Requests asked;
    for (const auto& [key, item] : account.roster().items().items()) {
        if (!item.state.pending_in) continue;
        asked.push_back({.kind = Request::Kind::subscription,
                         .from = item.jid,
                         .text = said_in(item.request, "status"),
                         .body = {}});
    }
    return asked;
}

void answer_subscription(Account& account, const Jid& contact, StanzaType type) {
    const PacketRef packet =
        Packet::make(StanzaKind::presence, type, account.jid(), contact, {}, {});
    static_cast<void>(Packet::visit_bytes(
        packet->bytes(), [&](Stanza& stanza) { account.subscriptions().send(stanza, {}); }));
}

StoreKey key_of(const Account& account) {
    return {held_store, std::string(account.jid().bare()), 0};
}

void deliver_held(Account& account, const Request& request) {
    const auto packet = Packet::from_bytes(request.body);
    if (!packet) return;
    const PacketRef stamped =
        (*packet)->with_child(XmlBuilder()
                                  .open("delay", ns::delay)
                                  .attribute("from", account.jid().domain())
                                  .attribute("stamp", format_date_time(request.at))
                                  .take());
    account.slots.make(accepted_slot).packets.push_back(stamped);
    account.receive(stamped, {});
    // With the commit of the message, or after it: a crash between shows it twice at worst.
    account.hub().ledger.erase(key_of(account), request.row);
}

/// Messages that are to be held, one after the other: how many there are already is known only once
/// the one before is stored.
struct Arriving final : SlotState {
    struct Message {
        PacketRef packet;
        AcknowledgementTicket ticket;
    };
    std::deque<Message> waiting;  ///< the first is being stored
};
constexpr Slot<Arriving> arriving_slot{"access-arriving"};

void too_many(Account& account, const Packet& packet, AcknowledgementTicket ticket) {
    account.hub().routing->bounce(
        packet, {.condition = StanzaCondition::service_unavailable, .text = {}}, ticket);
}

void hold_next(Account& account);

void arrived(Account& account) {
    Arriving& arriving = *account.slots.get(arriving_slot);
    arriving.waiting.pop_front();
    if (!arriving.waiting.empty()) return hold_next(account);
    account.slots.drop(arriving_slot);
    account.end_question();
}

void store_held(Account& account, const Arriving::Message& message) {
    Hub& hub = account.hub();
    Batch batch;
    batch.log_append(held_store, account.jid().bare(),
                     {.id = hub.shared.ids.next_id(),
                      .at = hub.clock().wall(),
                      .expires = 0,
                      .body = std::string(message.packet->bytes())});
    hub.shared.store.commit(
        std::move(batch), hub.shard, [&account, message](const Outcome& outcome) {
            if (outcome) {
                account.hub().settle(message.ticket);
            } else {
                account.hub().routing->bounce(
                    *message.packet,
                    {.condition = StanzaCondition::resource_constraint,
                     .text = "The message could not be stored: try again later."},
                    message.ticket);
            }
            arrived(account);
        });
}

void hold_next(Account& account) {
    list_held(account, [&account](const Result<Requests>& held) {
        const Arriving::Message message = account.slots.get(arriving_slot)->waiting.front();
        if (held && held->size() < most_held(account)) {
            store_held(account, message);
        } else {
            too_many(account, *message.packet, message.ticket);
            arrived(account);
        }
    });
}

/// Calls `act` with the request of that number, and all others.
void with_request(Account& account, std::size_t number, Done done,
                  std::function<void(const Request&, const Requests&)> act) {
    list_requests(account, [number, done = std::move(done),
                            act = std::move(act)](const Result<Requests>& all) {
        if (!all) return done(all.error());
        if (number == 0 || number > all->size()) {
            return done(Outcome::absent(
                fmt::format("there is no request {}: {} are waiting", number, all->size())));
        }
        act((*all)[number - 1], *all);
        done({});
    });
}

}  // namespace

void list_requests(Account& account, std::function<void(Result<Requests>)> answer) {
    account.begin_question();
    account.hub().ledger.when_readable([&account, answer = std::move(answer)] {
        list_held(account, [&account, answer](Result<Requests> held) {
            if (!held) return answer(held.error());
            Requests all = subscription_requests(account);
            std::ranges::move(*held, std::back_inserter(all));
            answer(std::move(all));
        });
        account.end_question();
    });
}

void accept_request(Account& account, std::size_t number, Done done) {
    with_request(account, number, std::move(done),
                 [&account](const Request& request, const Requests& all) {
                     if (request.kind == Request::Kind::subscription) {
                         answer_subscription(account, request.from, StanzaType::subscribed);
                         return;
                     }
                     for (const Request& other : all) {
                         const bool same = other.kind == Request::Kind::message &&
                                           other.from.bare() == request.from.bare();
                         if (same) deliver_held(account, other);
                     }
                 });
}

void refuse_request(Account& account, std::size_t number, Done done) {
    with_request(account, number, std::move(done),
                 [&account](const Request& request, const Requests&) {
                     if (request.kind == Request::Kind::subscription) {
                         answer_subscription(account, request.from, StanzaType::unsubscribed);
                     } else {
                         account.hub().ledger.erase(key_of(account), request.row);
                     }
                 });
}

void hold_message(Account& account, const PacketRef& packet, AcknowledgementTicket ticket) {
    Arriving& arriving = account.slots.make(arriving_slot);
    if (arriving.waiting.size() >= most_held(account)) {
        too_many(account, *packet, ticket);
        return;
    }
    arriving.waiting.push_back({packet, ticket});
    if (arriving.waiting.size() > 1) return;
    account.begin_question();  // until none arrives any more
    hold_next(account);
}

bool was_accepted(Account& account, const PacketRef& packet) {
    Accepted* accepted = account.slots.get(accepted_slot);
    if (accepted == nullptr || std::erase(accepted->packets, packet) == 0) return false;
    if (accepted->packets.empty()) account.slots.drop(accepted_slot);
    return true;
}

}  // namespace causeway::access
