#include "gateway/server/metrics_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstddef>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/config/endpoint.h"
#include "gateway/net/http_host.h"

namespace causeway {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::size_t most_connections = 16;
constexpr std::uint32_t longest_header = 8192;
constexpr std::chrono::seconds patience{10};
constexpr std::string_view open_metrics =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

void gauge(std::string& out, std::string_view name, std::string_view help, std::uint64_t value) {
    out += fmt::format("# TYPE causeway_{0} gauge\n# HELP causeway_{0} {1}\ncauseway_{0} {2}\n",
                       name, help, value);
}

/// A label's value (OpenMetrics 1.0, "Label"): backslash, quote and line end are escaped.
std::string label(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

/// One scraper's connection: a request, its answer, and the end.
class Scrape final : public std::enable_shared_from_this<Scrape> {
public:
    Scrape(tcp::socket socket, control::Operations& operations, std::shared_ptr<std::size_t> count)
        : stream_(std::move(socket)), operations_(operations), count_(std::move(count)) {
        ++*count_;
        request_.header_limit(longest_header);
        request_.body_limit(0);
    }
    Scrape(const Scrape&) = delete;
    Scrape& operator=(const Scrape&) = delete;
    ~Scrape() { --*count_; }

    void start() {
        stream_.expires_after(patience);
        http::async_read(stream_, buffer_, request_,
                         [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                             if (!error) self->answer();
                         });
    }

private:
    void answer() {
        const auto& request = request_.get();
        if (const auto host = http_host(request, request.version()); !host) {
            reply(http::status::bad_request, "text/plain", host.error().why() + "\n");
        } else if (request.method() != http::verb::get) {
            reply(http::status::method_not_allowed, "text/plain", "Only GET is answered here.\n");
        } else if (request.target() != "/metrics") {
            reply(http::status::not_found, "text/plain", "The metrics are at /metrics.\n");
        } else {
            operations_.status([self = shared_from_this()](const Result<control::Status>& status) {
                if (status) {
                    self->reply(http::status::ok, open_metrics, metrics_text(*status));
                } else {
                    self->reply(http::status::service_unavailable, "text/plain",
                                status.error().why() + "\n");
                }
            });
        }
    }

    void reply(http::status status, std::string_view type, std::string body) {
        response_.result(status);
        response_.version(11);
        response_.set(http::field::content_type, beast::string_view(type.data(), type.size()));
        if (status == http::status::method_not_allowed) response_.set(http::field::allow, "GET");
        response_.keep_alive(false);
        response_.body() = std::move(body);
        response_.prepare_payload();
        stream_.expires_after(patience);
        http::async_write(stream_, response_,
                          [self = shared_from_this()](const beast::error_code&, std::size_t) {
                              beast::error_code ignored;
                              self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                          });
    }

    beast::tcp_stream stream_;
    beast::flat_buffer buffer_{longest_header};
    http::request_parser<http::empty_body> request_;
    http::response<http::string_body> response_;
    control::Operations& operations_;
    std::shared_ptr<std::size_t> count_;
};

}  // namespace

std::string metrics_text(const control::Status& status) {
    std::string out;
    out += fmt::format(
        "# TYPE causeway info\n# HELP causeway The version that runs.\n"
        "causeway_info{{version=\"{}\"}} 1\n",
        label(status.version));
    gauge(out, "uptime_seconds", "Seconds since the start of the process.",
          static_cast<std::uint64_t>(std::max<UnixMillis>(0, status.now - status.started)) / 1000);
    gauge(out, "draining", "1 while the server is shutting down.", status.draining ? 1 : 0);
    gauge(out, "shards", "Threads that serve connections.", status.shards);
    gauge(out, "sessions", "Clients that are bound and connected.", status.sessions);
    gauge(out, "sessions_detached", "Sessions that wait to be resumed.", status.sessions_detached);
    gauge(out, "connections_negotiating", "Accepted connections that are not bound yet.",
          status.connections_negotiating);
    gauge(out, "peers_inbound", "Streams from other servers.", status.peers_inbound);
    gauge(out, "peers_outbound", "Streams to other servers.", status.peers_outbound);
    gauge(out, "peers_connecting", "Other servers that are being reached.",
          status.peers_connecting);
    gauge(out, "queued_domains", "Domains for which stanzas wait.", status.queued_domains);
    gauge(out, "queued_stanzas", "Stanzas that wait for other domains.", status.queued_stanzas);
    gauge(out, "queued_bytes", "Bytes of those stanzas.", status.queued_bytes);
    gauge(out, "resident_memory_bytes", "Resident memory of the process.", status.resident_bytes);
    out += fmt::format(
        "# TYPE causeway_log_dropped counter\n"
        "# HELP causeway_log_dropped Log events that standard error did not take.\n"
        "causeway_log_dropped_total {}\n",
        status.log_dropped);
    out +=
        "# TYPE causeway_domain_sessions gauge\n"
        "# HELP causeway_domain_sessions Clients of a domain that are bound and connected.\n";
    for (const control::DomainStatus& domain : status.domains) {
        out += fmt::format("causeway_domain_sessions{{domain=\"{}\"}} {}\n", label(domain.name),
                           domain.sessions);
    }
    out +=
        "# TYPE causeway_certificate_expiry_timestamp_seconds gauge\n"
        "# HELP causeway_certificate_expiry_timestamp_seconds When a domain's certificate "
        "ends.\n";
    for (const control::DomainStatus& domain : status.domains) {
        out += fmt::format("causeway_certificate_expiry_timestamp_seconds{{domain=\"{}\"}} {}\n",
                           label(domain.name), domain.certificate_expires / 1000);
    }
    return out + "# EOF\n";
}

class MetricsServer::Listener final : public std::enable_shared_from_this<Listener> {
public:
    Listener(asio::io_context& io, control::Operations& operations)
        : acceptor_(io), operations_(operations) {}

    Outcome open(const Endpoint& where) {
        const tcp::endpoint at(where.address(), where.port());
        beast::error_code error;
        acceptor_.open(at.protocol(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor_.bind(at, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (!error) return {};
        return Outcome::retry(
            fmt::format("metrics.listen: {}: {}", to_text(where), error.message()));
    }
    void accept() {
        acceptor_.async_accept(
            [self = shared_from_this()](const beast::error_code& error, tcp::socket socket) {
                if (error == asio::error::operation_aborted) return;
                if (!error && *self->count_ < most_connections) {
                    std::make_shared<Scrape>(std::move(socket), self->operations_, self->count_)
                        ->start();
                }
                self->accept();
            });
    }
    void close() {
        beast::error_code ignored;
        acceptor_.close(ignored);
    }

private:
    tcp::acceptor acceptor_;
    control::Operations& operations_;
    std::shared_ptr<std::size_t> count_ = std::make_shared<std::size_t>(0);
};

Result<std::unique_ptr<MetricsServer>> MetricsServer::open(asio::io_context& io, const Endpoint& at,
                                                           control::Operations& operations) {
    auto listener = std::make_shared<Listener>(io, operations);
    if (Outcome opened = listener->open(at); !opened) return opened;
    listener->accept();
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(listener)));
}

MetricsServer::MetricsServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}

MetricsServer::~MetricsServer() { listener_->close(); }

}  // namespace causeway
