#include "c2s/held_presence.h"

#include <algorithm>

#include "gateway/xml/ns.h"

namespace causeway {

bool HeldPresence::can_wait(const Packet& packet) {
    return packet.kind() == StanzaKind::presence && !packet.from().empty() &&
           (packet.type() == StanzaType::available || packet.type() == StanzaType::unavailable) &&
           packet.bytes().find(ns::muc_user) == std::string_view::npos;
}

void HeldPresence::put(PacketRef packet) {
    const std::string sender(packet->from().full());
    if (const auto older = by_sender_.find(sender); older != by_sender_.end()) {
        take(by_age_.find(older->second));
    }
    bytes_ += packet->bytes().size() + overhead;
    by_sender_.emplace(sender, next_);
    by_age_.emplace(next_++, std::move(packet));
}

PacketRef HeldPresence::take(std::map<std::uint64_t, PacketRef>::iterator at) {
    PacketRef packet = std::move(at->second);
    by_sender_.erase(std::string(packet->from().full()));
    by_age_.erase(at);
    bytes_ -= packet->bytes().size() + overhead;
    return packet;
}

PacketRef HeldPresence::take_oldest() { return by_age_.empty() ? nullptr : take(by_age_.begin()); }

std::vector<PacketRef> HeldPresence::take_from(const Jid& sender) {
    std::vector<std::uint64_t> found;
    const std::string_view bare = sender.bare();
    for (auto at = by_sender_.lower_bound(bare); at != by_sender_.end(); ++at) {
        const std::string_view full = at->first;
        if (!full.starts_with(bare)) break;
        if (full.size() == bare.size() || full[bare.size()] == '/') found.push_back(at->second);
    }
    std::ranges::sort(found);
    std::vector<PacketRef> taken;
    for (const std::uint64_t age : found) taken.push_back(take(by_age_.find(age)));
    return taken;
}

}  // namespace causeway
