// What waits for the owner of an account: messages that the rules hold, and requests to subscribe.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/features/access/operations.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::access {
namespace {

/// It is not listed any more; `done` hears when that is durable.
void erase_held(Account& account, std::uint64_t row, Done done) {
    Batch batch;
    batch.log_erase(held_store, account.jid().bare(), row);
    account.begin_question();
    account.hub().shared.store.commit(std::move(batch), account.hub().shard,
                                      [&account, done = std::move(done)](const Outcome& outcome) {
                                          done(outcome);
                                          account.end_question();
                                      });
}

/// Messages that the owner accepted: those that have not passed the rules yet, and the rows of
/// those that are not safe elsewhere yet. Keeps the account as long as there are any.
class Accepted final : public SlotState, public TicketHolder {
public:
    explicit Accepted(Account& account) : account_(account), holder_(account.hub().next_id()) {
        account_.hub().ticket_holders.emplace(holder_, static_cast<TicketHolder*>(this));
    }
    ~Accepted() override { account_.hub().ticket_holders.erase(holder_); }

    void deliver(const PacketRef& packet, std::uint64_t row) {
        const std::uint32_t number = ++last_;
        rows_.emplace(number, Open{row, 1});
        to_pass_.push_back(packet);
        account_.begin_question();
        account_.receive(
            packet, {.holder = holder_, .shard = account_.hub().shard.index(), .number = number});
    }
    bool take(const PacketRef& packet) { return std::erase(to_pass_, packet) > 0; }
    void add_rows(std::vector<std::uint64_t>& to) const {
        for (const auto& [number, open] : rows_) to.push_back(open.row);
    }

    void settled(std::uint32_t number) override {
        const auto open = rows_.find(number);
        if (open == rows_.end() || --open->second.times > 0) return;
        erase_held(account_, open->second.row, [this, number](const Outcome&) {
            rows_.erase(number);
            account_.end_question();
        });
    }
    void expect_again(std::uint32_t number) override {
        const auto open = rows_.find(number);
        if (open != rows_.end()) ++open->second.times;
    }

private:
    struct Open {
        std::uint64_t row;
        unsigned times;  ///< settled() that are expected
    };

    Account& account_;
    const std::uint64_t holder_;
    std::uint32_t last_ = 0;
    std::map<std::uint32_t, Open> rows_;
    std::vector<PacketRef> to_pass_;
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

std::vector<std::uint64_t> accepted_rows(const Account& account) {
    std::vector<std::uint64_t> rows;
    if (const Accepted* accepted = account.slots.get(accepted_slot)) accepted->add_rows(rows);
    return rows;
}

void list_held(Account& account, std::function<void(Result<Requests>)> answer) {
    account.begin_question();
    account.hub().shared.store.log_list(
        std::string(held_store), std::string(account.jid().bare()), 0, most_held(account),
        account.hub().shard,
        // What was accepted before it was asked for may be read all the same, and be erased by now.
        [&account, answer = std::move(answer),
         before = accepted_rows(account)](const Result<std::vector<LogRow>>& rows) {
            Requests held;
            if (rows) {
                const std::vector<std::uint64_t> since = accepted_rows(account);
                for (const LogRow& row : *rows) {
                    if (std::ranges::find(before, row.id) != before.end() ||
                        std::ranges::find(since, row.id) != since.end()) {
                        continue;
                    }
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

void deliver_held(Account& account, const Request& request) {
    const auto packet = Packet::from_bytes(request.body);
    if (!packet) return;
    const PacketRef stamped =
        (*packet)->with_child(XmlBuilder()
                                  .open("delay", ns::delay)
                                  .attribute("from", account.jid().domain())
                                  .attribute("stamp", format_date_time(request.at))
                                  .take());
    account.slots.make(accepted_slot, account).deliver(stamped, request.row);
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
                // Another server that sends it again is told that it is here.
                Hub& here = account.hub();
                here.seen.note(message.packet->repeat_keys(), here.clock().now(),
                               Ledger::nothing_open);
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

/// Calls `act` with the request that `which` names, and all others; it tells `done`.
void with_request(Account& account, std::string which, const Done& done,
                  std::function<void(const Request&, const Requests&)> act) {
    list_requests(account, [which = std::move(which), done,
                            act = std::move(act)](const Result<Requests>& all) {
        if (!all) return done(all.error());
        for (std::size_t i = 0; i < all->size(); ++i) {
            if (which != std::to_string(i + 1) && which != name_of((*all)[i])) continue;
            return act((*all)[i], *all);
        }
        done(Outcome::absent(
            fmt::format("there is no request {}: {} are waiting", which, all->size())));
    });
}

/// Behind the change that the answer made.
void when_answered(Account& account, const Jid& contact, bool approved, const Done& done) {
    account.in_order([&account, contact, approved, done](const Outcome& outcome) {
        if (!outcome) return done(outcome);
        const RosterItem* item = account.roster().items().find(contact);
        const bool from = item != nullptr && item->state.from;
        const bool pending = item != nullptr && item->state.pending_in;
        if (from == approved && !pending) return done({});
        done(Outcome::retry("the roster could not be changed: it is full, or cannot be stored"));
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

std::string name_of(const Request& request) {
    return request.kind == Request::Kind::subscription ? "s:" + std::string(request.from.bare())
                                                       : "m:" + std::to_string(request.row);
}

void accept_request(Account& account, std::string which, Done done) {
    with_request(account, std::move(which), done,
                 [&account, done](const Request& request, const Requests& all) {
                     if (request.kind == Request::Kind::subscription) {
                         answer_subscription(account, request.from, StanzaType::subscribed);
                         when_answered(account, request.from, true, done);
                         return;
                     }
                     for (const Request& other : all) {
                         const bool same = other.kind == Request::Kind::message &&
                                           other.from.bare() == request.from.bare();
                         if (same) deliver_held(account, other);
                     }
                     done({});
                 });
}

void refuse_request(Account& account, std::string which, Done done) {
    with_request(account, std::move(which), done,
                 [&account, done](const Request& request, const Requests&) {
                     if (request.kind == Request::Kind::subscription) {
                         answer_subscription(account, request.from, StanzaType::unsubscribed);
                         when_answered(account, request.from, false, done);
                         return;
                     }
                     erase_held(account, request.row, done);
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
    return accepted != nullptr && accepted->take(packet);
}

}  // namespace causeway::access
