// The JSON form of rows; see rows.h.
#include "gateway/control/rows.h"

#include <boost/nowide/utf/utf.hpp>

namespace causeway::control {

namespace json = boost::json;

namespace {

json::value time(UnixMillis at) { return at == 0 ? json::value(nullptr) : json::value(at); }

json::array texts(const std::vector<std::string>& list) {
    json::array array;
    for (const std::string& text : list) {
        array.emplace_back(utf8(text));
    }
    return array;
}

json::value tls(const TlsInfo& info) {
    if (info.version.empty()) {
        return nullptr;
    }
    return json::object{{"version", utf8(info.version)}, {"cipher", utf8(info.cipher)}};
}

}  // namespace

json::value utf8_or_null(std::string_view text) {
    return text.empty() ? json::value(nullptr) : json::value(utf8(text));
}

json::string utf8(std::string_view text) {
    namespace utf = boost::nowide::utf;
    using Traits = utf::utf_traits<char>;
    json::string out;
    out.reserve(text.size());
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        const char* const start = at;
        const utf::code_point point = Traits::decode(at, end);
        if (point == utf::illegal || point == utf::incomplete) {
            out.append("\xEF\xBF\xBD");
            at = start + 1;
        } else {
            out.append(json::string_view(start, static_cast<std::size_t>(at - start)));
        }
    }
    return out;
}

json::object to_json(const Status& status) {
    json::array domains;
    for (const DomainStatus& domain : status.domains) {
        domains.emplace_back(json::object{{"name", utf8(domain.name)},
                                          {"certificate_expires", time(domain.certificate_expires)},
                                          {"certificate_issuer", utf8(domain.certificate_issuer)},
                                          {"sessions", domain.sessions}});
    }
    json::array listeners;
    for (const ListenerStatus& listener : status.listeners) {
        listeners.emplace_back(
            json::object{{"kind", utf8(listener.kind)}, {"address", utf8(listener.address)}});
    }
    return {{"version", utf8(status.version)},
            {"process", status.process},
            {"started", time(status.started)},
            {"now", time(status.now)},
            {"draining", status.draining},
            {"shards", status.shards},
            {"domains", std::move(domains)},
            {"listeners", std::move(listeners)},
            {"sessions", status.sessions},
            {"sessions_detached", status.sessions_detached},
            {"connections_negotiating", status.connections_negotiating},
            {"peers_inbound", status.peers_inbound},
            {"peers_outbound", status.peers_outbound},
            {"peers_connecting", status.peers_connecting},
            {"queued_domains", status.queued_domains},
            {"queued_stanzas", status.queued_stanzas},
            {"queued_bytes", status.queued_bytes},
            {"resident_bytes", status.resident_bytes},
            {"log_dropped", status.log_dropped},
            {"store_failure", utf8(status.store_failure)},
            {"store_failed", status.store_failed}};
}

json::object to_json(const BulkResult& result) {
    json::array failures;
    for (const BulkResult::Failure& failure : result.failures) {
        failures.emplace_back(json::object{{"index", static_cast<std::uint64_t>(failure.index)},
                                           {"cause", utf8(to_string(failure.outcome.cause()))},
                                           {"reason", utf8(failure.outcome.why())}});
    }
    return {{"added", result.added}, {"failures", std::move(failures)}};
}

json::object to_json(const UserRow& row) {
    return {{"jid", utf8(row.jid)}, {"disabled", row.disabled}, {"created", time(row.created)}};
}

json::object to_json(const UserDetail& user) {
    json::object object = to_json(user.user);
    object.emplace("mechanisms", texts(user.mechanisms));
    object.emplace("iterations", user.iterations);
    object.emplace("sessions", user.sessions);
    object.emplace("contacts", user.contacts);
    object.emplace("offline_stanzas", user.offline_stanzas);
    object.emplace("offline_bytes", user.offline_bytes);
    json::array facts;
    for (const UserFact& fact : user.facts) {
        facts.emplace_back(json::object{{"title", utf8(fact.title)}, {"text", utf8(fact.text)}});
    }
    object.emplace("facts", std::move(facts));
    return object;
}

json::object to_json(const SessionRow& row) {
    return {{"jid", utf8(row.jid)},
            {"resource", utf8(row.resource)},
            {"state", utf8(row.state)},
            {"transport", utf8(row.transport)},
            {"tls", tls(row.tls)},
            {"mechanism", utf8(row.mechanism)},
            {"address", utf8(row.address)},
            {"priority", row.priority ? json::value(*row.priority) : json::value(nullptr)},
            {"since", time(row.since)},
            {"unacked", row.unacked},
            {"resumable", row.resumable}};
}

json::object to_json(const PeerRow& row) {
    const bool inbound = row.direction == Direction::inbound;
    return {{"domain", utf8(row.domain)},
            {"local", utf8(row.local)},
            {"direction", inbound ? "inbound" : "outbound"},
            {"state", utf8(row.state)},
            {"authentication", utf8(row.authentication)},
            {"tls", tls(row.tls)},
            {"target", utf8(row.target)},
            {"address", utf8(row.address)},
            {"last_error", utf8(row.last_error)},
            {"last_error_at", time(row.last_error_at)},
            {"since", time(row.since)},
            {"next_retry", time(row.next_retry)},
            {"queued", row.queued}};
}

json::object to_json(const TargetRow& row) {
    return {{"host", utf8(row.host)},
            {"port", row.port},
            {"direct_tls", row.direct_tls},
            {"priority", row.priority},
            {"weight", row.weight},
            {"addresses", texts(row.addresses)},
            {"last_error", utf8(row.last_error)}};
}

json::object to_json(const QueueRow& row) {
    return {{"domain", utf8(row.domain)},
            {"stanzas", row.stanzas},
            {"bytes", row.bytes},
            {"oldest", time(row.oldest)},
            {"next_retry", time(row.next_retry)},
            {"attempts", row.attempts},
            {"last_error", utf8(row.last_error)}};
}

json::object to_json(const PeerDetail& peer) {
    return {{"domain", utf8(peer.domain)},
            {"links", to_json(peer.links)},
            {"targets", to_json(peer.targets)},
            {"queue", peer.queue ? json::value(to_json(*peer.queue)) : json::value(nullptr)}};
}

json::object to_json(const QueuedStanza& row) {
    return {{"id", row.id},
            {"from", utf8(row.from)},
            {"to", utf8(row.to)},
            {"kind", utf8(row.kind)},
            {"at", time(row.at)},
            {"expires", time(row.expires)},
            {"attempts", row.attempts},
            {"bytes", row.bytes}};
}

json::object to_json(const ReloadChange& row) {
    return {{"option", utf8(row.option)}, {"applies", utf8(row.applies)}};
}

}  // namespace causeway::control
