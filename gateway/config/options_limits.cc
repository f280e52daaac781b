// The rows of [limits]: range, reload class and meaning of each member of Limits. A limit's largest
// value is there to catch a slip of the finger, not to forbid a large machine.
#include <fmt/format.h>

#include <concepts>

#include "gateway/config/options.h"

namespace causeway {
namespace {

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr std::int64_t gib = 1024 * mib;
constexpr std::int64_t hour = 3600;
constexpr std::int64_t day = 24 * hour;

constexpr Reload live = Reload::live;
constexpr Reload new_streams = Reload::new_streams;
constexpr Reload restart = Reload::restart;

struct Range {
    std::int64_t minimum, maximum;
};

/// `T` is a size or a time; the key is "limits." and the member's name.
template <class T>
Option limit(std::string_view key, T Limits::*member, Range range, Reload reload,
             std::string_view doc) {
    Option option;
    option.key = key;
    option.kind = Option::Kind::integer;
    option.reload = reload;
    option.doc = doc;
    option.minimum = range.minimum;
    option.maximum = range.maximum;
    option.set = [=](OptionTarget target, const OptionValue& value) {
        target.config.limits.*member = static_cast<T>(std::get<std::int64_t>(value));
        return std::optional<OptionRefusal>{};
    };
    option.get = [=](const Config& config, const DomainConfig*) {
        if constexpr (std::integral<T>) {
            return fmt::format("{}", config.limits.*member);
        } else {
            return fmt::format("{}", (config.limits.*member).count());
        }
    };
    return option;
}

using L = Limits;

std::vector<Option> stanza_limits() {
    return {
        limit("limits.stanza_bytes_unauthenticated", &L::stanza_bytes_unauthenticated,
              {10000, 64 * kib}, new_streams,
              "Bytes of one element before the other side has authenticated."),
        limit("limits.stanza_bytes_client", &L::stanza_bytes_client, {10000, 16 * mib}, new_streams,
              "Bytes of one stanza from a client."),
        limit("limits.stanza_bytes_server", &L::stanza_bytes_server, {10000, 16 * mib}, new_streams,
              "Bytes of one stanza from another server."),
        limit("limits.depth", &L::depth, {16, 256}, new_streams, "Levels of nested elements."),
        limit("limits.attributes", &L::attributes, {16, 1024}, new_streams,
              "Attributes of one element."),
        limit("limits.attribute_bytes", &L::attribute_bytes, {3072, 256 * kib}, new_streams,
              "Bytes of one attribute's value."),
        limit("limits.namespaces", &L::namespaces, {8, 256}, new_streams,
              "Namespaces declared on one element."),
        limit("limits.children", &L::children, {256, 65536}, new_streams,
              "Children of one element."),
    };
}

std::vector<Option> connection_limits() {
    return {
        limit("limits.handshake_seconds", &L::handshake_seconds, {5, 300}, new_streams,
              "Time from the connection until its stream is ready for stanzas; traffic does not "
              "extend it."),
        limit(
            "limits.client_silence_seconds", &L::client_silence_seconds, {0, hour}, new_streams,
            "A client that says nothing is asked after half of that time, and its connection ends "
            "when all of it is over without an answer; 0 asks nobody. A client that can resume "
            "its session (XEP-0198) is left to sleep."),
        limit("limits.sasl_failures", &L::sasl_failures, {1, 10}, new_streams,
              "Failed logins after which a stream is closed."),
        limit("limits.unauthenticated_connections", &L::unauthenticated_connections,
              {16, 1'000'000}, live,
              "Accepted connections that have not authenticated yet, in all."),
        limit("limits.unauthenticated_connections_per_prefix",
              &L::unauthenticated_connections_per_prefix, {4, 1'000'000}, live,
              "The same, from one IPv4 /24 or IPv6 /64."),
    };
}

std::vector<Option> account_limits() {
    return {
        limit("limits.sessions_per_account", &L::sessions_per_account, {1, 1000}, live,
              "Sessions of one account at a time."),
        limit("limits.resumable_per_account", &L::resumable_per_account, {0, 100}, live,
              "Disconnected sessions of one account that wait to be resumed (XEP-0198)."),
        limit("limits.resume_seconds", &L::resume_seconds, {0, 600}, new_streams,
              "How long a disconnected session can be resumed; 0 turns resumption off."),
        limit("limits.kept_streams_per_account", &L::kept_streams_per_account, {0, 100},
              new_streams,
              "Sessions of one account that can be resumed after the server was restarted too; 0 "
              "turns that off."),
        limit(
            "limits.unacked_stanzas", &L::unacked_stanzas, {100, 100'000}, new_streams,
            "Stanzas sent to a client that it has not acknowledged (XEP-0198) above which presence "
            "waits, of each sender the latest."),
        limit("limits.unacked_bytes", &L::unacked_bytes, {64 * kib, 64 * mib}, new_streams,
              "Bytes of those stanzas, likewise."),
        limit("limits.unacked_seconds", &L::unacked_seconds, {10, hour}, live,
              "How long a client above those limits may acknowledge nothing before its session "
              "ends."),
        limit("limits.directed_presences", &L::directed_presences, {10, 100'000}, live,
              "Addresses that one session has sent directed presence to and not taken back."),
        limit("limits.roster_items", &L::roster_items, {10, 100'000}, live,
              "Contacts in one roster."),
        limit("limits.subscription_requests", &L::subscription_requests, {10, 100'000}, live,
              "Contact requests to one account that wait for an answer."),
        limit(
            "limits.offline_messages", &L::offline_messages, {0, 1'000'000}, live,
            "Messages kept for one account that is offline; the sender of one more gets an error."),
        limit("limits.offline_seconds", &L::offline_seconds, {hour, 3650 * day}, live,
              "How long such a message is kept."),
    };
}

std::vector<Option> flow_limits() {
    return {
        limit("limits.client_queue_soft_bytes", &L::client_queue_soft_bytes, {64 * kib, gib}, live,
              "Output waiting for a client beyond which it counts as slow: presence waits, and the "
              "client is not read."),
        limit(
            "limits.client_queue_hard_bytes", &L::client_queue_hard_bytes, {64 * kib, gib}, live,
            "What others sent to a client and it has not taken, or not acknowledged (XEP-0198), at "
            "which its session ends; as much again may wait of what it asked for."),
        limit("limits.server_queue_soft_bytes", &L::server_queue_soft_bytes, {64 * kib, gib}, live,
              "Output waiting for another server beyond which it counts as slow."),
        limit("limits.server_queue_hard_bytes", &L::server_queue_hard_bytes, {64 * kib, gib}, live,
              "Output waiting for another server at which new stanzas for it get an error."),
        limit("limits.queue_soft_seconds", &L::queue_soft_seconds, {1, 300}, live,
              "How long a slow client may take nothing at all before its session ends."),
        limit("limits.client_read_bytes_per_second", &L::client_read_bytes_per_second, {0, gib},
              live, "Bytes a second read from a client in the long run; 0 is unlimited."),
        limit("limits.client_read_burst_bytes", &L::client_read_burst_bytes, {64 * kib, gib}, live,
              "Bytes that a client may send at once before that rate holds."),
        limit("limits.server_read_bytes_per_second", &L::server_read_bytes_per_second, {0, gib},
              live,
              "Bytes a second read from another server's stream in the long run; 0 is unlimited."),
        limit("limits.server_read_burst_bytes", &L::server_read_burst_bytes, {64 * kib, gib}, live,
              "Bytes that another server may send at once before that rate holds."),
        limit("limits.stanzas_in_progress", &L::stanzas_in_progress, {1, 65536}, live,
              "Stanzas of one stream that wait for the store before reading from it pauses."),
    };
}

std::vector<Option> peer_limits() {
    return {
        limit("limits.server_streams", &L::server_streams, {4, 1'000'000}, live,
              "Streams on which other servers speak to this one, in all, and as many on which this "
              "one speaks to them; for one more, those end that have been silent, or unused, for "
              "longest. Each is at most a third of the files that the process may open."),
        limit("limits.dialback_pairs", &L::dialback_pairs, {1, 10000}, new_streams,
              "Pairs of domains on one stream between servers."),
        limit("limits.targets", &L::targets, {1, 100}, live,
              "SRV targets of a domain that are tried."),
        limit("limits.addresses_per_target", &L::addresses_per_target, {1, 16}, live,
              "Addresses of a target that are tried, of IPv4 and of IPv6 each."),
        limit("limits.connect_seconds", &L::connect_seconds, {1, 120}, live,
              "Time for one address to answer."),
        limit(
            "limits.link_connect_seconds", &L::link_connect_seconds, {5, 600}, live,
            "Time for a stream to another server, from the first DNS query until it is ready, over "
            "all targets."),
        limit("limits.link_idle_seconds", &L::link_idle_seconds, {10, day}, live,
              "Time after which an unused stream between servers is closed."),
        limit("limits.remote_queue_stanzas", &L::remote_queue_stanzas, {10, 10'000'000}, live,
              "Stanzas that wait for one remote domain; the sender of one more gets an error."),
        limit("limits.remote_queue_bytes", &L::remote_queue_bytes, {mib, 16 * gib}, live,
              "Bytes of those stanzas."),
        limit("limits.remote_queue_seconds", &L::remote_queue_seconds, {1, 30 * day}, live,
              "How long a stanza waits for a remote domain before its sender gets an error."),
        limit("limits.remote_retry_min_seconds", &L::remote_retry_min_seconds, {1, day}, live,
              "Pause after the first failed attempt to reach a domain; it doubles with each more."),
        limit("limits.remote_retry_max_seconds", &L::remote_retry_max_seconds, {1, day}, live,
              "Longest pause between attempts."),
    };
}

std::vector<Option> process_limits() {
    return {
        limit("limits.dns_cache_entries", &L::dns_cache_entries, {16, 10'000'000}, restart,
              "DNS answers that each thread remembers."),
        limit("limits.dns_positive_max_seconds", &L::dns_positive_max_seconds, {0, 7 * day}, live,
              "Longest time that records are remembered, whatever their TTL."),
        limit("limits.dns_negative_max_seconds", &L::dns_negative_max_seconds, {0, day}, live,
              "Longest time that the absence of records is remembered."),
        limit("limits.trace_bytes", &L::trace_bytes, {0, gib}, live,
              "Bytes in which each thread remembers what was decided about stanzas, for "
              "\"causewayctl why\"; 0: none. A message takes 400 to 700."),
        limit("limits.control_connections", &L::control_connections, {1, 1000}, live,
              "Connections to the control socket."),
        limit("limits.control_line_bytes", &L::control_line_bytes, {4 * kib, 64 * mib}, live,
              "Bytes of one request on the control socket."),
        limit("limits.store_queue_batches", &L::store_queue_batches, {64, 1'000'000}, restart,
              "Writes that wait for the disk; one more is refused for now."),
        limit("limits.store_queue_bytes", &L::store_queue_bytes, {mib, 16 * gib}, restart,
              "Bytes of those writes."),
        limit("limits.drain_seconds", &L::drain_seconds, {0, hour}, live,
              "Time for streams to end in order when the server is told to stop."),
    };
}

}  // namespace

std::vector<Option> limit_options() {
    std::vector<Option> table;
    for (auto part : {stanza_limits, connection_limits, account_limits, flow_limits, peer_limits,
                      process_limits}) {
        for (Option& option : part()) table.push_back(std::move(option));
    }
    return table;
}

}  // namespace causeway
