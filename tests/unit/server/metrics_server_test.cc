// The text of the metrics, and the server that gives it out.
#include "gateway/server/metrics_server.h"

#include <doctest/doctest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "gateway/server/metrics.h"

using namespace causeway;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::array<std::string_view, 2> colours{"red", "blue"};
constexpr Metric balls{
    .name = "balls", .help = "Balls of a colour.", .label = "colour", .values = colours};

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
        auto opened = MetricsServer::open(io, at, [this](const auto& answer) {
            if (trouble.ok()) {
                answer(samples_of(control::Status{}));
            } else {
                answer(trouble);
            }
        });
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
    Outcome trouble;  ///< of the collection, before the first scrape
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
    const std::string text = metrics_text(samples_of(status));
    CAPTURE(text);
    CHECK(text.find("# HELP causeway_sessions Clients that are bound and connected.\n") !=
          std::string::npos);
    CHECK(text.find("# HELP causeway_log_dropped Log events that standard error did not take.\n"
                    "# TYPE causeway_log_dropped counter\n"
                    "causeway_log_dropped_total 12\n") != std::string::npos);
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

TEST_CASE("metrics: every line is one that OpenMetrics knows, and every family stands once") {
    control::Status status;
    status.version = "1";
    status.resident_bytes = 123'456'789'012;
    for (const char* name : {"a.test", "b.test"}) {
        status.domains.push_back(
            {.name = name, .certificate_expires = 0, .certificate_issuer = {}, .sessions = 1});
    }
    MetricSamples samples = samples_of(status);
    samples.push_back({&balls, "red", 3});
    samples.push_back({&balls, "blue", 4});
    std::istringstream lines(metrics_text(samples));
    std::set<std::string> families;
    std::string line;
    std::string last;
    std::string family;
    while (std::getline(lines, line)) {
        CAPTURE(line);
        CHECK(last != "# EOF");
        last = line;
        if (line.starts_with("# HELP ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            CHECK(families.insert(family).second);
        } else if (line.starts_with("# TYPE ")) {
            CHECK(line.substr(7, line.find(' ', 7) - 7) == family);
        } else if (line != "# EOF") {
            const std::string name = line.substr(0, line.find_first_of("{ "));
            CHECK((name == family || name == family + "_total"));
        }
    }
    CHECK(last == "# EOF");
    CHECK(families.size() == 20);
    const std::string text = metrics_text(samples);
    CHECK(text.find("causeway_balls_total{colour=\"blue\"} 4\n") != std::string::npos);
    CHECK(text.find("causeway_resident_memory_bytes 123456789012\n") != std::string::npos);
    CHECK(text.find("causeway_domain_sessions{domain=\"b.test\"} 1\n") != std::string::npos);
}

TEST_CASE("metrics: numbers that cannot be had are an error for the scraper") {
    Running running;
    running.trouble = Outcome::retry("the disk is full");
    const std::string reply = ask(running.at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(reply.starts_with("HTTP/1.1 503 "));
    CHECK(reply.ends_with("the disk is full\n"));
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
    const auto second = MetricsServer::open(io, running.at, [](const auto&) {});
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().why().find("metrics.listen") != std::string::npos);
}
