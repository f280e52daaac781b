// Router: where a stanza goes (RFC 6120 §10, RFC 6121 §8). Stanzas enter from a stream as a tree,
// pass the entry hooks, and become a Packet; packets go to the account's home shard, to a domain's
// own handlers, or to the other domain. One per shard; no state of its own.
#pragma once

#include "gateway/session/hub.h"
#include "gateway/session/resource.h"
#include "gateway/xmpp/stanza.h"

namespace causeway {

class Router final : public Routing {
public:
    explicit Router(Hub& hub) : hub_(hub) { hub.routing = this; }
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;
    ~Router() = default;

    /// A stanza from a stream, with a true `from` and a `to` (RFC 6120 §8.1.2). `sender`: the local
    /// session it came from, or nullptr.
    void enter(Stanza& stanza, Source source, Resource* sender, AcknowledgementTicket ticket);

    void route(PacketRef packet, AcknowledgementTicket ticket = {}) override;
    void bounce(const Packet& packet, const StanzaError& error,
                AcknowledgementTicket ticket = {}) override;

private:
    void enter_iq(Stanza& stanza, Resource* sender, AcknowledgementTicket ticket);
    void to_account(const PacketRef& packet, AcknowledgementTicket ticket);
    void to_server(const PacketRef& packet, AcknowledgementTicket ticket);

    Hub& hub_;
};

/// Where the answer to an iq goes; copyable, so that a handler can answer later on the same shard.
struct IqReturn {
    Hub& hub;
    Jid from;  ///< who answers
    Jid to;    ///< who asked
    std::string id;

    explicit IqReturn(const IqRequest& request);
    /// `inner`: inner XML of the result, may be empty.
    void result(std::string_view inner) const;
    void error(const StanzaError& error) const;
};

}  // namespace causeway
