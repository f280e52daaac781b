// What waits for the owner of an account: messages that the rules hold, and requests to subscribe.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/base/cut_text.h"
#include "gateway/features/access/held.h"
#include "gateway/features/access/operations.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::access {
namespace {

/// Of a report, which says no more than that it was not wanted (XEP-0377 §3).
constexpr std::string_view spam = "urn:xmpp:reporting:spam";
constexpr std::size_t longest_report = 500;

/// They are not listed any more; `done` hears when that is durable.
void erase_held(Account& account, const std::vector<std::uint64_t>& rows, Done done) {
    Batch batch;
    for (const std::uint64_t row : rows) {
        batch.log_erase(held_store, account.jid().bare(), row);
    }
    account.begin_question();
    account.hub().shared.store.commit(
        std::move(batch), account.hub().shard,
        [&account, rows, done = std::move(done)](const Outcome& outcome) {
            for (const std::uint64_t row : rows) {
                if (outcome) no_longer_held(account, row);
            }
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
        const std::uint64_t row = open->second.row;
        erase_held(account_, {row}, [this, number, row](const Outcome& outcome) {
            if (outcome) {
                rows_.erase(number);
            } else {
                // It stays one that was accepted; the ledger tries again.
                const StoreKey key{held_store, std::string(account_.jid().bare())};
                account_.hub().ledger.erase(key, row);
            }
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
    no_longer_held(account, request.row);
    account.slots.make(accepted_slot, account).deliver(stamped, request.row);
}

/// What the owner decides about requests, one after the other: each looks at what the one before
/// left, so that none is accepted twice, or accepted and refused.
struct Deciding final : SlotState {
    std::deque<std::function<void()>> waiting;  ///< the first is under way
};
constexpr Slot<Deciding> deciding_slot{"access-deciding"};
constexpr std::size_t deciding_limit = 100;

/// Does what the owner wants with a request, and tells `done`; the others wait as well.
using Act = std::function<void(const Request&, const Requests& all, const Done& done)>;

void decided(Account& account) {
    Deciding& deciding = *account.slots.get(deciding_slot);
    deciding.waiting.pop_front();
    if (!deciding.waiting.empty()) {
        const std::function<void()> next = deciding.waiting.front();
        return next();
    }
    account.slots.drop(deciding_slot);
    account.end_question();
}

Outcome not_any_more() {
    return Outcome::absent("that request does not wait any more: look at the list again");
}

/// There is none of that number; a name is one that a client was shown before.
Outcome no_request(std::string_view which, std::size_t count) {
    if (which.find(':') != std::string_view::npos) return not_any_more();
    const std::string which_are = count == 0   ? "none waits"
                                  : count == 1 ? "the only one that waits is 1"
                                               : fmt::format("those that wait are 1 to {}", count);
    return Outcome::absent(fmt::format("there is no request {}: {}", which, which_are));
}

/// The request of that name, if it still waits.
void decide_named(Account& account, const std::string& name, const Act& act, const Done& done) {
    list_requests(account, [name, act, done](const Result<Requests>& all) {
        if (!all) return done(all.error());
        const auto named = std::ranges::find(*all, name, name_of);
        if (named != all->end()) return act(*named, *all, done);
        done(not_any_more());
    });
}

void decide_in_turn(Account& account, const std::string& name, const Act& act, const Done& done) {
    Deciding& deciding = account.slots.make(deciding_slot);
    if (deciding.waiting.size() >= deciding_limit) {
        return done(Outcome::retry("too many requests are being answered; try again"));
    }
    deciding.waiting.emplace_back([&account, name, act, done] {
        decide_named(account, name, act, [&account, done](const Outcome& outcome) {
            done(outcome);
            decided(account);
        });
    });
    if (deciding.waiting.size() > 1) return;
    account.begin_question();  // until none is under way any more
    const std::function<void()> first = deciding.waiting.front();
    first();
}

/// A number means the request that has it now, whatever else is decided before this one.
void with_request(Account& account, std::string which, const Done& done, const Act& act) {
    list_requests(account,
                  [&account, which = std::move(which), done, act](const Result<Requests>& all) {
                      if (!all) return done(all.error());
                      for (std::size_t i = 0; i < all->size(); ++i) {
                          const std::string name = name_of((*all)[i]);
                          if (which == std::to_string(i + 1) || which == name) {
                              return decide_in_turn(account, name, act, done);
                          }
                      }
                      done(no_request(which, all->size()));
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

/// All of one sender.
void refuse_all(Account& account, const Requests& requests, const Done& done) {
    std::vector<std::uint64_t> rows;
    bool subscription = false;
    for (const Request& request : requests) {
        if (request.kind == Request::Kind::message) {
            rows.push_back(request.row);
        } else {
            subscription = true;
            answer_subscription(account, request.from, StanzaType::unsubscribed);
        }
    }
    const auto erased = [&account, requests, subscription, done](const Outcome& outcome) {
        if (!outcome) return done(outcome);
        for (const Request& request : requests) {
            const auto packet = Packet::from_bytes(request.body);
            if (request.kind != Request::Kind::message || !packet) continue;
            note_rules(account, **packet, TraceVerdict::dropped,
                       "the account refused it and blocked its sender");
        }
        if (!subscription) return done({});
        when_answered(account, requests.front().from.bare_jid(), false, done);
    };
    rows.empty() ? erased({}) : erase_held(account, rows, erased);
}

}  // namespace

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
                        std::ranges::find(since, row.id) != since.end() ||
                        account.hub().ledger.in_flight(row.id)) {
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

void list_requests(Account& account, std::function<void(Result<Requests>)> answer) {
    account.begin_question();
    account.hub().ledger.when_readable([&account, answer = std::move(answer)] {
        list_held(account, [&account, answer](const Result<Requests>& held) {
            if (!held) return answer(held.error());
            // What is being made of a subscription is known then.
            account.in_order([&account, answer, held = *held](const Outcome& outcome) {
                if (!outcome) return answer(outcome);
                Requests all = subscription_requests(account);
                std::ranges::copy(held, std::back_inserter(all));
                answer(std::move(all));
            });
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
                 [&account](const Request& request, const Requests& all, const Done& accepted) {
                     if (request.kind == Request::Kind::subscription) {
                         answer_subscription(account, request.from, StanzaType::subscribed);
                         when_answered(account, request.from, true, accepted);
                         return;
                     }
                     for (const Request& other : all) {
                         const bool same = other.kind == Request::Kind::message &&
                                           other.from.bare() == request.from.bare();
                         if (same) deliver_held(account, other);
                     }
                     accepted({});
                 });
}

void refuse_request(Account& account, std::string which, Done done) {
    with_request(
        account, std::move(which), done,
        [&account](const Request& request, const Requests&, const Done& refused) {
            if (request.kind == Request::Kind::subscription) {
                answer_subscription(account, request.from, StanzaType::unsubscribed);
                when_answered(account, request.from, false, refused);
                return;
            }
            const auto packet = Packet::from_bytes(request.body);
            erase_held(account, {request.row}, [&account, packet, refused](const Outcome& outcome) {
                if (outcome && packet) {
                    note_rules(account, **packet, TraceVerdict::dropped, "the account refused it");
                }
                refused(outcome);
            });
        });
}

void report_request(Account& account, std::string which, Done done) {
    with_request(account, std::move(which), done,
                 [&account](const Request& request, const Requests& all, const Done& reported) {
                     Requests of_sender;
                     std::ranges::copy_if(all, std::back_inserter(of_sender),
                                          [&](const Request& other) {
                                              return other.from.bare() == request.from.bare();
                                          });
                     const auto blocked = [&account, of_sender, text = request.text,
                                           reported](const Outcome& outcome) {
                         if (!outcome) return reported(outcome);
                         note_report(account, of_sender.front().from.bare(), spam,
                                     cut_text(text, longest_report));
                         refuse_all(account, of_sender, reported);
                     };
                     block(account, {std::string(request.from.bare())}, blocked);
                 });
}

bool was_accepted(Account& account, const PacketRef& packet) {
    Accepted* accepted = account.slots.get(accepted_slot);
    return accepted != nullptr && accepted->take(packet);
}

}  // namespace causeway::access
