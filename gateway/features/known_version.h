// KnownVersion: which version of a list the client of a session certainly has, where it hears of
// changes by pushes: a push may be on its way until the session would have ended without its
// client. By it a session that goes on after a restart (XEP-0198 §5) gets what it may have missed.
#pragma once

#include <cstdint>

#include "gateway/base/clock.h"
#include "gateway/base/queue.h"
#include "gateway/session/hub.h"

namespace causeway {

struct KnownVersion {
    struct Push {
        TimePoint at;
        std::uint64_t version = 0;
    };
    static constexpr std::size_t most = 32;
    static constexpr Duration silence{120'000};  ///< after which a client is taken for gone

    std::uint64_t version = 0;
    Queue<Push> on_their_way = {};

    void look(const Hub& hub, std::uint64_t now_version) {
        const TimePoint now = hub.clock().now();
        const std::uint64_t newest = on_their_way.empty() ? version : on_their_way.back().version;
        if (now_version != newest) on_their_way.push_back({now, now_version});
        // Of many the last counts: what came before it is there with it.
        if (on_their_way.size() > most) on_their_way.erase(on_their_way.end() - 2);
        while (!on_their_way.empty() &&
               on_their_way.front().at + hub.limits().resume_seconds + silence <= now) {
            version = on_their_way.front().version;
            on_their_way.pop_front();
        }
    }
};

}  // namespace causeway
