// XEP-0352 Client State Indication: while a client says that nobody looks at it, what can wait is
// held: of presence and chat states the latest of each sender. Anything that matters is sent at
// once, and what is held goes before it, so that the order stays. A stream begins active, also one
// that resumes a session.
#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/session/account.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// Held stanzas of one session; with one more, all are sent.
constexpr std::size_t held_limit = 1000;

constexpr Metric inactive_sessions{.name = "client_state_inactive_sessions",
                                   .kind = Metric::Kind::gauge,
                                   .help = "Sessions whose client says that nobody looks at it."};
constexpr Metric held_stanzas{.name = "client_state_held_stanzas",
                              .help = "Stanzas that were held back for an inactive client."};
constexpr std::array metrics{&inactive_sessions, &held_stanzas};

/// State of an inactive client; an active one has none.
class Inactive final : public SlotState {
public:
    explicit Inactive(Hub& hub) : hub_(hub) { hub_.metrics.add(inactive_sessions); }
    ~Inactive() override { hub_.metrics.add(inactive_sessions, 0, -1); }

    /// Whether it was taken; it replaces an earlier one of the same sender and kind.
    bool hold(const ToClient& outgoing) {
        std::string key(outgoing.packet->kind() == StanzaKind::presence ? "p" : "m");
        key += outgoing.packet->from().full();
        const auto known = places_.find(key);
        if (known == places_.end() && places_.size() >= held_limit) return false;
        if (known != places_.end()) {
            held_[known->second] = nullptr;
            known->second = held_.size();
        } else {
            places_.emplace(std::move(key), held_.size());
        }
        held_.push_back(outgoing.addressed());
        hub_.metrics.add(held_stanzas);
        if (held_.size() > 2 * held_limit) compact();
        return true;
    }

    /// Sends what is held, in the order in which it came.
    void flush(Resource& session) {
        places_.clear();
        for (const PacketRef& packet : std::exchange(held_, {})) {
            if (packet != nullptr) session.write(packet, 0);
        }
    }

private:
    void compact() {
        std::vector<std::size_t> moved(held_.size());
        std::size_t kept = 0;
        for (std::size_t i = 0; i < held_.size(); ++i) {
            if (held_[i] == nullptr) continue;
            moved[i] = kept;
            held_[kept++] = std::move(held_[i]);
        }
        held_.resize(kept);
        for (auto& [key, place] : places_) place = moved[place];
    }

    Hub& hub_;
    std::vector<PacketRef> held_;  ///< nullptr: a later one replaced it
    std::unordered_map<std::string, std::size_t> places_;
};

constexpr Slot<Inactive> inactive_slot{"client_state"};

/// Only how things are at the moment: a later one of the same sender makes it worthless.
bool can_wait(const Packet& packet) {
    if (packet.kind() == StanzaKind::message) return packet.traits().only_chat_state;
    return packet.type() == StanzaType::available || packet.type() == StanzaType::unavailable;
}

ClientVerdict before_writing(const ToClient& outgoing) {
    Inactive* inactive = outgoing.session.slots.get(inactive_slot);
    if (inactive == nullptr) return ClientVerdict::now;
    // Presence of the client itself answers what it does.
    const bool own = outgoing.packet->from() == outgoing.session.jid();
    if (outgoing.hold == 0 && !own && can_wait(*outgoing.packet) && inactive->hold(outgoing)) {
        return ClientVerdict::held;
    }
    inactive->flush(outgoing.session);
    return ClientVerdict::now;
}

void become_active(Resource& session) {
    if (Inactive* inactive = session.slots.get(inactive_slot)) {
        inactive->flush(session);
        session.slots.drop(inactive_slot);
    }
}

void offer(Negotiation&, std::string& out) { out += XmlBuilder().empty("csi", ns::csi).take(); }

void handle(Negotiation& negotiation, Element& element, Arena&) {
    Resource* session = negotiation.session();
    if (session == nullptr) {
        negotiation.stream().fail(stream_error::not_authorized, "bind a resource first");
    } else if (element.name == "inactive") {
        session->slots.make(inactive_slot, negotiation.hub());
    } else if (element.name == "active") {
        become_active(*session);
    } else {
        negotiation.stream().fail(stream_error::unsupported_stanza_type,
                                  "a client is active or inactive");
    }
}

void resumed(const Life& life) { become_active(*life.session); }

constexpr std::array stream_features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::csi,
                  .needs = stream_bits::authenticated,
                  .offer = offer,
                  .handle = handle},
};
constexpr std::array to_client{ToClientHook{Phase::check, before_writing}};
constexpr std::array life{LifeHook{LifeEvent::session_resumed, resumed}};

}  // namespace

extern const Feature client_state;
const Feature client_state{.name = "client_state",
                           .xep = 352,
                           .version = "1.0.0",
                           .points = {.to_client = to_client, .life = life},
                           .stream = stream_features,
                           .metrics = metrics};

}  // namespace causeway
