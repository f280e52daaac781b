// CaresResolver against a real DNS server: NSD, started from a scratch directory on loopback.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "gateway/net/cares_resolver.h"
#include "tests/support/test_loop.h"

using namespace causeway;
using std::chrono::seconds;

namespace {

constexpr const char* zone = R"($ORIGIN test.
$TTL 30
@ SOA ns admin 1 3600 600 86400 7
@ NS ns
ns A 127.0.0.1
_xmpp-server._tcp.a SRV 10 5 5269 X1.a
_xmpps-server._tcp.a CNAME _services._tcp.b
_services._tcp.b SRV 0 0 5270 x2.a
_xmpp-server._tcp.closed SRV 0 0 0 .
x1.a A 192.0.2.1
x1.a AAAA 2001:db8::1
x2.a CNAME x1.a
outside.a CNAME elsewhere.other.
)";

/// NSD with the zones "test." and "other.", and "broken." whose file is missing.
class Nsd {
public:
    Nsd() {
        std::string pattern = "/tmp/causeway-nsd-XXXXXX";
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        directory_ = pattern;
        endpoint_ = free_endpoint();
        write("test.zone", zone + large_set());
        write("other.zone",
              "$ORIGIN other.\n$TTL 40\n@ SOA ns admin 1 2 3 4 5\n@ NS ns\nns A 127.0.0.1\n"
              "elsewhere A 192.0.2.9\n");
        write("nsd.conf", configuration());
        start();
    }
    Nsd(const Nsd&) = delete;
    Nsd& operator=(const Nsd&) = delete;
    ~Nsd() {
        if (process_ > 0) {
            ::kill(process_, SIGTERM);
            ::waitpid(process_, nullptr, 0);
        }
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    [[nodiscard]] Endpoint endpoint() const { return endpoint_; }

private:
    static Endpoint free_endpoint() {
        boost::asio::io_context context;
        const boost::asio::ip::udp::socket socket(context,
                                                  {boost::asio::ip::make_address("127.0.0.1"), 0});
        return {socket.local_endpoint().address(), socket.local_endpoint().port()};
    }

    /// More than a datagram holds, so that it comes over TCP.
    static std::string large_set() {
        std::string text;
        for (int i = 0; i < 60; ++i) {
            text += "_xmpp-server._tcp.large SRV 0 0 5269 a-name-that-takes-its-room-" +
                    std::to_string(i) + ".large\n";
        }
        return text;
    }

    [[nodiscard]] std::string configuration() const {
        std::string text = "server:\n  ip-address: 127.0.0.1@" + std::to_string(endpoint_.port()) +
                           "\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n"
                           "  server-count: 1\n";
        for (const char* key : {"pidfile", "xfrdfile", "zonelistfile", "logfile"}) {
            text += std::string("  ") + key + ": \"" + (directory_ / key).string() + "\"\n";
        }
        text += "  zonesdir: \"" + directory_.string() + "\"\n  xfrdir: \"" + directory_.string() +
                "\"\nremote-control:\n  control-enable: no\n";
        for (const std::string name : {"test", "other", "broken"}) {
            text += "zone:\n  name: " + name + ".\n  zonefile: " + name + ".zone\n";
        }
        return text;
    }

    void write(const char* name, const std::string& text) const {
        std::ofstream(directory_ / name) << text;
    }

    void start() {
        std::string program = "/usr/sbin/nsd";
        std::string foreground = "-d";
        std::string option = "-c";
        std::string file = (directory_ / "nsd.conf").string();
        char* arguments[] = {program.data(), foreground.data(), option.data(), file.data(),
                             nullptr};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        const int failed =
            ::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments, environ);
        ::posix_spawn_file_actions_destroy(&actions);
        REQUIRE_MESSAGE(failed == 0, "/usr/sbin/nsd cannot be started; install the package nsd");
    }

    std::filesystem::path directory_;
    Endpoint endpoint_;
    pid_t process_ = -1;
};

struct Client {
    TestLoop loop;
    std::unique_ptr<CaresResolver> resolver;

    explicit Client(const Nsd& server) {
        ResolverOptions options;
        options.servers = {server.endpoint()};
        options.timeout = Duration(1000);
        options.cache.entries = 0;  // each question is to be asked
        auto opened = CaresResolver::open({loop.poller, loop, loop.timers}, loop.clock, options);
        REQUIRE(opened.ok());
        resolver = std::move(*opened);
        // NSD takes a moment to listen; until then its port refuses.
        const auto deadline = std::chrono::steady_clock::now() + seconds(10);
        while (!addresses("ns.test").ok() && std::chrono::steady_clock::now() < deadline) {
            loop.run_for(std::chrono::milliseconds(10));
        }
        REQUIRE_MESSAGE(addresses("ns.test").ok(), "nsd does not answer");
    }

    template <class T>
    void run_until_answered(const std::optional<T>& answer) {
        const bool answered = loop.run_until([&] { return answer.has_value(); }, seconds(10));
        if (!answered) throw std::runtime_error("the resolver never answered");
    }

    Result<SrvAnswer> srv(const std::string& name) {
        std::optional<Result<SrvAnswer>> answer;
        resolver->srv(name, [&](auto result) { answer.emplace(std::move(result)); });
        run_until_answered(answer);
        return *answer;
    }
    Result<AddressAnswer> addresses(const std::string& host) {
        std::optional<Result<AddressAnswer>> answer;
        resolver->addresses(host, [&](auto result) { answer.emplace(std::move(result)); });
        run_until_answered(answer);
        return *answer;
    }
};

}  // namespace

TEST_CASE("a real DNS server: services, aliases, large sets, absence and failure") {
    const Nsd server;
    Client client(server);

    const auto plain = client.srv("_xmpp-server._tcp.a.test");
    REQUIRE(plain.ok());
    CHECK(plain->ttl == seconds(30));
    CHECK(plain->records.at(0).target == "x1.a.test");
    CHECK(plain->records.at(0).weight == 5);

    const auto aliased = client.srv("_xmpps-server._tcp.a.test");
    REQUIRE(aliased.ok());
    CHECK(aliased->records.at(0).port == 5270);

    const auto closed = client.srv("_xmpp-server._tcp.closed.test");
    REQUIRE(closed.ok());
    CHECK(closed->records.at(0).target.empty());

    const auto large = client.srv("_xmpp-server._tcp.large.test");
    REQUIRE(large.ok());
    CHECK(large->records.size() == 60);

    const auto host = client.addresses("x2.a.test");
    REQUIRE(host.ok());
    CHECK(host->addresses.size() == 2);

    const auto outside = client.addresses("outside.a.test");
    REQUIRE(outside.ok());
    CHECK(outside->addresses.at(0).to_string() == "192.0.2.9");

    CHECK(client.srv("_xmpp-server._tcp.nobody.test").error().why() ==
          "no such name: _xmpp-server._tcp.nobody.test");
    CHECK(client.srv("x1.a.test").error().why() == "no such record: x1.a.test");
    CHECK(client.addresses("nobody.test").error().cause() == Cause::absent);
    CHECK(client.srv("_xmpp-server._tcp.broken").error().why() ==
          "the name server answered SERVFAIL");
    CHECK(client.srv("_xmpp-server._tcp.unserved.example").error().why() ==
          "the name server answered REFUSED");
}
