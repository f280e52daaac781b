// Drain: the end of the server in good order. First the sessions of clients end, so that contacts
// elsewhere hear that they are gone, then the links with other servers; then, or when the time is
// over, what sessions still hold goes to the store. Runs on the main thread. Owner: the Process.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>

#include "gateway/base/executor.h"
#include "gateway/server/server.h"

namespace causeway {

class Drain {
public:
    /// `over` is called once, on the main thread, when nothing is left that could be waited for.
    Drain(Server& server, boost::asio::io_context& main, Executor& here,
          std::function<void()> over);
    Drain(const Drain&) = delete;
    Drain& operator=(const Drain&) = delete;
    ~Drain() = default;

    /// Begins, or changes how long it may still take.
    void begin(std::chrono::seconds patience);
    [[nodiscard]] bool begun() const { return phase_ != Phase::not_begun; }
    /// No further look, and no call.
    void cancel();

private:
    enum class Phase : unsigned char { not_begun, clients, links, over };

    void watch();
    void look();
    void finish();

    Server& server_;
    Executor& here_;
    std::function<void()> over_;
    boost::asio::steady_timer deadline_;
    boost::asio::steady_timer next_look_;
    std::chrono::steady_clock::time_point links_end_;
    Phase phase_ = Phase::not_begun;
};

}  // namespace causeway
