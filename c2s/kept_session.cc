// The record that a client session leaves in the store, and how a session of an earlier process
// goes on (XEP-0198 §5): to its client, a restart is a break like any other.
#include <algorithm>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/session/accounts.h"

namespace causeway {
namespace {

std::int32_t distance(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); }

}  // namespace

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
        record_->output += bytes;
    } else {
        stream_->stream().send(bytes);
    }
}

void ClientSession::note_sent(HoldId hold) {
    const std::uint64_t row = hub_.ledger.row(hold);
    if (row == 0) return;
    record_->output_round = hub_.stream_records.sent(holder_id_, management_->sent_count(), row);
}

void ClientSession::note_handled() {
    if (record_ == nullptr || record_->h_round != 0) return;
    // What the client did before it was acknowledged is durable with the acknowledgement.
    save_state();
    record_->h = management_->handled();
    record_->h_round = hub_.stream_records.handled(holder_id_, record_->h);
}

/// Up to which stanza everything is handled, and durable as soon as that number is.
std::uint32_t ClientSession::handled_with_state() const {
    const std::uint32_t handled = management_->handled();
    const std::uint32_t first = record_->first_change;
    return first != 0 && distance(handled, first) >= 0 ? first - 1 : handled;
}

void ClientSession::save_state() {
    if (record_ == nullptr) return;
    StreamState state{
        .resource = std::string(jid().resource()),
        .token_hash = hash_of_token(management_->token()),
        .interested = interested,
        .presence = presence == nullptr ? record_->presence : std::string(presence->bytes()),
        .directed = {},
        .of_features = {}};
    for (const Jid& to : directed) state.directed.emplace_back(to.full());
    for (const SessionData& data : hub_.shared.features.session_data()) {
        std::string saved = data.save(*this);
        if (!saved.empty()) state.of_features.emplace_back(data.name, std::move(saved));
    }
    hub_.stream_records.set_state(holder_id_, state.text());
}

void ClientSession::noted(std::uint32_t number, std::uint32_t handled) {
    if (record_ == nullptr) return;
    management_->note_up_to(handled);
    management_->note(number);
}

void ClientSession::written() {
    if (record_ == nullptr) return;
    const StreamRecords& records = hub_.stream_records;
    // A failed commit says no more than that a restart now would cost the session: the client is
    // served as one that cannot resume after it.
    if (record_->output_round != 0 && records.over(record_->output_round)) {
        record_->output_round = 0;
        const std::string output = std::exchange(record_->output, {});
        if (stream_ != nullptr && !output.empty()) stream_->stream().send(output);
    }
    if (record_->h_round != 0 && records.over(record_->h_round)) {
        record_->h_round = 0;
        record_->first_change = distance(record_->last_change, record_->h) > 0 ? record_->h + 1 : 0;
        management_->note_up_to(record_->h);
        answer_request();
        if (state_ == State::resuming) go_on_resuming();
    }
}

// ---- going on after a restart ----

/// Whether the client sends again what is safe already: as the stanza of the same number, or, if it
/// left others out, under the same id.
bool ClientSession::repeats(const Stanza& stanza, std::uint32_t number) {
    auto& safe = record_->repeats;
    if (safe.empty()) return false;
    if (distance(number, safe.rbegin()->first) > 0) {
        safe.clear();
        return false;
    }
    if (stanza.kind != StanzaKind::message) return false;
    const std::uint64_t fingerprint =
        StreamRecords::fingerprint(stanza.to.empty() ? account_.jid() : stanza.to, stanza.id());
    const auto found =
        fingerprint == 0
            ? safe.find(number)
            : std::ranges::find(safe, fingerprint, [](const auto& one) { return one.second; });
    if (found == safe.end() || found->second != fingerprint) return false;
    safe.erase(found);
    return true;
}

void ClientStream::none_to_resume() {
    refuse_management("item-not-found", "there is no such session to resume");
}

void ClientStream::look_for_kept(std::string token, std::uint32_t h) {
    if (hub_.limits().kept_streams_per_account == 0 || hub_.limits().resume_seconds.count() == 0) {
        none_to_resume();
        return;
    }
    looking_ = true;
    stream_.pause(XmppStream::Pause::progress);
    const auto found = [this, alive = handle(), token,
                        h](const Result<std::vector<MapEntry>>& all) {
        if (alive.expired() || !stream_.usable()) return;
        const auto kept = all ? find_kept_stream(*all, token) : std::nullopt;
        // One that has ended here may still stand in the store.
        if (!kept || hub_.stream_records.known(kept->id)) {
            looking_ = false;
            stream_.resume(XmppStream::Pause::progress);
            none_to_resume();
            return;
        }
        hub_.accounts->get(account_.bare())
            .when_loaded([this, alive, kept = *kept, token, h](const Outcome&) {
                if (alive.expired() || !stream_.usable()) return;
                looking_ = false;
                stream_.resume(XmppStream::Pause::progress);
                found_kept(kept, token, h);
            });
    };
    // What an earlier process left is listed first: else it would be listed after the client said
    // that it has it.
    hub_.shared.archive_mark.when_recovered(hub_.shard, [this, alive = handle(), found] {
        if (alive.expired() || !stream_.usable()) return;
        hub_.shared.store.map_list(std::string(StreamRecords::store), std::string(account_.bare()),
                                   hub_.shard, found);
    });
}

void ClientStream::found_kept(const KeptStream& kept, std::string_view token, std::uint32_t h) {
    Account& user = hub_.accounts->get(account_.bare());
    const bool possible = user.loaded() && !user.barred() && !hub_.stream_records.known(kept.id) &&
                          user.sessions().find(kept.state.resource) == nullptr &&
                          user.sessions().size() < hub_.limits().sessions_per_account;
    if (!possible) {
        none_to_resume();
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
    std::vector<std::uint64_t> arrived;
    for (const auto& [number, row] : kept.sent) {
        (distance(number, h) <= 0 ? arrived : record_->missed).push_back(row);
    }
    account_.inbox().received(arrived);
    hub_.stream_records.go_on(kept.id, jid().bare(), kept.note_keys, kept.notes());
    resuming_ = &stream;
    enter(State::resuming);
    note_handled();
    CAUSEWAY_LOG(info, "c2s.went_on", {"jid", jid().full()}, {"handled", kept.handled});
}

/// The session of an earlier process is back: it gets what it missed, its contacts hear of it, and
/// it of them.
void ClientSession::come_back() {
    if (record_ == nullptr || (record_->presence.empty() && record_->missed.empty())) return;
    account_.inbox().send_again(
        *this, std::exchange(record_->missed, {}),
        [&hub = hub_, address = jid(), bytes = std::exchange(record_->presence, {})] {
            Account* const account = hub.accounts->find(address.bare());
            Resource* const session =
                account == nullptr ? nullptr : account->sessions().find(address.resource());
            if (session == nullptr || bytes.empty()) return;
            static_cast<void>(Packet::visit_bytes(bytes, [&](Stanza& stanza) {
                hub.routing->from_client(stanza, *account, *session, {});
            }));
        });
}

}  // namespace causeway
