// TraceEvent: one thing that was decided about a stanza: when, where in the gateway, what, and why.
// Never anything of its content. Stages and verdicts are closed lists with one table of names,
// which people, programs and tests read alike.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/moment.h"
#include "gateway/xmpp/errors.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/packet.h"
#include "gateway/xmpp/stanza.h"

namespace causeway {

/// Where it was decided, in the order of a stanza's way.
enum class TraceStage : unsigned char {
    from_client,  ///< what a client of ours sent
    from_server,  ///< what another server sent
    account,      ///< the recipient's account, before delivery
    to_server,    ///< the stream to another server
    queue,        ///< what is stored for another server
    to_client,    ///< a session of the recipient
    offline,      ///< what is stored for a recipient without a session
    archive,      ///< the archive of an account here
    answer,       ///< the error that the sender gets
};
inline constexpr std::size_t trace_stages = static_cast<std::size_t>(TraceStage::answer) + 1;

enum class TraceVerdict : unsigned char {
    accepted,   ///< it goes on
    copied,     ///< another session of the account gets a copy
    skipped,    ///< it goes on, and is not kept here
    delivered,  ///< given to a session whose client will acknowledge it
    written,    ///< given to a stream that says no more about it
    confirmed,  ///< the other side has it
    taken,      ///< a feature took it over
    waiting,    ///< it waits in memory, and goes on by itself
    kept,       ///< it goes to the store, and waits there
    returned,   ///< the other side did not confirm it: it is sent again
    repeated,   ///< a copy of one that came before
    dropped,    ///< it goes no further, and the sender is told nothing
    refused,    ///< it goes no further, and the sender gets an error
    expired,    ///< it waited too long
};
inline constexpr std::size_t trace_verdicts = static_cast<std::size_t>(TraceVerdict::expired) + 1;

inline constexpr std::array<std::string_view, trace_stages> trace_stage_names{
    "from-client", "from-server", "account", "to-server", "queue",
    "to-client",   "offline",     "archive", "answer"};
inline constexpr std::array<std::string_view, trace_verdicts> trace_verdict_names{
    "accepted", "copied", "skipped",  "delivered", "written", "confirmed", "taken",
    "waiting",  "kept",   "returned", "repeated",  "dropped", "refused",   "expired"};

constexpr std::string_view to_string(TraceStage stage) {
    return trace_stage_names[static_cast<std::size_t>(stage)];
}
constexpr std::string_view to_string(TraceVerdict verdict) {
    return trace_verdict_names[static_cast<std::size_t>(verdict)];
}

/// What a message meets on a way on which all goes well.
constexpr bool as_usual(TraceStage stage, TraceVerdict verdict) {
    return verdict <= TraceVerdict::confirmed || stage == TraceStage::archive;
}

/// What the code that decides says. The texts are copied.
struct TraceStep {
    TraceStage stage;
    TraceVerdict verdict;
    /// A domain, a session's address, or the feature that decided.
    std::string_view where = {};
    /// A clause for people, without a full stop, such as "there is no account x@a.test".
    std::string_view reason = {};
    /// Of the recipient, or for another domain of the sender; 0: that of the stanza.
    std::uint64_t stanza_id = 0;
};

/// Whom it was decided about. Borrowed for a call.
struct TraceSubject {
    StanzaKind kind;
    StanzaType type;
    const Jid& from;
    const Jid& to;
    std::string_view id;
    std::uint64_t stanza_id = 0;
    /// Presence that is broadcast, an iq, a chat state: one of many, and nobody asks for it later.
    bool minor = false;

    static TraceSubject of(const Packet& packet);
    static TraceSubject of(const Stanza& stanza);
};

/// An event as it is remembered; the views are into the memory of whoever shows it.
struct TraceEvent {
    UnixMillis at = 0;
    std::uint64_t stanza_id = 0;
    Moment moment = no_moment;
    TraceStage stage = TraceStage::from_client;
    TraceVerdict verdict = TraceVerdict::accepted;
    StanzaKind kind = StanzaKind::message;
    StanzaType type = StanzaType::normal;
    std::string_view from, to, id, where, reason;
};

/// An event with its own texts, to be handed to another thread.
struct TraceLine {
    explicit TraceLine(const TraceEvent& event);

    UnixMillis at;
    std::uint64_t stanza_id;
    Moment moment;
    TraceStage stage;
    TraceVerdict verdict;
    StanzaKind kind;
    StanzaType type;
    std::string from, to, id, where, reason;
};

/// The part of an address before the resource.
constexpr std::string_view bare_of(std::string_view address) {
    return address.substr(0, address.find('/'));
}
/// The domain of an address.
constexpr std::string_view domain_part_of(std::string_view address) {
    const std::string_view bare = bare_of(address);
    return bare.substr(bare.find('@') + 1);
}

/// "service-unavailable", or "service-unavailable: its text".
std::string words_of(const StanzaError& error);
/// The same of a stanza of type error that came from elsewhere, cut to what an event holds.
std::string error_words_of(const Stanza& stanza);

}  // namespace causeway
