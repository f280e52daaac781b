#include "gateway/server/metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <vector>

namespace causeway {
namespace {

using Kind = Metric::Kind;

constexpr Metric info{
    .name = "info", .kind = Kind::gauge, .help = "The version that runs.", .label = "version"};
constexpr Metric domain_sessions{.name = "domain_sessions",
                                 .kind = Kind::gauge,
                                 .help = "Clients of a domain that are bound and connected.",
                                 .label = "domain"};
constexpr Metric certificate_expiry{.name = "certificate_expiry_timestamp_seconds",
                                    .kind = Kind::gauge,
                                    .help = "When a domain's certificate ends.",
                                    .label = "domain"};

double uptime(const control::Status& status) {
    return static_cast<double>(std::max<UnixMillis>(0, status.now - status.started) / 1000);
}

template <std::uint64_t control::Status::*member>
double member_of(const control::Status& status) {
    return static_cast<double>(status.*member);
}

/// A number of the status, under one name.
struct StatusMetric {
    Metric metric;
    double (*number)(const control::Status& status);
};

using control::Status;

constexpr StatusMetric of_status[] = {
    {{"uptime_seconds", Kind::gauge, "Seconds since the start of the process."}, uptime},
    {{"draining", Kind::gauge, "1 while the server is shutting down."},
     [](const Status& status) { return status.draining ? 1.0 : 0.0; }},
    {{"shards", Kind::gauge, "Threads that serve connections."}, member_of<&Status::shards>},
    {{"sessions", Kind::gauge, "Clients that are bound and connected."},
     member_of<&Status::sessions>},
    {{"sessions_detached", Kind::gauge, "Sessions that wait to be resumed."},
     member_of<&Status::sessions_detached>},
    {{"connections_negotiating", Kind::gauge, "Accepted connections that are not bound yet."},
     member_of<&Status::connections_negotiating>},
    {{"peers_inbound", Kind::gauge, "Streams from other servers."},
     member_of<&Status::peers_inbound>},
    {{"peers_outbound", Kind::gauge, "Streams to other servers."},
     member_of<&Status::peers_outbound>},
    {{"peers_connecting", Kind::gauge, "Other servers that are being reached."},
     member_of<&Status::peers_connecting>},
    {{"queued_domains", Kind::gauge, "Domains for which stanzas wait."},
     member_of<&Status::queued_domains>},
    {{"queued_stanzas", Kind::gauge, "Stanzas that wait for other domains."},
     member_of<&Status::queued_stanzas>},
    {{"queued_bytes", Kind::gauge, "Bytes of those stanzas."}, member_of<&Status::queued_bytes>},
    {{"resident_memory_bytes", Kind::gauge, "Resident memory of the process."},
     member_of<&Status::resident_bytes>},
    {{"log_dropped", Kind::counter, "Log events that standard error did not take."},
     member_of<&Status::log_dropped>},
    {{"store_failing", Kind::gauge, "1 while the last commit of the store failed."},
     [](const Status& status) { return status.store_failure.empty() ? 0.0 : 1.0; }},
    {{"store_failed", Kind::counter, "Commits of the store that failed."},
     member_of<&Status::store_failed>},
};

void put(prometheus::Registry& registry, const MetricSample& sample) {
    const Metric& metric = *sample.metric;
    const std::string name = fmt::format("causeway_{}", metric.name);
    prometheus::Labels labels;
    if (!metric.label.empty()) labels.emplace(metric.label, sample.value);
    if (metric.kind == Kind::counter) {
        prometheus::BuildCounter()
            .Name(name)
            .Help(std::string(metric.help))
            .Register(registry)
            .Add(labels)
            .Increment(sample.number);
    } else {
        prometheus::BuildGauge()
            .Name(name)
            .Help(std::string(metric.help))
            .Register(registry)
            .Add(labels)
            .Set(sample.number);
    }
}

std::string serialized(prometheus::MetricFamily family) {
    return prometheus::TextSerializer().Serialize({std::move(family)});
}

/// The library writes the text form that was there before OpenMetrics. What differs for a counter
/// is that its samples, and they alone, have "_total" behind the family's name.
std::string text_of(prometheus::MetricFamily family) {
    if (family.type != prometheus::MetricType::Counter) return serialized(std::move(family));
    prometheus::MetricFamily samples = family;
    family.metric.clear();
    samples.name += "_total";
    samples.help.clear();
    const std::string lines = serialized(std::move(samples));
    const std::size_t behind_type = lines.find('\n') + 1;
    return serialized(std::move(family)) + lines.substr(behind_type);
}

}  // namespace

MetricSamples samples_of(const control::Status& status) {
    MetricSamples samples{{&info, status.version, 1}};
    for (const StatusMetric& each : of_status) {
        samples.push_back({&each.metric, {}, each.number(status)});
    }
    for (const control::DomainStatus& domain : status.domains) {
        samples.push_back({&domain_sessions, domain.name, static_cast<double>(domain.sessions)});
        samples.push_back({&certificate_expiry, domain.name,
                           static_cast<double>(domain.certificate_expires / 1000)});
    }
    return samples;
}

std::string metrics_text(const MetricSamples& samples) {
    prometheus::Registry registry;
    for (const MetricSample& sample : samples) put(registry, sample);
    std::string text;
    for (prometheus::MetricFamily& family : registry.Collect()) text += text_of(std::move(family));
    return text + "# EOF\n";
}

}  // namespace causeway
