// Negotiation: what an accepted stream has reached (secure, authenticated, bound) and which stream
// features are on offer because of it. One central rule: an element is taken by a feature only if
// that feature was offered after the latest stream header. Base of client streams and of incoming
// server streams, which say what follows from each step.
#pragma once

#include <memory>
#include <string>

#include "gateway/feature/feature.h"
#include "gateway/session/hub.h"
#include "gateway/stream/stream.h"

namespace causeway {

/// State that a feature keeps between two elements of one negotiation, such as a SASL exchange.
class NegotiationState {
public:
    NegotiationState() = default;
    NegotiationState(const NegotiationState&) = delete;
    NegotiationState& operator=(const NegotiationState&) = delete;
    virtual ~NegotiationState() = default;
};

class Negotiation {
public:
    Negotiation(Hub& hub, StreamSide side) : hub_(hub), side_(side) {}
    Negotiation(const Negotiation&) = delete;
    Negotiation& operator=(const Negotiation&) = delete;

    [[nodiscard]] Hub& hub() { return hub_; }
    [[nodiscard]] virtual XmppStream& stream() = 0;
    /// The served domain that the peer addressed in its first header.
    [[nodiscard]] const std::string& domain() const { return domain_; }
    /// That domain, or, before it is known, one that is served here.
    [[nodiscard]] std::string_view some_domain() const {
        return domain_.empty() ? hub_.config->domains.front().name : domain_;
    }
    [[nodiscard]] bool has(unsigned bits) const { return (bits_ & bits) == bits; }
    void gain(unsigned bits) { bits_ |= bits; }
    [[nodiscard]] StreamSide side() const { return side_; }

    /// For features that answer later, on this shard: points at this negotiation for as long as it
    /// lives, and at nothing afterwards.
    [[nodiscard]] std::weak_ptr<Negotiation*> handle();

    /// Sends <stream:features/>.
    void offer_features();
    /// Hands the element to the feature that is on offer for `ns` (that of the element, or of what
    /// an iq carries). False if there is none.
    bool dispatch(std::string_view ns, Element& element, Arena& arena);

    std::unique_ptr<NegotiationState> state;  ///< of the feature that is at work
    unsigned failures = 0;                    ///< of authentication, on this stream

    // What features bring about:
    /// SASL succeeded; `success` is the element to send before the stream restarts.
    virtual void authenticated(const Jid& identity, std::string_view mechanism,
                               std::string_view success) = 0;
    /// Binds a resource (RFC 6120 §7); empty: ours to make up. Client streams only.
    virtual void bind(std::string_view resource, std::string_view iq_id) = 0;
    /// Any element of stream management (XEP-0198). Client streams only.
    virtual void manage(const Element& element) = 0;
    /// Any element of server dialback (XEP-0220). Incoming server streams only.
    virtual void dialback(const Element& element, Arena& arena) = 0;
    /// The session that the stream carries, once a resource is bound; nullptr before, and on streams
    /// of servers.
    [[nodiscard]] virtual Resource* session() { return nullptr; }
    /// Whether the peer's certificate proves the domain that it claims in `from` (server streams).
    [[nodiscard]] virtual Outcome peer_proves(std::string_view claimed) const = 0;
    /// The domain in the `from` of the peer's latest header, normalised; empty if none.
    [[nodiscard]] virtual std::string_view peer_domain() const = 0;

protected:
    ~Negotiation() = default;
    /// Fixes the domain with the first header. False (stream failed) if it is not served, or if a
    /// restart names another.
    bool settle_domain(const StreamHeader& header);

    Hub& hub_;
    std::string domain_;
    unsigned bits_ = 0;

private:
    StreamSide side_;
    std::uint32_t offered_ = 0;  ///< bit i: the i-th stream feature of this side
    std::shared_ptr<Negotiation*> self_;
};

}  // namespace causeway
