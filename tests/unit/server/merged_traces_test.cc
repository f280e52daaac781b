// What became of a stanza on several shards, in the order in which it happened.
#include "gateway/server/merged_traces.h"

#include <doctest/doctest.h>

#include <vector>

using namespace causeway;

namespace {

TraceLine line(Moment moment, TraceStage stage, UnixMillis at) {
    TraceEvent event;
    event.at = at;
    event.moment = moment;
    event.stage = stage;
    return TraceLine(event);
}

}  // namespace

TEST_CASE("events of one millisecond on different shards come as they happened") {
    // It waited for its recipient, and what became of it there came back to the link's shard: the
    // stages of a stanza's way say nothing about that. A long turn has one time for all of its
    // events, so that the clock says nothing either.
    Trace::Found first;
    first.lines = {line(Moment{1}, TraceStage::from_server, 1000),
                   line(Moment{4}, TraceStage::to_server, 1000)};
    Trace::Found second;
    second.lines = {line(Moment{2}, TraceStage::to_client, 1000),
                    line(Moment{3}, TraceStage::offline, 1000),
                    line(Moment{5}, TraceStage::answer, 999)};
    std::vector<TraceStage> stages;
    for (const TraceLine& one : merged({first, second})) stages.push_back(one.stage);
    CHECK(stages == std::vector{TraceStage::from_server, TraceStage::to_client, TraceStage::offline,
                                TraceStage::to_server, TraceStage::answer});
}
