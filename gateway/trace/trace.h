// Trace: what was decided about the stanzas of one shard, lately. Each stage of a stanza's way
// notes one event, or none. They are remembered in two rings: one for what went as usual, one for
// the rest, so that what did not arrive can be explained long after a busy server has forgotten
// what did. Whoever looks on live (watch) gets copies; one that does not take them loses events and
// is told how many.
//
// Owner: the Hub. Everything on the shard's thread. With nobody looking, an event costs a copy of
// its texts into the ring, and one of a broadcast presence or an iq nothing.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gateway/shard/shard.h"
#include "gateway/trace/ring.h"

namespace causeway {

/// Whose stanzas somebody looks at: from it or to it.
struct TraceFilter {
    Jid of;  ///< a domain, an account, or a session

    [[nodiscard]] bool matches(const Jid& address) const;
};

/// What is asked about: stanzas of that id, or of the same sender, recipient and client's id as an
/// event that was found before.
struct TraceQuestion {
    /// What one stanza's events have in common.
    struct Identity {
        std::string id;  ///< by its client
        std::string from, to;
    };
    std::string id;               ///< by its client; empty: only by what follows
    std::uint64_t stanza_id = 0;  ///< 0: none
    std::string from, to;         ///< empty: anybody
    std::vector<Identity> identities = {};
};

class Trace final : private Flushable {
public:
    /// Events that are collected for one that looks on, until it has taken those before.
    static constexpr std::size_t batch_limit = 500;
    /// Events that one answer to a question holds.
    static constexpr std::size_t answer_limit = 500;

    struct Batch {
        std::vector<TraceLine> lines;
        std::uint64_t lost = 0;  ///< behind those: they came faster than they were taken
    };
    /// What a question found, in the order of the events.
    struct Found {
        std::vector<TraceLine> lines;
        /// Since when nothing that did not go as usual is forgotten; 0: since the start.
        UnixMillis since = 0;
    };

    /// `bytes`: of both rings together.
    Trace(Shard& shard, std::size_t bytes);
    ~Trace();

    void note(const Packet& packet, const TraceStep& step) {
        count(step);
        if (wanted(step.verdict)) note_wanted(TraceSubject::of(packet), step);
    }
    void note(const Stanza& stanza, const TraceStep& step) {
        count(step);
        if (wanted(step.verdict)) note_wanted(TraceSubject::of(stanza), step);
    }
    /// For an element that never became a stanza.
    void note(const TraceSubject& subject, const TraceStep& step) {
        count(step);
        note_wanted(subject, step);
    }
    /// Somebody looks on: what costs something to find out is worth it.
    [[nodiscard]] bool watched() const { return !watches_.empty(); }

    [[nodiscard]] Found find(const TraceQuestion& question) const;

    /// At the end of a turn `give` gets what matched, if what it got before was taken. `key` is the
    /// caller's, and unique.
    void watch(const void* key, TraceFilter filter, std::function<void(Batch)> give);
    void taken(const void* key);
    void unwatch(const void* key);

    /// Another size: what was remembered is forgotten.
    void resize(std::size_t bytes);
    /// Events by verdict, since the start.
    [[nodiscard]] const std::array<std::uint64_t, trace_verdicts>& counted() const {
        return counts_;
    }

private:
    struct Watch {
        const void* key;
        TraceFilter filter;
        std::function<void(Batch)> give;
        Batch collected = {};
        enum class Reader : unsigned char { ready, busy } reader = Reader::ready;
    };

    void flush() override;
    void count(const TraceStep& step) { ++counts_[static_cast<std::size_t>(step.verdict)]; }
    /// False: there is no ring, and nobody looks on.
    [[nodiscard]] bool wanted(TraceVerdict) const { return bytes_ != 0 || watched(); }
    void note_wanted(const TraceSubject& subject, const TraceStep& step);
    [[nodiscard]] UnixMillis now();

    Shard& shard_;
    std::size_t bytes_;
    TraceRing usual_;
    TraceRing unusual_;
    std::vector<Watch> watches_;
    std::array<std::uint64_t, trace_verdicts> counts_{};
    UnixMillis now_ = 0;  ///< of this turn; 0: not asked yet
};

}  // namespace causeway
