// The part of AccountInbox that is about sessions of an earlier process (XEP-0198 §5): what each
// missed is sent to it when it is back, page by page, as fast as its client takes it; and what it
// may have is kept for it until then.
#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "gateway/session/account.h"
#include "gateway/session/awaited_sessions.h"
#include "gateway/session/inbox_trace.h"

namespace causeway {
namespace {

/// Rows that are looked at to find out what waits.
constexpr std::size_t again_at_most = 10'000;

bool holds(const std::vector<std::uint64_t>& rows, std::uint64_t row) {
    return std::ranges::binary_search(rows, row);
}

/// While the store is asked for them: what goes on behind the answer, in the order in which it
/// came.
struct LookingForAwaited final : SlotState {
    /// More than that does not wait: it is as if nobody were awaited.
    static constexpr std::size_t limit = 1000;
    std::vector<std::function<void()>> then;
};
constexpr Slot<LookingForAwaited> looking_slot{"looking for awaited sessions"};

}  // namespace

// ---- those that may come back ----

bool AccountInbox::none_comes_back(const Hub& hub) {
    return hub.clock().now() - hub.shared.started >= hub.limits().resume_seconds;
}

bool AccountInbox::looks_for_awaited() const { return account_.slots.get(looking_slot) != nullptr; }

bool AccountInbox::knows_awaited() const {
    if (none_comes_back(account_.hub()) || account_.slots.get(awaited_sessions_slot) != nullptr)
        return true;
    const LookingForAwaited* looking = account_.slots.get(looking_slot);
    return looking != nullptr && looking->then.size() >= LookingForAwaited::limit;
}

void AccountInbox::look_for_awaited(std::function<void()> then) {
    const bool asked = looks_for_awaited();
    account_.slots.make(looking_slot).then.push_back(std::move(then));
    if (asked) return;
    Hub& hub = account_.hub();
    account_.begin_question();
    hub.shared.store.map_list(std::string(StreamRecords::store), std::string(account_.jid().bare()),
                              hub.shard, [this](const Result<std::vector<MapEntry>>& entries) {
                                  const auto waiting =
                                      std::move(account_.slots.make(looking_slot).then);
                                  account_.slots.drop(looking_slot);
                                  // If they cannot be read, what one of them has may come to
                                  // another once more.
                                  awaits(entries ? *entries : std::vector<MapEntry>{});
                                  for (const auto& task : waiting) task();
                                  account_.end_question();
                              });
}

bool AccountInbox::awaited_has(std::uint64_t row) const {
    const AwaitedSessions* awaited = account_.slots.get(awaited_sessions_slot);
    return awaited != nullptr && awaited->were_sent(account_, row);
}

void AccountInbox::awaits(const std::vector<MapEntry>& entries) {
    if (none_comes_back(account_.hub()) || account_.slots.get(awaited_sessions_slot) != nullptr)
        return;
    std::vector<KeptStream> kept = kept_streams(entries);
    // Those of this process are there, or have ended: nobody says of one that it is never back.
    std::erase_if(kept, [this](const KeptStream& stream) {
        return account_.hub().stream_records.known(stream.id);
    });
    account_.slots.make(awaited_sessions_slot, account_.hub().slots.make(held_for_awaited_slot),
                        kept);
}

std::optional<std::vector<PacketRef>> AccountInbox::await_no_more(std::uint64_t stream) {
    AwaitedSessions* const awaited = account_.slots.get(awaited_sessions_slot);
    if (awaited == nullptr) return std::nullopt;
    return awaited->take(stream);
}

void AccountInbox::never_back(std::uint64_t stream) {
    const auto held = await_no_more(stream);
    if (!held) return;
    account_.begin_question();  // whatever is called here, the account stays
    give_up(*held);
    redeliver();
    account_.end_question();
}

void AccountInbox::none_is_back() {
    if (AwaitedSessions* const awaited = account_.slots.get(awaited_sessions_slot)) {
        give_up(awaited->take_all());
        account_.slots.drop(awaited_sessions_slot);
    }
}

void AccountInbox::give_up(const std::vector<PacketRef>& held) {
    for (const PacketRef& packet : held) {
        // A room has to notice that the occupant is gone.
        if (packet->type() != StanzaType::groupchat) continue;
        inbox_trace::no_such_session(account_, *packet, TraceVerdict::refused);
        account_.hub().routing->bounce(
            *packet, {.condition = StanzaCondition::recipient_unavailable, .text = {}});
    }
}

bool AccountInbox::holding() const {
    const AwaitedSessions* awaited = account_.slots.get(awaited_sessions_slot);
    return awaited != nullptr && awaited->holding();
}

bool AccountInbox::hold_for_awaited(const PacketRef& packet) {
    AwaitedSessions* const awaited = account_.slots.get(awaited_sessions_slot);
    if (awaited == nullptr || !awaited->hold(account_, packet)) return false;
    inbox_trace::awaited(account_, *packet);
    return true;
}

bool AccountInbox::awaits_session(std::string_view resource) const {
    const AwaitedSessions* awaited = account_.slots.get(awaited_sessions_slot);
    return awaited != nullptr && awaited->has(account_, resource);
}

// ---- one that is back ----

/// Stands with the session until it has caught up.
struct AccountInbox::CatchingUp final : SlotState {
    CatchingUp(std::uint64_t its_stream, Reached reached, std::uint64_t its_number)
        : number(its_number),
          stream(its_stream),
          missed(std::move(reached.missed)),
          until(missed.ranges.empty() ? 0 : missed.ranges.back().below) {
        came.insert(reached.messages.begin(), reached.messages.end());
        came.insert(reached.copies.begin(), reached.copies.end());
    }

    /// No other has it, though it may come to lie where this one lay.
    const std::uint64_t number;
    const std::uint64_t stream;
    Missed missed;                       ///< what is left of it
    std::uint64_t until;                 ///< where the last range ends
    std::vector<std::uint64_t> waiting;  ///< rows of the page that wait for the account
    std::set<std::uint64_t> came;        ///< rows that its client has, or was sent since it is back
    std::function<void()> then;          ///< none: its client takes nothing yet
    enum class Pace : unsigned char {
        at_once,
        paused,      ///< its client has much to take: room_again() goes on
        was_paused,  ///< in this round: others may have got more meanwhile
    };
    Pace pace = Pace::at_once;
};

constexpr Slot<AccountInbox::CatchingUp> AccountInbox::catch_up_slot{"catching up"};

void AccountInbox::is_back(Resource& session, std::uint64_t stream, Reached reached) {
    Hub& hub = account_.hub();
    const StoreKey key = store_key();
    for (const std::uint64_t row : reached.messages) hub.ledger.erase(key, row);
    stored_.reset();
    for (const SessionData& data : hub.shared.features.session_data()) {
        if (data.got_copy == nullptr) continue;
        for (const std::uint64_t row : reached.copies) data.got_copy(session, row);
    }
    session.slots.make(catch_up_slot, stream, std::move(reached), hub.shared.ids.next_id());
    for (const PacketRef& packet : await_no_more(stream).value_or(std::vector<PacketRef>{})) {
        if (packet->kind() == StanzaKind::message) {
            session.deliver(packet, 0);
        } else {
            account_.receive(packet, {});
        }
    }
}

void AccountInbox::was_sent(Resource& session, std::uint64_t row) {
    if (CatchingUp* const task = session.slots.get(catch_up_slot)) task->came.insert(row);
}

void AccountInbox::catch_up(Resource& session, std::function<void()> then) {
    CatchingUp* const task = session.slots.get(catch_up_slot);
    if (task == nullptr || task->then) return;
    task->then = std::move(then);
    if (knows_awaited()) {
        send_archived(session, *task);
        return;
    }
    look_for_awaited(
        [this, resource = std::string(session.jid().resource()), number = task->number] {
            const auto [its, open] = catching_up_as(resource, number);
            if (its != nullptr) send_archived(*its, *open);
        });
}

void AccountInbox::gone(Resource& session) {
    if (session.slots.get(catch_up_slot) == nullptr) return;
    session.slots.drop(catch_up_slot);
    redeliver();
}

/// Twice nullptr: that session has ended, though another may have its name.
std::pair<Resource*, AccountInbox::CatchingUp*> AccountInbox::catching_up_as(
    const std::string& resource, std::uint64_t number) const {
    Resource* const session = account_.sessions().find(resource);
    CatchingUp* const task = session == nullptr ? nullptr : session->slots.get(catch_up_slot);
    if (task == nullptr || task->number != number) return {nullptr, nullptr};
    return {session, task};
}

void AccountInbox::caught_up(Resource& session, CatchingUp& task) {
    const auto then = std::move(task.then);
    account_.hub().stream_records.set_missed(task.stream, {});
    session.slots.drop(catch_up_slot);
    then();
}

ArchiveQuery AccountInbox::question_of(const CatchingUp& task) const {
    const Missed& missed = task.missed;
    ArchiveQuery query{.owner = std::string(account_.jid().bare())};
    if (missed.in_rows()) {
        std::ranges::set_union(missed.messages, missed.copies, std::back_inserter(query.ids));
        query.above = query.ids.front() - 1;
        query.below = query.ids.back() + 1;
    } else {
        query.above = missed.ranges.front().above;
        query.below = missed.ranges.front().below;
    }
    return query;
}

/// First the rows that were sent to the session, then what came while it was not there. What waits
/// is looked up behind each page: a message that is in the archive by then, and is to wait, is
/// listed by then as well.
void AccountInbox::send_archived(Resource& session, CatchingUp& task) {
    if (task.missed.nothing()) {
        caught_up(session, task);
        return;
    }
    const auto with_task =
        [this, resource = std::string(session.jid().resource()),
         number = task.number](const std::function<void(Resource&, CatchingUp&)>& run) {
            const auto [its, open] = catching_up_as(resource, number);
            if (its != nullptr) run(*its, *open);
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
                    for (const LogRow& row : *waiting) same.waiting.push_back(row.id);
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
    account_.hub().shared.store.archive_page(question_of(task), account_.hub().shard, answered);
}

void AccountInbox::send_page(Resource& session, CatchingUp& task, const ArchivePage& page) {
    StreamRecords& records = account_.hub().stream_records;
    for (const ArchiveRow& row : page.rows) {
        if (!send_missed(session, task, row) || !session.crowded()) continue;
        task.missed.sent_up_to(row.id);
        records.set_missed(task.stream, task.missed.notes());
        task.pace = CatchingUp::Pace::paused;
        return;
    }
    if (page.complete) {
        task.missed.sent_part();
    } else {
        task.missed.sent_up_to(page.reached);
    }
    const bool once_more =
        task.missed.nothing() && task.missed.available && task.pace != CatchingUp::Pace::at_once;
    if (once_more) look_once_more(task);
    records.set_missed(task.stream, task.missed.notes());
    send_archived(session, task);
}

/// Until its presence has been said, messages for the account go to its other sessions.
void AccountInbox::look_once_more(CatchingUp& task) const {
    task.pace = CatchingUp::Pace::at_once;
    const std::uint64_t above = task.until - 1;
    task.until = account_.hub().shared.ids.next_id();
    task.missed.ranges = {
        {.above = above, .below = task.until, .session = Missed::Range::While::here}};
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

/// False: the session is not to have that message, or has it in another way.
bool AccountInbox::send_missed(Resource& session, CatchingUp& task, const ArchiveRow& row) {
    if (task.came.contains(row.id)) return false;
    // One that it was sent, and that nobody has, is sent to it again, and waits for nobody else.
    // What else waits comes by itself, unless for another session that may come back.
    const bool was_its_own = holds(task.missed.messages, row.id);
    const bool waits = holds(task.waiting, row.id) && !account_.hub().ledger.in_flight(row.id);
    if (!was_its_own && waits && !awaited_has(row.id)) return false;
    if (account_.hub().ledger.arriving(row.id)) return false;
    const PacketRef packet = row.incoming ? delayed(row.body, row.id, time_of_id(row.id)) : nullptr;
    if (row.incoming && (packet == nullptr || account_.access().blocks(packet->from()))) {
        return false;
    }
    if (task.missed.in_rows()) task.came.insert(row.id);
    if (packet != nullptr && is_for(session, task, row, *packet)) {
        const HoldId hold = was_its_own && waits ? fetched(packet, row.id) : 0;
        if (hold != 0) {
            session.deliver(packet, hold);
        } else {
            session.deliver(Packet::of_archive(packet, row.id), Ledger::nothing_open);
        }
        return true;
    }
    const PacketRef copy = while_here(task) ? nullptr : copy_for(session, row);
    if (copy == nullptr) return false;
    session.deliver(Packet::of_archive(copy, row.id), Ledger::nothing_open);
    return true;
}

bool AccountInbox::while_here(const CatchingUp& task) {
    return !task.missed.in_rows() &&
           task.missed.ranges.front().session == Missed::Range::While::here;
}

/// Whether the message itself is for that session, and not a copy of it.
bool AccountInbox::is_for(const Resource& session, const CatchingUp& task, const ArchiveRow& row,
                          const Packet& packet) const {
    const Jid& to = packet.to();
    if (while_here(task) && (to.has_resource() || copy_for(session, row) != nullptr)) {
        return false;
    }
    return holds(task.missed.messages, row.id) || to == session.jid() ||
           (!to.has_resource() && task.missed.available);
}

}  // namespace causeway
