// Router: where a stanza goes (RFC 6120 §10, RFC 6121 §8). Stanzas enter from a stream as a tree,
// pass the features (points from_client, from_server), and become a Packet. A packet goes to its
// target: accounts, each on its home shard; a service; a served domain itself; or another domain.
// One per shard; no state of its own.
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

    void from_client(Stanza& stanza, Account& account, Resource& session,
                     AcknowledgementTicket ticket) override;
    void from_server(Stanza& stanza, AcknowledgementTicket ticket) override;
    void route(PacketRef packet, AcknowledgementTicket ticket = {}) override;
    void fan_out(const PacketRef& packet, const std::vector<const Jid*>& to) override;
    void bounce(const Packet& packet, const StanzaError& error,
                AcknowledgementTicket ticket = {}) override;

private:
    /// True if the iq is complete; otherwise its sender has got an error.
    [[nodiscard]] bool well_formed_iq(const Stanza& stanza, AcknowledgementTicket ticket);
    /// Answers a request to a served domain on the shard where it entered. False: it is something
    /// else.
    [[nodiscard]] bool domain_iq(Stanza& stanza, Resource* session);
    [[nodiscard]] bool may_be_awaited(const Packet& packet) const;
    void to_account(PacketRef packet, AcknowledgementTicket ticket);
    void to_domain(const PacketRef& packet, AcknowledgementTicket ticket);
    void to_remote(const PacketRef& packet, AcknowledgementTicket ticket);

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
