// What shards share (Shared), in a test: a clock that a test moves, a store in memory, and a
// network and name servers that nothing uses. Fixtures with hubs derive from it.
#pragma once

#include <utility>

#include "gateway/session/hub.h"
#include "gateway/store/memory.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_dns.h"
#include "tests/support/sim_net.h"

namespace causeway::test {

class SharedFixture {
public:
    SharedFixture(unsigned shard_count, FeatureRegistry registry)
        : features(std::move(registry)), shards(shard_count, clock) {}

    /// Everything that can happen now. A turn in which nothing but a flush happened leaves its
    /// answers to the next.
    void settle() {
        for (int quiet = 0; quiet < 2;) {
            loop.run_until_idle();
            quiet = shards.run_until_idle() == 0 ? quiet + 1 : 0;
        }
    }
    void pass(Duration time, Duration step = TimerWheel::tick) {
        for (; time > Duration::zero(); time -= step) {
            clock.advance(step);
            settle();
        }
    }

    SimClock clock;
    SimLoop loop;
    SimNet net{loop};
    SimDns dns{loop};
    MemoryStore store;
    Workers workers{0};
    FeatureRegistry features;
    IdSource ids{clock};
    LifetimeClock lifetimes{clock};
    ArchiveMark archive_mark{4};
    Shards shards;
    Shared shared{.clock = clock,
                  .shards = shards,
                  .store = store,
                  .workers = workers,
                  .features = features,
                  .ids = ids,
                  .lifetimes = lifetimes,
                  .archive_mark = archive_mark,
                  .secret = {},
                  .hubs = {}};
};

}  // namespace causeway::test
