#include "gateway/session/resource.h"

#include "gateway/session/hub.h"

namespace causeway {
namespace {

/// What the features say, in the order of the point; the first that does not say `now` decides.
bool pass(Hub& hub, const ToClient& outgoing) {
    const Resource& session = outgoing.session;
    for (const ToClientHook& hook : hub.shared.features.to_client()) {
        const ClientVerdict verdict = hook.run(outgoing);
        if (verdict == ClientVerdict::now) continue;
        const bool dropped = verdict == ClientVerdict::drop;
        hub.trace.note(*outgoing.packet,
                       {.stage = TraceStage::to_client,
                        .verdict = dropped ? TraceVerdict::dropped : TraceVerdict::waiting,
                        .where = session.jid().full(),
                        .reason = hook.feature});
        return false;
    }
    hub.trace.note(*outgoing.packet, {.stage = TraceStage::to_client,
                                      .verdict = session.acknowledges() ? TraceVerdict::delivered
                                                                        : TraceVerdict::written,
                                      .where = session.jid().full()});
    return true;
}

}  // namespace

void Resource::deliver(const PacketRef& packet, HoldId hold) {
    const ToClient outgoing{*this, packet, nullptr, hold};
    if (pass(home_, outgoing)) write(packet, hold);
}

void Resource::deliver_as(const PacketRef& packet, const Jid& to) {
    const ToClient outgoing{*this, packet, &to, 0};
    if (pass(home_, outgoing)) write_as(packet, to);
}

}  // namespace causeway
