#include "gateway/session/stream_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/base/number.h"
#include "gateway/base/serial_number.h"
#include "gateway/base/stable_hash.h"
#include "gateway/session/hub.h"
#include "gateway/session/kept_stream.h"

namespace causeway {
namespace {

/// How long what a client acknowledged stays noted where the archive mark is not moved, because the
/// store takes nothing, or there are no archives.
constexpr Duration noted_for{5000};

}  // namespace

std::string stream_key_prefix(std::uint64_t stream) { return fmt::format("{:016x}.", stream); }

std::string stream_missed_key(std::uint64_t stream) { return stream_key_prefix(stream) + "missed"; }

std::string stream_state_key(std::uint64_t stream) { return stream_key_prefix(stream) + "state"; }

std::string StreamRecords::chunk_key(std::uint64_t stream, std::uint64_t chunk) const {
    return fmt::format("{}{}.{}", stream_key_prefix(stream), hub_.shard.index(), chunk);
}

std::uint64_t StreamRecords::fingerprint(const Jid& to, std::string_view id) {
    return fingerprint({}, to, id);
}

std::uint64_t StreamRecords::fingerprint(const Jid& from, const Jid& to, std::string_view id) {
    if (id.empty()) return 0;
    // Two that are alike are both messages of the same client, or of the same server.
    StableHash hash;
    if (!from.domain().empty()) {
        hash.add(from.full());
        hash.add(std::string_view("\0", 1));
    }
    hash.add(to.full());
    hash.add(std::string_view("\0", 1));
    hash.add(id);
    return hash.value() == 0 ? 1 : hash.value();
}

// ---- from a stream's session ----

void StreamRecords::begin(std::uint64_t stream, std::string_view owner) {
    records_[stream].owner = owner;
}

void StreamRecords::go_on(const KeptStream& kept, std::string_view owner) {
    begin(kept.id, owner);
    Record& record = records_[kept.id];
    record.handled = kept.handled;
    for (const std::string& key : kept.note_keys) erased_.emplace_back(record.owner, key);
    Chunk chunk{.notes = kept.notes(), .written = false};
    const auto covers = [&chunk](const auto& notes) {
        for (const auto& [number, fingerprint] : notes) {
            if (serial_distance(number, chunk.done) > 0 || chunk.done == 0) chunk.done = number;
        }
    };
    covers(kept.safe);
    covers(kept.repeats);
    record.chunks.push_back(std::move(chunk));
    // The state as well: it may be among what is being erased because nobody came for it.
    record.state = {.text = kept.state.text(), .written = false};
    record.missed.text = kept.missed.notes();
    record.missed.written = record.missed.text.empty();
    mark(kept.id, record);
}

void StreamRecords::set_state(std::uint64_t stream, std::string value) {
    set(stream, &Record::state, std::move(value));
}

void StreamRecords::set_missed(std::uint64_t stream, std::string notes) {
    set(stream, &Record::missed, std::move(notes));
}

void StreamRecords::set(std::uint64_t stream, Text Record::*which, std::string text) {
    const auto found = records_.find(stream);
    if (found == records_.end()) return;
    Text& known = found->second.*which;
    if (known.text == text) return;
    known = {.text = std::move(text), .written = false};
    mark(stream, found->second);
    hub_.ledger.commit_soon();
}

StreamRecords::Round StreamRecords::handled(std::uint64_t stream, std::uint32_t number) {
    const auto found = records_.find(stream);
    if (found == records_.end()) return over_;
    found->second.handled = number;
    note(stream, found->second, fmt::format("h {}\n", number));
    urgent_ = true;
    hub_.ledger.commit_now();
    return next_;
}

StreamRecords::Round StreamRecords::sent(std::uint64_t stream, std::uint32_t number,
                                         std::uint64_t row, bool copy) {
    const auto found = records_.find(stream);
    if (found == records_.end()) return over_;
    Chunk& chunk =
        note(stream, found->second, fmt::format("{} {} {}\n", copy ? 'c' : 's', number, row));
    chunk.sent = number;
    chunk.row = std::max(chunk.row, row);
    chunk.noted = hub_.clock().now();
    urgent_ = true;
    hub_.ledger.commit_now();
    return next_;
}

void StreamRecords::acknowledged(std::uint64_t stream, std::uint32_t number) {
    if (const auto found = records_.find(stream); found != records_.end()) {
        found->second.acknowledged = number;
    }
}

void StreamRecords::forget(std::uint64_t stream, const std::string& owner) {
    for (Hub* other : hub_.shared.hubs) {
        hub_.at(*other, [other, stream] { other->stream_records.drop(stream); });
    }
    erased_.emplace_back(owner, stream_state_key(stream));
    hub_.ledger.commit_soon();
}

void StreamRecords::drop(std::uint64_t stream) {
    ended_.push_back(stream);
    if (ended_.size() > ended_at_most) ended_.pop_front();
    const auto found = records_.find(stream);
    if (found == records_.end()) return;
    for (std::size_t i = 0; i < found->second.chunks.size(); ++i) {
        erased_.emplace_back(found->second.owner, chunk_key(stream, found->second.first + i));
    }
    if (!found->second.missed.text.empty() || !found->second.missed.written) {
        erased_.emplace_back(found->second.owner, stream_missed_key(stream));
    }
    records_.erase(found);
    hub_.ledger.commit_soon();
}

bool StreamRecords::known(std::uint64_t stream) const {
    return records_.contains(stream) || std::ranges::find(ended_, stream) != ended_.end();
}

void StreamRecords::erase_left(const std::string& owner, const std::string& key) {
    erased_.emplace_back(owner, key);
    hub_.ledger.commit_soon();
}

// ---- notes ----

StreamRecords::Chunk& StreamRecords::note(std::uint64_t stream, Record& record,
                                          std::string_view text) {
    if (record.chunks.empty() || record.chunks.back().count >= chunk_notes) {
        erase_past(stream, record);
        if (record.chunks.size() >= chunks_at_most) {
            erased_.emplace_back(record.owner, chunk_key(stream, record.first++));
            record.chunks.pop_front();
        }
        // Each chunk can do without those before it.
        record.chunks.push_back({.notes = fmt::format("h {}\n", record.handled)});
    }
    Chunk& chunk = record.chunks.back();
    chunk.notes += text;
    chunk.written = false;
    ++chunk.count;
    mark(stream, record);
    return chunk;
}

void StreamRecords::mark(std::uint64_t stream, Record& record) {
    if (record.dirty) return;
    record.dirty = true;
    dirty_.push_back(stream);
}

bool StreamRecords::past(const Record& record, const Chunk& chunk) const {
    if (!chunk.written || serial_distance(record.handled, chunk.done) < 0) return false;
    return chunk.row == 0 ||
           (serial_distance(record.acknowledged, chunk.sent) >= 0 && !may_wait_again(chunk));
}

/// What the client acknowledged stays noted while the next start would find it waiting: it is above
/// the archive mark, and would be listed, or the row that lists it is not erased yet.
bool StreamRecords::may_wait_again(const Chunk& chunk) const {
    if (chunk.row > hub_.shared.archive_mark.stored() &&
        hub_.clock().now() - chunk.noted < noted_for) {
        return true;
    }
    for (std::string_view left = chunk.notes; !left.empty();) {
        const std::size_t end = std::min(left.find('\n'), left.size() - 1);
        const std::string_view note = left.substr(0, end);
        left.remove_prefix(end + 1);
        if (!note.starts_with("s ")) continue;
        const auto row = read_number<std::uint64_t>(note.substr(note.rfind(' ') + 1));
        if (row && hub_.ledger.has_row(*row)) return true;
    }
    return false;
}

/// The last chunk stays: it has the latest `h`.
void StreamRecords::erase_past(std::uint64_t stream, Record& record) {
    while (record.chunks.size() > 1 && past(record, record.chunks.front())) {
        erased_.emplace_back(record.owner, chunk_key(stream, record.first++));
        record.chunks.pop_front();
    }
}

void StreamRecords::done(AcknowledgementTicket& ticket, const Packet& packet) {
    if (!ticket.kept) return;
    // A stream that has ended has nothing to note, although messages of it are still on their way.
    if (!records_.contains(ticket.holder) && known(ticket.holder)) return;
    const auto [found, first] = records_.try_emplace(ticket.holder);
    Record& record = found->second;
    if (first) record.owner = ticket.of_server ? packet.from().domain() : packet.from().bare();
    std::string text;
    if (serial_distance(ticket.handled, record.handled) > 0 || first) {
        record.handled = ticket.handled;
        text = fmt::format("h {}\n", ticket.handled);
    }
    const std::uint64_t known_by =
        ticket.of_server ? server_fingerprint(packet) : fingerprint(packet.to(), packet.id());
    text += fmt::format("d {} {:x}\n", ticket.number, known_by);
    Chunk& chunk = note(ticket.holder, record, text);
    if (chunk.done == 0 || serial_distance(ticket.number, chunk.done) > 0)
        chunk.done = ticket.number;
    ticket.noted = true;
}

void StreamRecords::undone(AcknowledgementTicket& ticket) {
    if (!std::exchange(ticket.noted, false)) return;
    const auto found = records_.find(ticket.holder);
    if (found == records_.end()) return;
    note(ticket.holder, found->second, fmt::format("u {}\n", ticket.number));
}

// ---- writing ----

StreamRecords::Round StreamRecords::again() {
    hub_.ledger.commit_soon();
    return next_;
}

StreamRecords::Round StreamRecords::write(Batch& batch) {
    urgent_ = false;
    UnderWay now{.round = next_, .streams = std::exchange(dirty_, {}), .erased = {}};
    now.erased = std::exchange(erased_, {});
    for (const auto& [owner, key] : now.erased) batch.map_erase(store, owner, key);
    for (const std::uint64_t stream : now.streams) write(batch, stream);
    const std::size_t before = batch.bytes();
    while (!again_.empty() && batch.bytes() - before < again_bytes) {
        now.streams.push_back(again_.back());
        again_.pop_back();
        write(batch, now.streams.back());
    }
    if (!again_.empty()) hub_.ledger.commit_soon();
    under_way_.push_back(std::move(now));
    return next_++;
}

void StreamRecords::write(Batch& batch, std::uint64_t stream) {
    const auto found = records_.find(stream);
    if (found == records_.end()) return;
    Record& record = found->second;
    record.dirty = false;
    if (!std::exchange(record.state.written, true)) {
        batch.map_set(store, record.owner, stream_state_key(stream), record.state.text);
    }
    if (!std::exchange(record.missed.written, true)) {
        if (record.missed.text.empty()) {
            batch.map_erase(store, record.owner, stream_missed_key(stream));
        } else {
            batch.map_set(store, record.owner, stream_missed_key(stream), record.missed.text);
        }
    }
    std::uint64_t number = record.first;
    for (Chunk& chunk : record.chunks) {
        if (!std::exchange(chunk.written, true)) {
            batch.map_set(store, record.owner, chunk_key(stream, number), chunk.notes);
        }
        ++number;
    }
}

void StreamRecords::written(Round round, const Outcome& outcome) {
    // A commit that the store refuses is answered ahead of those that it has taken.
    for (UnderWay& one : under_way_) {
        if (one.round != round) continue;
        one.answer = outcome ? UnderWay::Answer::durable : UnderWay::Answer::failed;
    }
    while (!under_way_.empty() && under_way_.front().answer != UnderWay::Answer::none) {
        UnderWay done = std::move(under_way_.front());
        under_way_.pop_front();
        close(std::move(done));
    }
}

void StreamRecords::close(UnderWay done) {
    over_ = done.round;
    const bool durable = done.answer == UnderWay::Answer::durable;
    if (!durable) {
        std::ranges::move(done.erased, std::back_inserter(erased_));
        hub_.ledger.commit_soon();
    }
    for (const std::uint64_t stream : done.streams) {
        const auto found = records_.find(stream);
        if (!durable && found != records_.end()) {
            for (Chunk& chunk : found->second.chunks) chunk.written = false;
            found->second.state.written = found->second.state.text.empty();
            found->second.missed.written = found->second.state.text.empty();
            if (std::ranges::find(again_, stream) == again_.end()) again_.push_back(stream);
        }
        const auto holder = hub_.ticket_holders.find(stream);
        if (holder != hub_.ticket_holders.end()) holder->second->written(durable);
    }
}

}  // namespace causeway
