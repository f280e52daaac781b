// QueuePage: one page of what waits for another domain, from the queues of all of our domains, in
// the order of arrival. For the control socket. Owner: itself, until it has answered.
#pragma once

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "gateway/control/operations.h"
#include "gateway/session/hub.h"

namespace causeway {

class QueuePage : public std::enable_shared_from_this<QueuePage> {
public:
    QueuePage(Shared& shared, Executor& home, control::PageRequest page, std::uint64_t attempts,
              control::Answer<control::Page<control::QueuedStanza>> answer);

    /// `owners` are the queues. Answers on `home`.
    void read(const std::vector<std::string>& owners);

private:
    void take(Result<std::vector<LogRow>> rows);
    void finish();

    Store& store_;
    const LifetimeClock& lifetimes_;
    Executor& home_;
    const std::size_t limit_;
    const std::uint64_t attempts_;
    const control::Answer<control::Page<control::QueuedStanza>> answer_;
    std::uint64_t after_ = 0;
    std::vector<LogRow> rows_;
    std::size_t missing_ = 0;
    bool more_ = false;
    Outcome failure_;
};

}  // namespace causeway
