// Negotiation: what a stream has reached (secure, authenticated, bound) and which steps are due
// because of it, for clients and servers, for streams that are accepted and streams that are
// opened. One central rule: an element is taken by a step only if that step was offered after the
// latest stream header, or begun because of the peer's latest features. Base of client streams and
// of server streams in both directions, which say what follows from each step.
#pragma once

#include <memory>
#include <optional>
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
    Negotiation(Hub& hub, StreamSide side, StreamRole role = StreamRole::receiving)
        : hub_(hub), side_(side), role_(role) {}
    Negotiation(const Negotiation&) = delete;
    Negotiation& operator=(const Negotiation&) = delete;

    [[nodiscard]] Hub& hub() { return hub_; }
    [[nodiscard]] virtual XmppStream& stream() = 0;
    /// Our domain on this stream: the one that the peer addressed in its first header, or for which
    /// we opened it.
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

    /// Receiving: sends <stream:features/>.
    void offer_features();
    /// Receiving: takes what is due as offered, on a stream where it was sent from another shard.
    void recall_offer();
    /// Initiating: begins the step that is due. False if none is. `features`: those of the peer, or
    /// nullptr after a step that failed.
    bool begin_step(const Element* features);
    /// Hands the element to the step that is on offer, or was begun, for `ns` (that of the element,
    /// or of what an iq carries). False if there is none.
    bool dispatch(std::string_view ns, Element& element, Arena& arena);

    std::unique_ptr<NegotiationState> state;  ///< of the feature that is at work
    unsigned failures = 0;                    ///< of authentication, on this stream

    // What features bring about:
    /// SASL succeeded, or dialback did; receiving, `success` is the element to send before the
    /// stream restarts, and `identity` is who was proven.
    virtual void authenticated(const Jid& identity, std::string_view mechanism,
                               std::string_view success) = 0;
    /// Initiating: the peer refused that step, or does not offer what is needed. Tries the next
    /// target.
    virtual void give_up(const Outcome&) {}
    /// Initiating: the peer does not take our certificate, for that reason; another step may do.
    virtual void external_refused(std::string_view) {}
    /// Binds a resource (RFC 6120 §7); if it is empty, the server makes one up. Client streams
    /// only.
    virtual void bind(std::string_view resource, std::string_view iq_id) = 0;
    /// Any element of stream management (XEP-0198).
    virtual void manage(const Element& element) = 0;
    /// Any element of server dialback (XEP-0220). Server streams only.
    virtual void dialback(const Element& element, Arena& arena) = 0;
    /// The session that the stream carries, once a resource is bound; nullptr before, and on
    /// streams of servers.
    [[nodiscard]] virtual Resource* session() { return nullptr; }
    /// Initiating: shows the peer a dialback key for our domain.
    virtual void send_dialback_key() {}
    /// Initiating: asks for stream management, or to resume an earlier stream. False: not wanted.
    virtual bool request_management() { return false; }
    /// Whether the peer's certificate proves the domain that it claims in `from` (server streams).
    [[nodiscard]] virtual Outcome peer_proves(std::string_view claimed) const = 0;
    /// The domain in the `from` of the peer's latest header, normalised; empty if none. Initiating:
    /// the domain that is wanted.
    [[nodiscard]] virtual std::string_view peer_domain() const = 0;

protected:
    ~Negotiation() = default;
    /// Fixes the domain with the first header. False (stream failed) if it is not served, or if a
    /// restart names another.
    bool settle_domain(const StreamHeader& header);
    /// Initiating, on a new connection: nothing is reached but what is known of the peer anyway.
    void begin_anew(unsigned kept);

    Hub& hub_;
    std::string domain_;
    unsigned bits_ = 0;

private:
    [[nodiscard]] std::span<const StreamFeature> steps() const {
        return hub_.shared.features.stream_features(side_, role_);
    }
    [[nodiscard]] bool due(const StreamFeature& step) const {
        return (bits_ & step.needs) == step.needs && (bits_ & step.forbids) == 0;
    }

    StreamSide side_;
    StreamRole role_;
    std::uint32_t open_ = 0;  ///< bit i: the i-th step of this side and role is offered, or begun
    std::shared_ptr<Negotiation*> self_;
};

}  // namespace causeway
