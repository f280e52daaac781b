// Logging in, watching and closing many sessions.
#include "tools/bench/session_pool.h"

#include <utility>

#include <fmt/format.h>

namespace causeway::bench {

Client& SessionPool::add(ClientSettings settings) {
    ClientListener& listener = *this;
    clients_.push_back(
        std::make_unique<Client>(bench_, std::move(settings), clients_.size(), listener));
    return *clients_.back();
}

Failure SessionPool::log_in(const LoginPace& pace) {
    pace_ = pace;
    login_began_ = Clock::now();
    first_of_login_ = started_;
    start_more();
    // Each login has a deadline of its own, so that all of them together need none.
    return run_until([this] { return ready_ == clients_.size(); }, Clock::duration::max(),
                     "logins");
}

void SessionPool::start_more() {
    while (started_ < clients_.size() && started_ - ready_ < pace_.concurrency) {
        if (pace_.per_second > 0) {
            const auto position = static_cast<double>(started_ - first_of_login_);
            const auto offset = std::chrono::duration<double>(position / pace_.per_second);
            const TimePoint due =
                login_began_ + std::chrono::duration_cast<Clock::duration>(offset);
            if (due > Clock::now()) {
                bench_.loop.call_at(due, [this] { start_more(); });
                return;
            }
        }
        ++open_;
        clients_[started_++]->start();
    }
}

Failure SessionPool::run_until(const std::function<bool()>& done, Clock::duration limit,
                               std::string_view waiting_for) {
    if (failure_) {
        return failure_;
    }
    const TimePoint now = Clock::now();
    const TimePoint deadline = limit > TimePoint::max() - now ? TimePoint::max() : now + limit;
    if (!bench_.loop.run_until(done, deadline) && !failure_) {
        failure_ = fmt::format("timed out waiting for {}", waiting_for);
    }
    return failure_;
}

Failure SessionPool::run_while_progressing(const std::function<bool()>& done,
                                           const std::function<std::uint64_t()>& progress,
                                           std::string_view waiting_for) {
    while (!failure_) {
        const std::uint64_t before = progress();
        if (bench_.loop.run_until(done, Clock::now() + bench_.timeout)) {
            break;
        }
        if (progress() == before) {
            fail(fmt::format("timed out waiting for {}", waiting_for));
        }
    }
    return failure_;
}

Failure SessionPool::run_for(Clock::duration time) {
    if (!failure_ && bench_.loop.run_until([] { return false; }, Clock::now() + time)) {
        fail("the loop ended early");
    }
    return failure_;
}

Failure SessionPool::close() {
    listener_ = nullptr;
    closing_ = true;
    for (std::size_t count = 0; count < closes_at_once; ++count) {
        close_next();
    }
    // Each close has a deadline of its own.
    return run_until([this] { return open_ == 0; }, Clock::duration::max(), "closing streams");
}

void SessionPool::close_next() {
    if (closed_ < clients_.size()) {
        clients_[closed_++]->close();
    }
}

void SessionPool::fail(std::string reason) {
    if (!failure_) {
        failure_ = std::move(reason);
        bench_.loop.stop();
    }
}

void SessionPool::on_ready(Client& /*client*/) {
    ++ready_;
    start_more();
}

void SessionPool::on_stanza(Client& client, std::string_view stanza) {
    if (listener_ != nullptr) {
        listener_->on_stanza(client, stanza);
    }
}

void SessionPool::on_acknowledged(Client& client, std::uint64_t count) {
    if (listener_ != nullptr) {
        listener_->on_acknowledged(client, count);
    }
}

void SessionPool::on_ended(Client& /*client*/, const std::string& reason) {
    --open_;
    if (!reason.empty()) {
        fail(reason);
    } else if (closing_) {
        close_next();
    }
}

}  // namespace causeway::bench
