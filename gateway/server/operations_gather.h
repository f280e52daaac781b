// How the control thread asks the shards: a question is posted to one shard or to all, runs there
// between two other tasks, and its answer comes home through an Executor. Nothing is shared and
// nobody waits. A question that a stopping shard no longer runs is dropped with its answer.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/base/executor.h"
#include "gateway/server/server.h"

namespace causeway {

/// Runs `look` on the part's shard, and `done` with what it found on `home`.
template <class T>
void ask(Server::Part& part, Executor& home, std::function<T(Server::Part&)> look,
         std::function<void(T)> done) {
    part.hub->shard.post([&part, &home, look = std::move(look), done = std::move(done)]() mutable {
        const auto found = std::make_shared<T>(look(part));
        home.post([found, done = std::move(done)] { done(std::move(*found)); });
    });
}

/// Asks every shard; `done` gets what they found, by shard, once all have answered.
template <class T>
void gather(Server& server, Executor& home, const std::function<T(Server::Part&)>& look,
            std::function<void(std::vector<T>)> done) {
    struct State {
        std::vector<T> found;
        std::size_t missing;
        std::function<void(std::vector<T>)> done;
    };
    const unsigned count = server.shards().count();
    const auto state = std::make_shared<State>(std::vector<T>(count), count, std::move(done));
    for (unsigned index = 0; index < count; ++index) {
        ask<T>(server.part(index), home, look, [state, index](T found) {
            state->found[index] = std::move(found);
            if (--state->missing == 0) state->done(std::move(state->found));
        });
    }
}

/// Runs `task` on the shard in a later turn: what this turn wrote has then been flushed, and what
/// it stores stands in the store's queue.
inline void after_turn(Shard& shard, std::function<void()> task) {
    // A task posted during a turn may still run in it; one that such a task posts does not.
    shard.post([&shard, task = std::move(task)]() mutable { shard.post(std::move(task)); });
}

}  // namespace causeway
