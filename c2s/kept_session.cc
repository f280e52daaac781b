// The record that a client session leaves in the store, and how a session of an earlier process
// goes on (XEP-0198 §5): to its client, a restart is a break like any other.
#include <algorithm>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "c2s/ended_sessions.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/serial_number.h"
#include "gateway/session/accounts.h"
#include "gateway/session/process_starts.h"

namespace causeway {

// ---- the record ----

void ClientSession::begin_record(std::uint64_t id) {
    holder_id_ = id;
    record_ = std::make_unique<SessionRecord>();
    management_->keep_record();
    hub_.stream_records.begin(id, jid().bare());
}

/// To the client, behind what waits for its notes.
void ClientSession::emit(std::string_view bytes) {
    if (record_ != nullptr &&
        (!record_->output.empty() || !hub_.stream_records.over(record_->output_round))) {
        record_->output.emplace_back(bytes);
        record_->output_bytes += bytes.size();
    } else {
        stream_->stream().send(bytes);
    }
}

void ClientSession::note_sent(const Packet& packet, HoldId hold) {
    const bool copy = packet.archived() && (hold == 0 || hold == Ledger::nothing_open);
    const std::uint64_t row = copy ? packet.stanza_id() : hub_.ledger.row(hold);
    if (row == 0) return;
    if (hold != Ledger::nothing_open) account_.inbox().was_sent(*this, row);
    record_->output_round =
        hub_.stream_records.sent(holder_id_, management_->sent_count(), row, copy);
}

void ClientSession::note_handled() {
    if (record_ == nullptr || record_->h_round != 0 || record_->h_waits) return;
    if (!account_.at_rest()) {
        // What the client has changed is done when the account is loaded.
        record_->h_waits = true;
        account_.in_order([account = &account_, address = jid()](const Outcome& outcome) {
            auto* session =
                static_cast<ClientSession*>(account->sessions().find(address.resource()));
            if (session == nullptr || session->record_ == nullptr) return;
            session->record_->h_waits = false;
            // If the account cannot be read, with what the client sends next.
            if (outcome) session->note_handled_now();
        });
        return;
    }
    note_handled_now();
}

void ClientSession::note_handled_now() {
    if (record_->h_round != 0) return;
    // What the client did before it was acknowledged is durable with the acknowledgement.
    save_state();
    record_->h = management_->handled();
    record_->h_round = hub_.stream_records.handled(holder_id_, record_->h);
}

/// RFC 6121 §4.5.2: who has to hear that the session is gone, if it never goes on, stands in the
/// record soon, also of a client that never asks what is handled.
void ClientSession::note_shown() {
    const bool directed_came =
        std::exchange(record_->came, SessionRecord::Came::nothing) == SessionRecord::Came::directed;
    account_.in_order([account = &account_, address = jid(),
                       directed_came](const Outcome& outcome) {
        auto* session = static_cast<ClientSession*>(account->sessions().find(address.resource()));
        if (!outcome || session == nullptr || session->record_ == nullptr) return;
        const bool shown = session->presence != nullptr;
        if (directed_came || shown != session->record_->shown) session->save_state();
    });
}

/// Up to which stanza everything is handled, and durable as soon as that number is.
std::uint32_t ClientSession::handled_with_state() const {
    const std::uint32_t handled = management_->handled();
    const std::uint32_t first = record_->first_change;
    return first != 0 && serial_distance(handled, first) >= 0 ? first - 1 : handled;
}

void ClientSession::save_state(Ends how) {
    if (record_ == nullptr) return;
    StreamState state{
        .resource = std::string(jid().resource()),
        .token_hash = hash_of_token(management_->token()),
        .interested = interested,
        .unseen = !account_.takes_part(),
        .gone = how == Ends::everybody_is_told,
        .process = hub_.shared.first_id,
        .presence = presence == nullptr ? record_->presence : std::string(presence->bytes()),
        .directed = {},
        .of_features = {}};
    for (const Jid& to : directed) state.directed.emplace_back(to.full());
    for (const SessionData& data : hub_.shared.features.session_data()) {
        std::string saved = data.save(*this);
        if (!saved.empty()) state.of_features.emplace_back(data.name, std::move(saved));
    }
    record_->shown = !state.presence.empty();
    hub_.stream_records.set_state(holder_id_, state.text());
}

void ClientSession::noted(std::uint32_t number, std::uint32_t handled) {
    if (record_ == nullptr) return;
    management_->note_up_to(handled);
    management_->note(number);
}

void ClientSession::written(bool durable) {
    if (record_ == nullptr) return;
    const StreamRecords& records = hub_.stream_records;
    // A full disk does not keep messages from the client. But it is told no `h` that the next
    // process would not know.
    if (record_->output_round != 0 && records.over(record_->output_round)) {
        record_->output_round = 0;
        const std::vector<std::string> output = std::exchange(record_->output, {});
        record_->output_bytes = 0;
        for (const std::string& element : output) {
            if (stream_ != nullptr) stream_->stream().send(element);
        }
    }
    if (record_->h_round != 0 && records.over(record_->h_round)) {
        if (!durable) {
            record_->h_round = hub_.stream_records.again();
            return;
        }
        record_->h_round = 0;
        record_->first_change =
            serial_distance(record_->last_change, record_->h) > 0 ? record_->h + 1 : 0;
        management_->note_up_to(record_->h);
        answer_request();
        go_on_resuming_soon();
    }
}

void ClientSession::leave_process(std::string_view text) {
    // Before its presence is gone. If the time to end was over, links may be closed already.
    save_state(text.empty() ? Ends::everybody_is_told : Ends::nobody_is_told);
    if (record_ != nullptr && account_.at_rest()) {
        static_cast<void>(hub_.stream_records.handled(holder_id_, management_->handled()));
    }
    record_.reset();
    evict(stream_error::system_shutdown, text);
}

// ---- going on after a restart ----

/// Whether the client sends again what is safe already, under the same id.
bool ClientSession::repeats(const Stanza& stanza, std::uint32_t number) {
    // What the client says of itself now is newer than what is to be repeated for it.
    if (stanza.kind == StanzaKind::presence && stanza.to.empty()) record_->presence.clear();
    auto& safe = record_->repeats;
    if (safe.empty()) return false;
    if (serial_distance(number, safe.rbegin()->first) > 0) {
        safe.clear();
        return false;
    }
    if (stanza.kind != StanzaKind::message) return false;
    const std::uint64_t fingerprint =
        StreamRecords::fingerprint(stanza.to.empty() ? account_.jid() : stanza.to, stanza.id());
    // One without an id could be another that came to have its number: better twice than never.
    if (fingerprint == 0) return false;
    const auto found =
        std::ranges::find(safe, fingerprint, [](const auto& one) { return one.second; });
    if (found == safe.end()) return false;
    safe.erase(found);
    return true;
}

void ClientStream::none_to_resume(std::string_view token) {
    const EndedSessions* ended = hub_.slots.get(ended_sessions_slot);
    refuse_resumption("item-not-found", "there is no such session to resume",
                      ended == nullptr ? std::nullopt : ended->handled(account_.bare(), token));
}

void ClientStream::look_for_kept(std::string token, std::uint32_t h) {
    if (hub_.limits().kept_streams_per_account == 0 || hub_.limits().resume_seconds.count() == 0 ||
        looked_ || token.size() > longest_stream_token) {
        none_to_resume(token);
        return;
    }
    looked_ = true;
    stream_.hold();
    const auto found = [this, alive = handle(), token, h](
                           const Result<std::vector<MapEntry>>& all,
                           const std::vector<std::uint64_t>& starts) {
        if (alive.expired() || !stream_.usable()) return;
        auto kept = all ? find_kept_stream(*all, token) : std::nullopt;
        if (kept) hub_.accounts->get(account_.bare()).inbox().awaits(*all);
        if (!kept) {
            none_to_resume(token);
            return;
        }
        if (kept->state.process != 0) {
            kept->left_at = process_starts::after(starts, kept->state.process);
        }
        hub_.accounts->get(account_.bare())
            .when_loaded([this, alive, kept = *kept, token, h](const Outcome&) {
                if (alive.expired() || !stream_.usable()) return;
                found_kept(kept, token, h);
            });
    };
    // What an earlier process left is listed first: else it would be listed after the client said
    // that it has it.
    hub_.shared.archive_mark.when_recovered(hub_.shard, [this, alive = handle(), found] {
        if (alive.expired() || !stream_.usable()) return;
        process_starts::read(hub_, [this, alive, found](const std::vector<std::uint64_t>& starts) {
            if (alive.expired() || !stream_.usable()) return;
            hub_.shared.store.map_list(
                std::string(StreamRecords::store), std::string(account_.bare()), hub_.shard,
                [found, starts](const Result<std::vector<MapEntry>>& all) { found(all, starts); });
        });
    });
}

void ClientStream::found_kept(const KeptStream& kept, std::string_view token, std::uint32_t h) {
    // Another connection may have been faster, with the same client behind it.
    if (ClientSession* session = table_.find_resumable(account_, token)) {
        resume(*session, h);
        return;
    }
    Account& user = hub_.accounts->get(account_.bare());
    const bool possible = user.loaded() && !user.barred() && !hub_.stream_records.known(kept.id) &&
                          user.sessions().find(kept.state.resource) == nullptr &&
                          user.sessions().size() < hub_.limits().sessions_per_account;
    if (!possible) {
        refuse_resumption("item-not-found", "there is no such session to resume", kept.handled);
        return;
    }
    ClientSession& session = table_.create(account_.with_resource(kept.state.resource));
    session_ = &session;
    session.take_over(kept, token, *this, h);
}

void ClientSession::take_over(const KeptStream& kept, std::string_view token, ClientStream& stream,
                              std::uint32_t h) {
    management_ = std::make_unique<StreamManagement>();
    management_->go_on(kept.handled, h);
    management_->allow_resumption(std::string(token));
    begin_record(kept.id);
    hub_.ticket_holders.emplace(holder_id_, static_cast<TicketHolder*>(this));
    record_->repeats = kept.safe;
    record_->presence = kept.state.presence;
    interested = kept.state.interested;
    for (const std::string& to : kept.state.directed) {
        if (const auto address = Jid::parse(to)) directed.insert(*address);
    }
    for (const SessionData& data : hub_.shared.features.session_data()) {
        for (const auto& [name, saved] : kept.state.of_features) {
            if (name == data.name) data.restore(*this, saved);
        }
    }
    Reached reached = reached_by(kept, h);
    missed_since(kept.left_at, reached.missed);
    KeptStream now = kept;
    now.missed = reached.missed;  // up to this process: the next one is to begin behind that
    now.state.process = hub_.shared.first_id;
    account_.inbox().is_back(*this, holder_id_, std::move(reached));
    hub_.stream_records.go_on(now, jid().bare());
    resuming_ = &stream;
    enter(State::resuming);
    note_handled();
    CAUSEWAY_LOG(info, "c2s.went_on", {"jid", jid().full()}, {"handled", kept.handled});
}

/// What came since the process that had the session, which ended with that id.
void ClientSession::missed_since(std::uint64_t left_at, Missed& missed) const {
    using Range = Missed::Range;
    if (left_at == 0) left_at = hub_.shared.ids.floor();
    // That process had not sent it all that it had missed by then.
    if (!missed.ranges.empty()) {
        missed.ranges.push_back({.above = missed.ranges.back().below - 1,
                                 .below = left_at + 1,
                                 .session = Range::While::here});
    }
    // From now on it is there.
    missed.ranges.push_back({.above = left_at, .below = hub_.shared.ids.next_id()});
    missed.available = AccountPresence::takes_messages(record_->presence);
}

/// The session of an earlier process is back: it gets what it missed, its contacts hear of it, and
/// it of them.
void ClientSession::come_back() {
    if (record_ == nullptr) return;
    account_.inbox().catch_up(*this, [account = &account_, address = jid()] {
        auto* session = static_cast<ClientSession*>(account->sessions().find(address.resource()));
        if (session != nullptr) session->say_presence_again();
    });
}

void ClientSession::say_presence_again() {
    if (record_ == nullptr) return;
    const std::string bytes = std::exchange(record_->presence, {});
    const auto packet = Packet::from_bytes(bytes);
    if (bytes.empty() || !packet) return;
    static_cast<void>(Packet::visit_bytes(
        bytes, [this](Stanza& stanza) { hub_.routing->from_client(stanza, account_, *this, {}); }));
    // Rooms are told as well: one that took the silence for an end says so.
    for (const Jid& to : directed) account_.presence().send_shown(*packet, to);
}

}  // namespace causeway
