// StoreLimits: every bound of a store in one place, and the check of a batch against them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "gateway/base/outcome.h"

namespace causeway {

class Batch;

struct StoreLimits {
    /// Batches and bytes that may wait for the writer; beyond, a commit answers Cause::retry.
    std::size_t queued_batches = 8192;
    std::size_t queued_bytes = 64U << 20U;
    /// Batches and bytes that one transaction takes. Together they bound how long a small batch may
    /// stand behind others.
    std::size_t group_batches = 2048;
    std::size_t group_bytes = 8U << 20U;
    /// How long a batch that may wait does so, to share a transaction with what else comes.
    std::chrono::milliseconds gather{250};
    /// Questions that may wait for the readers, of each kind (about one owner, about a whole
    /// store).
    std::size_t queued_reads = 8192;
    /// Size of the database file in pages of 4 KiB; 0: as large as the disk allows.
    std::uint32_t pages = 0;
    /// Pages of 4 KiB of the write-ahead log. From the first on, a thread copies them back into the
    /// file; a rest of the second the writer copies itself; at the third it waits for that thread.
    /// Only behind who reads one state for long (a backup) does the log grow beyond.
    std::int64_t log_pages = 4000;
    std::int64_t log_rest_pages = 256;
    std::int64_t longest_log_pages = 16000;
    /// How long a connection waits for a lock that another process (a backup, a shell) holds.
    std::chrono::milliseconds lock_wait{5000};
};

/// Refuses what no retry could make acceptable: a batch larger than the queue (policy), a row id
/// that is 0 or above 63 bits (malformed).
Outcome check_batch(const Batch& batch, const StoreLimits& limits);

}  // namespace causeway
