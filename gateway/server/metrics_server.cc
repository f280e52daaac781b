#include "gateway/server/metrics_server.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstddef>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/config/endpoint.h"
#include "gateway/net/http_host.h"
#include "gateway/server/metrics.h"

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

/// One scraper's connection: a request, its answer, and the end.
class Scrape final : public std::enable_shared_from_this<Scrape> {
public:
    Scrape(tcp::socket socket, const MetricsServer::Collect& collect,
           std::shared_ptr<std::size_t> count)
        : stream_(std::move(socket)), collect_(collect), count_(std::move(count)) {
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
            collect_([self = shared_from_this()](const Result<MetricSamples>& samples) {
                if (samples) {
                    self->reply(http::status::ok, open_metrics, metrics_text(*samples));
                } else {
                    self->reply(http::status::service_unavailable, "text/plain",
                                samples.error().why() + "\n");
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
    const MetricsServer::Collect& collect_;
    std::shared_ptr<std::size_t> count_;
};

}  // namespace

class MetricsServer::Listener final : public std::enable_shared_from_this<Listener> {
public:
    Listener(asio::io_context& io, Collect collect) : acceptor_(io), collect_(std::move(collect)) {}

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
        acceptor_.async_accept([self = shared_from_this()](const beast::error_code& error,
                                                           tcp::socket socket) {
            if (error == asio::error::operation_aborted) return;
            if (!error && *self->count_ < most_connections) {
                std::make_shared<Scrape>(std::move(socket), self->collect_, self->count_)->start();
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
    const Collect collect_;
    std::shared_ptr<std::size_t> count_ = std::make_shared<std::size_t>(0);
};

Result<std::unique_ptr<MetricsServer>> MetricsServer::open(asio::io_context& io, const Endpoint& at,
                                                           Collect collect) {
    auto listener = std::make_shared<Listener>(io, std::move(collect));
    if (Outcome opened = listener->open(at); !opened) return opened;
    listener->accept();
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(listener)));
}

MetricsServer::MetricsServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}

MetricsServer::~MetricsServer() { listener_->close(); }

}  // namespace causeway
