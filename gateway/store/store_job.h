// Long jobs over a whole store: a copy of it, and a look at all of it. One at a time; each has a
// thread and a connection of its own, so that nothing waits for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

struct StoreProgress {
    std::uint64_t done = 0, total = 0;  ///< bytes of a copy, steps of a check
};

/// What the caller of a job gives with it.
struct StoreJob {
    /// At home, a few times a second; may be empty.
    std::function<void(StoreProgress)> progress = {};
    /// Set by the caller, on any thread: the job ends soon, with Cause::retry.
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
};

struct StoreBackup {
    std::uint64_t bytes = 0;
    /// What is wrong with the file of the store, and so with the copy; empty: nothing was found.
    std::string damage = {};
};

/// What a check is to know of the names in the store.
struct StoreCheck {
    std::string accounts;                  ///< the map store whose owners are the accounts
    std::vector<std::string> of_accounts;  ///< stores whose owners must be accounts
    std::size_t largest = 10;              ///< how many of the largest owners to name
    /// Whether what stands in an archive or a log can be read; called on the thread of the job.
    /// Empty: that is not looked at.
    std::function<bool(std::string_view body)> readable = {};
};

/// Something that is wrong, and what to do about it.
struct StoreFault {
    std::string what;
    std::string advice;
};

struct StoreSize {
    std::string name;  ///< of the map or log store, "archive", or the owner
    std::uint64_t owners = 0, rows = 0, bytes = 0;
};

struct StoreReport {
    std::uint64_t file_bytes = 0;
    std::uint64_t free_bytes = 0;  ///< of these: room for new rows
    std::vector<StoreFault> faults;
    std::vector<StoreSize> stores;
    std::vector<StoreSize> largest;  ///< owners by what they have in archives and logs
};

}  // namespace causeway
