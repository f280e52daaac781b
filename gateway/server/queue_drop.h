// QueueDrop: an administrator drops what waits for another domain, in one commit, and the trace
// says so of each stanza. Owner: itself, until it has answered.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/operations.h"
#include "gateway/server/server.h"

namespace causeway {

class QueueDrop : public std::enable_shared_from_this<QueueDrop> {
public:
    /// Stanzas of which the trace is told, the newest ones, and their bytes: it would not remember
    /// more than that either.
    static constexpr std::size_t most_told = 10'000;
    static constexpr std::size_t most_bytes = 16U << 20U;

    /// Answers how many there were, on `home`.
    QueueDrop(Server& server, Executor& home, std::string remote,
              control::Answer<std::uint64_t> answer);

    /// What waits in each of the queues for that domain.
    void start(const std::vector<LogTotals>& queues);

private:
    void read();
    void take(const Result<std::vector<LogRow>>& rows);
    void commit();
    void tell();

    Server& server_;
    Executor& home_;
    const std::string remote_;
    const control::Answer<std::uint64_t> answer_;
    std::vector<std::string> queues_, to_read_;
    std::uint64_t stanzas_ = 0;
    std::uint64_t after_ = 0;  ///< of the last of to_read_
    std::deque<PacketRef> told_;
    std::size_t bytes_ = 0;  ///< of them
};

}  // namespace causeway
