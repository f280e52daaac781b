// Standard error as the log writes to it: a line goes out whole, is waited for only so long, or is
// lost and counted. Standard error may be closed, full, or a pipe or terminal that nobody reads;
// none of these may hold up or end the process.
#pragma once

#include <atomic>
#include <chrono>
#include <string_view>

namespace causeway::log {

/// Puts /dev/null, for reading only, in place of standard input, output and error where they are
/// closed: no other file gets their numbers, and what is written there fails and is counted. The
/// first call of a process.
void secure_standard_streams();

/// Writes a line and its end to `descriptor`. False if not all of it could be written within
/// `patience`, or at all. Never changes the descriptor's flags, which other processes share.
bool write_line(int descriptor, std::string_view line, std::chrono::milliseconds patience);

/// A line for the person who starts the process, on standard error, before there is a log.
void tell(std::string_view line);

/// Lines to standard error, one thread at a time. finish() may come from any thread.
class Output {
public:
    /// Waits for the reader as long as it takes, or until finish() and its patience.
    bool put(std::string_view line);
    /// From now on all lines together are waited for `patience` at most.
    void finish(std::chrono::milliseconds patience);

private:
    using Clock = std::chrono::steady_clock;
    static constexpr Clock::rep never = Clock::duration::max().count();
    std::atomic<Clock::rep> deadline_{never};
};

}  // namespace causeway::log
