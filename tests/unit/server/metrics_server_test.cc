// The text of the metrics, and the server that gives it out.
#include "gateway/server/metrics_server.h"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <thread>

#include "tests/unit/control/fake_operations.h"

using namespace causeway;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// What comes back for these bytes, until the server closes.
std::string ask(const Endpoint& at, const std::string& request) {
    asio::io_context io;
    tcp::socket socket(io);
    socket.connect({at.address(), at.port()});
    asio::write(socket, asio::buffer(request));
    std::string reply;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(reply), error);
    return reply;
}

/// A port that was free a moment ago.
Endpoint free_endpoint() {
    asio::io_context io;
    tcp::acceptor probe(io, {asio::ip::make_address("127.0.0.1"), 0});
    return {probe.local_endpoint().address(), probe.local_endpoint().port()};
}

struct Running {
    Running() {
        auto opened = MetricsServer::open(io, at, operations);
        REQUIRE(opened.ok());
        server = std::move(*opened);
        thread = std::thread([this] { io.run(); });
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        io.stop();
        thread.join();
    }

    Endpoint at = free_endpoint();
    asio::io_context io;
    control::FakeOperations operations;
    std::unique_ptr<MetricsServer> server;
    std::thread thread;
};

}  // namespace

TEST_CASE("metrics: numbers of the status, labels escaped, an end mark") {
    control::Status status;
    status.version = "0.1";
    status.started = 1000;
    status.now = 61'500;
    status.sessions = 7;
    status.queued_stanzas = 3;
    status.log_dropped = 12;
    status.domains.push_back({.name = "a\"\\.test",
                              .certificate_expires = 5'000,
                              .certificate_issuer = {},
                              .sessions = 7});
    const std::string text = metrics_text(status);
    CAPTURE(text);
    CHECK(text.find("causeway_info{version=\"0.1\"} 1\n") != std::string::npos);
    CHECK(text.find("# TYPE causeway_sessions gauge\n") != std::string::npos);
    CHECK(text.find("\ncauseway_sessions 7\n") != std::string::npos);
    CHECK(text.find("\ncauseway_uptime_seconds 60\n") != std::string::npos);
    CHECK(text.find("\ncauseway_queued_stanzas 3\n") != std::string::npos);
    CHECK(text.find("\ncauseway_log_dropped_total 12\n") != std::string::npos);
    CHECK(text.find("causeway_domain_sessions{domain=\"a\\\"\\\\.test\"} 7\n") !=
          std::string::npos);
    CHECK(
        text.find("causeway_certificate_expiry_timestamp_seconds{domain=\"a\\\"\\\\.test\"} 5\n") !=
        std::string::npos);
    CHECK(text.ends_with("\n# EOF\n"));
}

TEST_CASE("metrics: a scrape, and what is no scrape") {
    const Running running;
    const std::string reply = ask(running.at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(reply.starts_with("HTTP/1.1 200 "));
    CHECK(reply.find("application/openmetrics-text; version=1.0.0") != std::string::npos);
    CHECK(reply.ends_with("# EOF\n"));
    CHECK(ask(running.at, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 404 "));
    CHECK(ask(running.at, "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
              .starts_with("HTTP/1.1 405 "));
    CHECK(ask(running.at, "no request at all\r\n\r\n").empty());
    CHECK(ask(running.at, "GET /metrics HTTP/1.1\r\nX: " + std::string(20'000, 'x')).empty());
    CHECK(ask(running.at, "GET /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
    for (const char* hosts : {"", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: u@a\r\n"}) {
        CAPTURE(hosts);
        CHECK(ask(running.at, std::string("GET /metrics HTTP/1.1\r\n") + hosts + "\r\n")
                  .starts_with("HTTP/1.1 400 "));
    }
}

TEST_CASE("metrics: an endpoint that is taken is an error that names it") {
    const Running running;
    asio::io_context io;
    control::FakeOperations operations;
    const auto second = MetricsServer::open(io, running.at, operations);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().why().find("metrics.listen") != std::string::npos);
}
