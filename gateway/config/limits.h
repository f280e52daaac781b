// Limits: every bound of the server in one place, each on by default. Each member is the key of the
// same name in the configuration's [limits] table (options_limits.cc has ranges and documentation).
// Sizes are bytes, times are seconds. Plain values, immutable once part of a loaded Config.
#pragma once

#include <chrono>
#include <cstddef>

namespace causeway {

struct Limits {
    using seconds = std::chrono::seconds;
    static constexpr std::size_t kib = 1024;
    static constexpr std::size_t mib = 1024 * kib;

    // One stanza or stream header, enforced while it is parsed (RFC 6120 §13.12: at least 10000).
    std::size_t stanza_bytes_unauthenticated = 16 * kib;
    std::size_t stanza_bytes_client = 256 * kib;
    std::size_t stanza_bytes_server = 512 * kib;
    std::size_t depth = 64;
    std::size_t attributes = 64;
    std::size_t attribute_bytes = 8 * kib;
    std::size_t namespaces = 32;
    std::size_t children = 4096;

    // Connections, above all those that have not proved who they are.
    seconds handshake_seconds{30};
    seconds client_silence_seconds{90};
    std::size_t sasl_failures = 3;
    std::size_t unauthenticated_connections = 4096;
    std::size_t unauthenticated_connections_per_prefix = 2048;

    // One account.
    std::size_t sessions_per_account = 20;
    std::size_t resumable_per_account = 5;
    seconds resume_seconds{300};
    std::size_t kept_streams_per_account = 5;
    std::size_t unacked_stanzas = 2000;
    std::size_t unacked_bytes = 1 * mib;
    seconds unacked_seconds{120};
    std::size_t directed_presences = 1000;
    std::size_t roster_items = 2000;
    std::size_t subscription_requests = 1000;
    std::size_t offline_messages = 1000;
    seconds offline_seconds{30 * 86400};

    // Output waiting for a slow reader.
    std::size_t client_queue_soft_bytes = 1 * mib;
    std::size_t client_queue_hard_bytes = 4 * mib;
    std::size_t server_queue_soft_bytes = 4 * mib;
    std::size_t server_queue_hard_bytes = 16 * mib;
    seconds queue_soft_seconds{60};

    // Input of one authenticated stream; a rate of 0 is unlimited.
    std::size_t client_read_bytes_per_second = 1 * mib;
    std::size_t client_read_burst_bytes = 4 * mib;
    std::size_t server_read_bytes_per_second = 16 * mib;
    std::size_t server_read_burst_bytes = 64 * mib;
    std::size_t stanzas_in_progress = 256;

    // Other servers.
    std::size_t server_streams = 20000;
    std::size_t dialback_pairs = 50;
    std::size_t targets = 20;
    std::size_t addresses_per_target = 3;
    seconds connect_seconds{10};
    seconds link_connect_seconds{60};
    seconds link_idle_seconds{600};
    std::size_t remote_queue_stanzas = 20000;
    std::size_t remote_queue_bytes = 64 * mib;
    seconds remote_queue_seconds{3 * 86400};
    seconds remote_retry_min_seconds{5};
    seconds remote_retry_max_seconds{900};

    // Names resolved, per thread.
    std::size_t dns_cache_entries = 10000;
    seconds dns_positive_max_seconds{3600};
    seconds dns_negative_max_seconds{300};

    // What is remembered of decisions about stanzas, per thread.
    std::size_t trace_bytes = 4 * mib;

    // The control socket, the store's writer, and the end of the process.
    std::size_t control_connections = 16;
    std::size_t control_line_bytes = 1 * mib;
    std::size_t store_queue_batches = 4096;
    std::size_t store_queue_bytes = 64 * mib;
    seconds drain_seconds{10};

    bool operator==(const Limits&) const = default;
};

}  // namespace causeway
