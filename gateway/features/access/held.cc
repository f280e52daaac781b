// Messages that arrive and are to be held until their owner accepts them.
#include "gateway/features/access/held.h"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"

namespace causeway::access {
namespace {

/// Messages that are to be held, one after the other: how many there are already is known only once
/// the one before is stored.
struct Arriving final : SlotState {
    struct Message {
        PacketRef packet;
        std::vector<AcknowledgementTicket> tickets;  ///< of each copy that came
    };
    std::deque<Message> waiting;  ///< the first is being stored
};
constexpr Slot<Arriving> arriving_slot{"access-arriving"};

/// What is held, with the key by which it is known where another server sends it again (0: by
/// none). It is read once, as it may be large, and anybody may send more.
struct Held final : SlotState {
    bool known = false;                           ///< it has been read
    std::map<std::uint64_t, std::uint64_t> keys;  ///< by row
    std::vector<std::uint64_t> gone;              ///< rows that went while it was being read
};
constexpr Slot<Held> held_slot{"access-held"};

/// Whether another server sent the second as a copy of the first (gateway/session/seen_messages.h).
bool comes_again(const RepeatKeys& first, const RepeatKeys& second) {
    const std::uint64_t id = first.by_server_id & ~RepeatKeys::not_said;
    if (second.by_server_id != 0 && second.by_server_id == id) return true;
    return second.by_client_id != 0 && second.by_client_id == first.by_client_id &&
           first.broke < second.broke;
}

/// One that was held before this process began is not remembered, and may come again all the same.
bool is_held(const Held& held, const Packet& packet) {
    const std::uint64_t key = packet.repeat_keys().by_server_id;
    return key != 0 &&
           std::ranges::any_of(held.keys, [key](const auto& row) { return row.second == key; });
}

std::uint64_t key_of(const Account& account, std::string_view body) {
    std::uint64_t key = 0;
    static_cast<void>(Packet::visit_bytes(body, [&](const Stanza& stanza) {
        key = SeenMessages::keys_of(account.hub().shared.secret, stanza).by_server_id;
    }));
    return key;
}

const StanzaError not_stored{.condition = StanzaCondition::resource_constraint,
                             .text = "The message could not be stored: try again later."};
const StanzaError too_many{.condition = StanzaCondition::service_unavailable, .text = {}};

// What becomes of the first of those that wait.

void first_is_held(Account& account) {
    Hub& hub = account.hub();
    Arriving& arriving = *account.slots.get(arriving_slot);
    const Arriving::Message first = std::move(arriving.waiting.front());
    arriving.waiting.pop_front();
    // Another server that sends it again is told that it is here.
    hub.seen.note(first.packet->repeat_keys(), hub.clock().now(), Ledger::nothing_open);
    for (const AcknowledgementTicket& ticket : first.tickets) hub.settle(ticket);
}

void first_is_refused(Account& account, const StanzaError& error) {
    Hub& hub = account.hub();
    Arriving& arriving = *account.slots.get(arriving_slot);
    const Arriving::Message first = std::move(arriving.waiting.front());
    arriving.waiting.pop_front();
    hub.routing->bounce(*first.packet, error, first.tickets.front());
    for (std::size_t i = 1; i < first.tickets.size(); ++i) hub.settle(first.tickets[i]);
}

void hold_waiting(Account& account);

void store_first(Account& account) {
    Hub& hub = account.hub();
    const Packet& packet = *account.slots.get(arriving_slot)->waiting.front().packet;
    const std::uint64_t row = hub.shared.ids.next_id();
    Batch batch;
    batch.log_append(
        held_store, account.jid().bare(),
        {.id = row, .at = hub.clock().wall(), .expires = 0, .body = std::string(packet.bytes())});
    const std::uint64_t key = key_of(account, packet.bytes());
    hub.shared.store.commit(std::move(batch), hub.shard,
                            [&account, row, key](const Outcome& outcome) {
                                if (!outcome) {
                                    first_is_refused(account, not_stored);
                                } else {
                                    Held* const held = account.slots.get(held_slot);
                                    if (held != nullptr) held->keys.emplace(row, key);
                                    first_is_held(account);
                                }
                                hold_waiting(account);
                            });
}

void read_held(Account& account) {
    account.slots.make(held_slot);
    list_held(account, [&account](const Result<Requests>& listed) {
        Held* const held = account.slots.get(held_slot);
        if (!listed) {
            account.slots.drop(held_slot);
            first_is_refused(account, not_stored);
        } else if (held != nullptr) {  // else the account was loaded again meanwhile
            for (const Request& one : *listed) {
                held->keys.emplace(one.row, key_of(account, one.body));
            }
            for (const std::uint64_t row : std::exchange(held->gone, {})) held->keys.erase(row);
            held->known = true;
        }
        hold_waiting(account);
    });
}

/// Goes on until one has to wait for the store, or none waits any more.
void hold_waiting(Account& account) {
    const Arriving& arriving = *account.slots.get(arriving_slot);
    while (!arriving.waiting.empty()) {
        const Held* const held = account.slots.get(held_slot);
        if (held == nullptr || !held->known) return read_held(account);
        if (is_held(*held, *arriving.waiting.front().packet)) {
            first_is_held(account);
        } else if (held->keys.size() < most_held(account)) {
            return store_first(account);
        } else {
            first_is_refused(account, too_many);
        }
    }
    account.slots.drop(arriving_slot);
    account.end_question();
}

}  // namespace

std::size_t most_held(const Account& account) {
    return static_cast<std::size_t>(held_limit.integer(*account.hub().config));
}

void no_longer_held(Account& account, std::uint64_t row) {
    Held* const held = account.slots.get(held_slot);
    if (held == nullptr) return;
    held->keys.erase(row);
    if (!held->known) held->gone.push_back(row);
}

void held_anew(Account& account) { account.slots.drop(held_slot); }

void note_rules(const Account& account, const Packet& packet, TraceVerdict verdict,
                std::string_view why) {
    account.hub().trace.note(packet, {TraceStage::account, verdict, "access_rules", why});
}

void hold_message(Account& account, const PacketRef& packet, AcknowledgementTicket ticket) {
    Arriving& arriving = account.slots.make(arriving_slot);
    for (Arriving::Message& other : arriving.waiting) {
        if (!comes_again(other.packet->repeat_keys(), packet->repeat_keys())) continue;
        note_rules(account, *packet, TraceVerdict::repeated, "it came before, and is held already");
        other.tickets.push_back(ticket);
        return;
    }
    if (arriving.waiting.size() >= most_held(account)) {
        account.hub().routing->bounce(*packet, too_many, ticket);
        return;
    }
    arriving.waiting.push_back({packet, {ticket}});
    if (arriving.waiting.size() > 1) return;
    account.begin_question();  // until none arrives any more
    hold_waiting(account);
}

}  // namespace causeway::access
