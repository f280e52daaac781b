#include "gateway/session/resource.h"

#include "gateway/session/hub.h"

namespace causeway {
namespace {

/// What the features say, in the order of the point; the first that does not say `now` decides.
ClientVerdict ask(const FeatureRegistry& features, const ToClient& outgoing) {
    for (const ToClientHook& hook : features.to_client()) {
        const ClientVerdict verdict = hook.run(outgoing);
        if (verdict != ClientVerdict::now) return verdict;
    }
    return ClientVerdict::now;
}

}  // namespace

void Resource::deliver(const PacketRef& packet, HoldId hold) {
    const ToClient outgoing{*this, packet, nullptr, hold};
    if (ask(home_.shared.features, outgoing) == ClientVerdict::now) write(packet, hold);
}

void Resource::deliver_as(const PacketRef& packet, const Jid& to) {
    const ToClient outgoing{*this, packet, &to, 0};
    if (ask(home_.shared.features, outgoing) == ClientVerdict::now) write_as(packet, to);
}

}  // namespace causeway
