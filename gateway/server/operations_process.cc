// The process as a whole, for the control socket: status, reload, log level, end; see operations.h.
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/version.h"
#include "gateway/config/diff.h"
#include "gateway/net/system_network.h"
#include "gateway/server/metrics.h"
#include "gateway/server/operations.h"
#include "gateway/server/operations_gather.h"
#include "gateway/server/service_manager.h"

namespace causeway {
namespace {

using control::Answer;
using control::Done;
using control::ReloadChange;
using control::Status;

constexpr Metric decisions{.name = "decisions",
                           .help = "What was decided about stanzas, as causewayctl trace tells it.",
                           .label = "verdict",
                           .values = trace_verdict_names};

/// What one shard adds to the status.
struct ShardCounts {
    std::map<std::string, std::uint64_t, std::less<>> sessions;  ///< connected, by domain
    std::uint64_t detached = 0;
    std::uint64_t negotiating = 0;
    std::uint64_t inbound = 0;
    std::uint64_t outbound = 0;
    std::uint64_t connecting = 0;
};

ShardCounts count(Server::Part& part) {
    ShardCounts counts;
    part.clients->each_session([&](ClientSession& session) {
        if (session.detached()) {
            ++counts.detached;
            return;
        }
        const std::string_view domain = session.jid().domain();
        const auto found = counts.sessions.find(domain);
        if (found == counts.sessions.end()) {
            counts.sessions.emplace(domain, 1);
        } else {
            ++found->second;
        }
    });
    counts.negotiating = part.clients->negotiating() + part.servers->negotiating();
    part.servers->each_incoming([&](IncomingStream& stream) {
        if (!stream.pairs().empty()) ++counts.inbound;
    });
    part.servers->each_pair([&](RemotePair& pair) {
        const std::string state = pair.report().state;
        if (state == "established") {
            ++counts.outbound;
        } else if (state != "idle" && state != "waiting") {
            ++counts.connecting;
        }
    });
    return counts;
}

void add(Status& status, const ShardCounts& counts) {
    for (const auto& [domain, sessions] : counts.sessions) {
        status.sessions += sessions;
        for (control::DomainStatus& row : status.domains) {
            if (row.name == domain) row.sessions += sessions;
        }
    }
    status.sessions_detached += counts.detached;
    status.connections_negotiating += counts.negotiating;
    status.peers_inbound += counts.inbound;
    status.peers_outbound += counts.outbound;
    status.peers_connecting += counts.connecting;
}

void add(Status& status, const std::vector<LogTotals>& queues) {
    std::string last;
    for (const LogTotals& queue : queues) {
        // By owner, "remote local": the pairs of one remote domain stand together.
        const std::string remote = queue.owner.substr(0, queue.owner.find(' '));
        status.queued_domains += remote != last;
        last = remote;
        status.queued_stanzas += queue.rows;
        status.queued_bytes += queue.bytes;
    }
}

/// 0 where the system does not tell.
std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    file >> size >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

bool same_certificate(const DomainTls& a, const DomainTls& b) {
    const X509* const left = SSL_CTX_get0_certificate(a.client_facing.get());
    const X509* const right = SSL_CTX_get0_certificate(b.client_facing.get());
    return left != nullptr && right != nullptr && X509_cmp(left, right) == 0;
}

}  // namespace

Config in_force(const Config& running, const Config& wanted) {
    Config config = wanted;
    config.domains = running.domains;
    for (DomainConfig& domain : config.domains) {
        for (const DomainConfig& other : wanted.domains) {
            if (other.name == domain.name) domain = other;
        }
    }
    config.store = running.store;
    config.c2s = running.c2s;
    config.s2s.listen = running.s2s.listen;
    config.s2s.listen_tls = running.s2s.listen_tls;
    config.http = running.http;
    config.metrics = running.metrics;
    config.dns = running.dns;
    config.control = running.control;
    config.server = running.server;
    config.limits.dns_cache_entries = running.limits.dns_cache_entries;
    config.limits.store_queue_batches = running.limits.store_queue_batches;
    config.limits.store_queue_bytes = running.limits.store_queue_bytes;
    return config;
}

std::vector<control::ListenerStatus> ServerOperations::listeners() const {
    std::vector<control::ListenerStatus> rows;
    const auto add_all = [&](std::string_view kind, const Config::Endpoints& endpoints) {
        for (const Endpoint& endpoint : endpoints) {
            rows.push_back({std::string(kind), to_string(endpoint)});
        }
    };
    add_all("c2s.listen", config_->c2s.listen);
    add_all("c2s.listen_tls", config_->c2s.listen_tls);
    add_all("s2s.listen", config_->s2s.listen);
    add_all("s2s.listen_tls", config_->s2s.listen_tls);
    add_all("http.listen", config_->http.listen);
    if (config_->metrics.listen) add_all("metrics.listen", {*config_->metrics.listen});
    add_all("http.listen_tls", config_->http.listen_tls);
    return rows;
}

void ServerOperations::status(Answer<Status> answer) {
    const Shared& shared = server_.shared();
    Status status;
    status.version = version_text;
    status.process = ::getpid();
    status.started = shared.started_at();
    status.now = shared.clock.wall();
    status.draining = lifecycle_.draining();
    status.shards = server_.shards().count();
    status.listeners = listeners();
    status.resident_bytes = resident_bytes();
    status.log_dropped = log::dropped();
    StoreHealth health = shared.store.health();
    status.store_failure = std::move(health.failure);
    status.store_failed = health.failed;
    for (const DomainTls* domain : tls_->all()) {
        status.domains.push_back({.name = domain->domain,
                                  .certificate_expires = domain->expires,
                                  .certificate_issuer = domain->issuer});
    }
    with_queues([this, status = std::move(status),
                 answer = std::move(answer)](const Result<std::vector<LogTotals>>& queues) mutable {
        if (!queues) {
            answer(queues.error());
            return;
        }
        add(status, *queues);
        gather<ShardCounts>(server_, home_, count,
                            [status = std::move(status), answer = std::move(answer)](
                                const std::vector<ShardCounts>& counts) mutable {
                                for (const ShardCounts& shard : counts) add(status, shard);
                                answer(std::move(status));
                            });
    });
}

void ServerOperations::measure(Answer<MetricSamples> answer) {
    status([this, answer = std::move(answer)](const Result<Status>& found) {
        if (!found) {
            answer(found.error());
            return;
        }
        std::vector<const Metric*> metrics(server_.shared().features.metrics().begin(),
                                           server_.shared().features.metrics().end());
        metrics.push_back(&decisions);
        gather<std::vector<std::int64_t>>(
            server_, home_,
            [](Server::Part& part) {
                std::vector<std::int64_t> numbers = part.hub->metrics.all();
                const auto& counted = part.hub->trace.counted();
                numbers.insert(numbers.end(), counted.begin(), counted.end());
                return numbers;
            },
            [metrics, samples = samples_of(*found),
             answer](const std::vector<std::vector<std::int64_t>>& shards) mutable {
                auto counted = samples_of(metrics, shards);
                std::ranges::move(counted, std::back_inserter(samples));
                answer(std::move(samples));
            });
    });
}

// ---- reload ----

Result<std::vector<ReloadChange>> ServerOperations::reload_now() {
    auto wanted = lifecycle_.read_config();
    if (!wanted) return wanted.error();
    std::vector<std::string> warnings;
    // All that is wanted must be right, what a restart would bring into force included.
    if (auto checked = TlsSnapshot::load(*wanted, warnings); !checked) return checked.error();
    warnings.clear();
    auto config = std::make_shared<const Config>(in_force(*config_, *wanted));
    auto tls = TlsSnapshot::load(*config, warnings);
    if (!tls) return tls.error();
    for (const std::string& warning : warnings) {
        CAUSEWAY_LOG(warn, "config.warning", {"why", warning});
    }

    std::vector<ReloadChange> changes;
    for (const Change& change : diff(*config_, *wanted)) {
        changes.push_back({change.key, std::string(to_string(change.reload))});
    }
    for (const DomainTls* domain : (*tls)->all()) {
        const DomainTls* before = tls_->find(domain->domain);
        if (before != nullptr && same_certificate(*before, *domain)) continue;
        changes.push_back(
            {fmt::format("tls {}", domain->domain), std::string(to_string(Reload::new_streams))});
    }
    if (config->log.level != config_->log.level || config->log.json != config_->log.json) {
        log::configure(config->log.level, config->log.json);
    }
    config_ = std::move(config);
    tls_ = std::move(*tls);
    server_.adopt(config_, tls_);
    return changes;
}

void ServerOperations::reload(Answer<std::vector<ReloadChange>> answer) {
    tell_service_manager(ServiceState::reloading);
    auto changes = reload_now();
    tell_service_manager(ServiceState::ready);
    if (changes) {
        for (const ReloadChange& change : *changes) {
            CAUSEWAY_LOG(info, "config.changed", {"option", change.option},
                         {"applies", change.applies});
        }
        CAUSEWAY_LOG(info, "server.reloaded", {"changes", changes->size()});
    } else {
        CAUSEWAY_LOG(error, "server.reload_failed", {"why", changes.error().why()});
    }
    answer(std::move(changes));
}

void ServerOperations::set_log_level(std::string level, Done done) {
    const auto parsed = log::parse_level(level);
    if (!parsed) {
        done(parsed.error());
        return;
    }
    log::set_level(*parsed);
    done({});
}

void ServerOperations::shutdown(std::optional<std::uint32_t> drain_seconds, Done done) {
    std::optional<std::chrono::seconds> patience;
    if (drain_seconds) patience = std::chrono::seconds(*drain_seconds);
    lifecycle_.begin_drain(patience);
    done({});
}

}  // namespace causeway
