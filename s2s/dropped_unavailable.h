// DroppedUnavailable: sessions here whose unavailable presence another domain has not, because it
// was out of reach, or because the stream broke on which that was said. Whoever saw such a session
// there as available is told when the domain is back: nobody else would, for the session is gone.
// Owner: a RemotePair.
#pragma once

#include <cstddef>
#include <set>
#include <utility>

#include "gateway/xmpp/packet.h"

namespace causeway {

class DroppedUnavailable {
public:
    /// Who went away, and who is to be told.
    using Absences = std::set<std::pair<Jid, Jid>>;
    /// Those beyond are forgotten.
    static constexpr std::size_t limit = 1000;

    /// Presence was dropped.
    void dropped(const Packet& presence) {
        if (presence.type() != StanzaType::unavailable || !presence.from().has_resource()) return;
        if (absences_.size() < limit) absences_.emplace(presence.from(), presence.to());
    }
    /// The session says something to them: if it is available, that is how it is now.
    void said(const Packet& packet) {
        if (absences_.empty() || packet.kind() != StanzaKind::presence ||
            packet.type() != StanzaType::available) {
            return;
        }
        absences_.erase({packet.from(), packet.to()});
    }
    /// It was on its way when a stream broke; oldest first.
    void lost(const Packet& packet) {
        said(packet);
        if (packet.kind() == StanzaKind::presence) dropped(packet);
    }
    /// What was dropped since those streams broke; it holds whatever was on its way then.
    void add(const DroppedUnavailable& newer) {
        for (const auto& absence : newer.absences_) {
            if (absences_.size() < limit) absences_.insert(absence);
        }
    }
    /// The domain is within reach.
    [[nodiscard]] Absences take() { return std::exchange(absences_, {}); }

private:
    Absences absences_;
};

}  // namespace causeway
