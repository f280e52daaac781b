// Points: the places on a stanza's way at which features may act, in the order of that way:
//
//   from_client     the sender's shard: every stanza of a client, presence included
//   from_server     the shard of the incoming stream: every stanza of another server
//   at_account      the recipient's home, once it is loaded, before delivery is decided
//   delivered       the same, when it is known which sessions get the message
//   undelivered     the same, when no session takes it, before it is kept or refused
//   to_client       the session's shard, last before the bytes are written
//   to_server       the shard of the link, last before the bytes are written
//   life            what becomes of sessions, accounts, links and the process
//
// A point is a table built from the registry at start: plain functions, ordered by Phase and within
// a phase by the registry. The first verdict that is not `next` ends a point. A hook that returns
// `taken` takes over the stanza and its AcknowledgementTicket, and settles the ticket; for every
// other verdict the engine settles it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "gateway/feature/acknowledgement.h"
#include "gateway/trace/event.h"
#include "gateway/xmpp/errors.h"
#include "gateway/xmpp/packet.h"
#include "gateway/xmpp/stanza.h"

namespace causeway {

struct Hub;
class Account;
class Resource;
struct RosterItem;

/// Order of the hooks of one point.
enum class Phase : unsigned char { check, privacy, rewrite, archive, copy };

/// What a hook decides about a stanza; any but `next` ends its point.
enum class Verdict : unsigned char {
    next,     ///< go on
    taken,    ///< the hook took the stanza and its ticket over
    refused,  ///< the sender gets `error` (see PointContext::refuse)
    dropped,  ///< it goes no further, and the sender is told nothing
};

/// What every point of a stanza's way has in common. What a hook decides beside its verdict, it
/// tells the trace by `hub.trace.note` (gateway/trace/trace.h).
struct PointContext {
    Hub& hub;
    AcknowledgementTicket ticket;
    StanzaError error = {};  ///< of the verdict `refused`
    std::string why = {};    ///< of any but `next`, for the trace, where the error is not enough

    Verdict refuse(StanzaError with) {
        error = std::move(with);
        return Verdict::refused;
    }
};

/// A client sent it; `stanza` may be edited until packet() is called. Its `to` is set, but for
/// presence that the client broadcasts.
struct FromClient : PointContext {
    static constexpr TraceStage stage = TraceStage::from_client;
    Account& account;
    Resource& session;
    Stanza& stanza;
    PacketRef routed = {};

    /// The stanza as it will be routed, written once; edits that come later are lost.
    const PacketRef& packet() {
        if (routed == nullptr) routed = Packet::from_stanza(stanza);
        return routed;
    }
};

/// Another server sent it; the pair of its domains was proven. `stanza` may be edited.
struct FromServer : PointContext {
    static constexpr TraceStage stage = TraceStage::from_server;
    Stanza& stanza;
};

/// It has reached its recipient's account. `packet` may be replaced, but for presence that goes to
/// many: that has one packet for all.
struct AtAccount : PointContext {
    static constexpr TraceStage stage = TraceStage::account;
    Account& account;
    PacketRef packet;
};

/// A message went to these sessions.
struct Delivered {
    Account& account;
    const PacketRef& packet;
    std::span<Resource* const> sessions;
};

/// No session takes a message.
struct Undelivered : PointContext {
    static constexpr TraceStage stage = TraceStage::offline;
    enum class Reason : unsigned char { nobody_available, over_quota, not_kept };
    Account& account;
    const PacketRef& packet;
    Reason reason;
};

/// What a hook of the point `to_client` decides.
enum class ClientVerdict : unsigned char {
    now,   ///< write it
    held,  ///< the hook keeps it, with its hold, and writes it later (Resource::write)
    drop,  ///< the client does not get it; only for a stanza without a hold
};

/// It is about to be written to a client. Presence to many is not copied for each: `to`, if any, is
/// the address to be written instead of the packet's own.
struct ToClient {
    Resource& session;
    const PacketRef& packet;
    const Jid* to;
    HoldId hold;

    /// The packet with the address that the client will see.
    [[nodiscard]] PacketRef addressed() const {
        return to == nullptr ? packet : packet->readdressed(*to);
    }
};

/// It is about to be written to another server.
struct ToServer : PointContext {
    static constexpr TraceStage stage = TraceStage::to_server;
    const PacketRef& packet;
};

/// What features hear of sessions, accounts, links and the process.
enum class LifeEvent : unsigned char {
    session_bound,
    session_resumed,
    session_hibernates,  ///< its stream broke, and it may be resumed
    session_has_room,    ///< it took much of what was waiting for it
    session_gone,
    account_loaded,
    account_removed,
    presence_changed,  ///< `packet` is what the session broadcasts
    contact_changed,   ///< `contact`: its subscription or its roster item
    link_up,           ///< at the home of the remote domain `contact`: it is in contact (again)
    link_down,         ///< the same: it is out of contact, or a stream broke and another is left
    configuration_changed,
    started,
    tick,  ///< once a minute on every shard
    draining,
};
inline constexpr std::size_t life_events = static_cast<std::size_t>(LifeEvent::draining) + 1;

/// What happened; what does not belong to the event is nullptr.
struct Life {
    LifeEvent event;
    Hub& hub;
    Account* account = nullptr;
    Resource* session = nullptr;
    const Jid* contact = nullptr;
    PacketRef packet = {};
    /// Of contact_changed: how its roster item stood before.
    const RosterItem* before = nullptr;
};

/// A function that a feature has at one point.
template <class Context, class Answer>
struct Hook {
    Phase phase = Phase::check;
    Answer (*run)(Context& context) = nullptr;
    std::string_view feature = {};  ///< whose hook it is; the registry fills it in
};
using FromClientHook = Hook<FromClient, Verdict>;
using FromServerHook = Hook<FromServer, Verdict>;
/// For one kind of stanza, so that presence to many costs nothing where only messages matter.
struct AtAccountHook {
    StanzaKind kind = StanzaKind::message;
    Phase phase = Phase::check;
    Verdict (*run)(AtAccount& context) = nullptr;
    std::string_view feature = {};  ///< as of Hook
};
using DeliveredHook = Hook<const Delivered, void>;
using UndeliveredHook = Hook<Undelivered, Verdict>;
using ToClientHook = Hook<const ToClient, ClientVerdict>;
using ToServerHook = Hook<ToServer, Verdict>;
/// A function that a feature has for one event.
struct LifeHook {
    LifeEvent event;
    void (*run)(const Life& life) = nullptr;
};

/// The hooks of one feature, or of all of them.
struct Points {
    std::span<const FromClientHook> from_client = {};
    std::span<const FromServerHook> from_server = {};
    std::span<const AtAccountHook> at_account = {};
    std::span<const DeliveredHook> delivered = {};
    std::span<const UndeliveredHook> undelivered = {};
    std::span<const ToClientHook> to_client = {};
    std::span<const ToServerHook> to_server = {};
    std::span<const LifeHook> life = {};
};

}  // namespace causeway
