// CaresResolver against a name server on loopback that says what each test wants.
#include "gateway/net/cares_resolver.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tests/support/dns_builder.h"
#include "tests/support/name_server.h"
#include "tests/support/test_loop.h"

using namespace causeway;
using Bytes = std::optional<NameServer::Bytes>;
using Query = NameServer::Query;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string service = "_xmpp-server._tcp.a.example";

struct Fixture {
    TestLoop loop;
    NameServer server;
    std::unique_ptr<CaresResolver> resolver;

    explicit Fixture(NameServer::Script script, ResolverOptions options = {})
        : server(loop.context, std::move(script)) {
        options.servers = {server.endpoint()};
        if (options.timeout == ResolverOptions{}.timeout) options.timeout = Duration(1000);
        auto opened = CaresResolver::open({loop.poller, loop, loop.timers}, loop.clock, options);
        REQUIRE(opened.ok());
        resolver = std::move(*opened);
    }

    bool run_until(const std::function<bool()>& done) { return loop.run_until(done); }

    Result<SrvAnswer> srv(const std::string& name) {
        Result<SrvAnswer> got = Outcome::retry("never answered");
        bool done = false;
        resolver->srv(name, [&](auto result) {
            got = std::move(result);
            done = true;
        });
        CHECK_FALSE(done);
        CHECK(run_until([&] { return done; }));
        return got;
    }

    Result<AddressAnswer> addresses(const std::string& host) {
        Result<AddressAnswer> got = Outcome::retry("never answered");
        bool done = false;
        resolver->addresses(host, [&](auto result) {
            got = std::move(result);
            done = true;
        });
        CHECK_FALSE(done);
        CHECK(run_until([&] { return done; }));
        return got;
    }
};

Bytes absent(const Query& query) {
    return DnsBuilder(query.name, query.type, 3).authority_soa("example", 60, 60).bytes();
}

Bytes failure(const Query& query) { return DnsBuilder(query.name, query.type, 2).bytes(); }

std::vector<std::string> texts(const Result<AddressAnswer>& answer) {
    std::vector<std::string> all;
    if (answer.ok()) {
        for (const Address& address : answer->addresses) all.push_back(address.to_string());
    }
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace

TEST_CASE("an SRV answer comes once over the wire and then from the cache") {
    Fixture f([](const Query& query) -> Bytes {
        return DnsBuilder(query.name, query.type)
            .srv(query.name, 30, {1, 2, 5269, "x.a.example"})
            .bytes();
    });
    const auto first = f.srv(service);
    REQUIRE(first.ok());
    CHECK(first->ttl == seconds(30));
    CHECK(first->records.at(0).target == "x.a.example");
    const auto second = f.srv("_XMPP-server._tcp.A.example.");
    REQUIRE(second.ok());
    CHECK(second->records.at(0).port == 5269);
    CHECK(f.server.questions() == std::vector<std::string>{"SRV " + service});
}

TEST_CASE("equal questions under way are asked once, and each asker is answered in order") {
    Fixture f([](const Query& query) -> Bytes {
        return DnsBuilder(query.name, query.type)
            .srv(query.name, 30, {1, 2, 5269, "x.example"})
            .bytes();
    });
    std::vector<int> order;
    for (int i = 0; i < 50; ++i) {
        f.resolver->srv(service, [&order, i](auto result) {
            CHECK(result.ok());
            order.push_back(i);
        });
    }
    REQUIRE(f.run_until([&] { return order.size() == 50; }));
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK(f.server.questions().size() == 1);
}

TEST_CASE("absence is told from failure, and both are remembered") {
    Fixture f([](const Query& query) -> Bytes {
        return query.name == service ? absent(query) : failure(query);
    });
    for (int i = 0; i < 2; ++i) {
        const auto no = f.srv(service);
        REQUIRE_FALSE(no.ok());
        CHECK(no.error().cause() == Cause::absent);
        CHECK(no.error().why() == "no such name: " + service);
    }
    CHECK(f.server.questions().size() == 1);
    for (int i = 0; i < 2; ++i) {
        const auto later = f.srv("_xmpp-server._tcp.broken.example");
        REQUIRE_FALSE(later.ok());
        CHECK(later.error().cause() == Cause::retry);
        CHECK(later.error().why() == "the name server answered SERVFAIL");
    }
    CHECK(f.server.questions().size() == 2);
}

TEST_CASE("a silent name server is told from one that fails, after the timeout") {
    ResolverOptions options;
    options.timeout = Duration(40);
    Fixture f([](const Query&) { return Bytes{}; }, options);
    const auto begin = std::chrono::steady_clock::now();
    const auto later = f.srv(service);
    REQUIRE(later.ok());
    CHECK(later->records.empty());
    CHECK(std::chrono::steady_clock::now() - begin >= milliseconds(80));
    CHECK(f.server.questions().size() == static_cast<std::size_t>(options.tries));
}

TEST_CASE("where one name server fails, the next is asked") {
    Fixture f(
        [](const Query& query) -> Bytes { return DnsBuilder(query.name, query.type, 5).bytes(); });
    NameServer second(f.loop.context, [](const Query& query) {
        return query.name == service ? absent(query) : failure(query);
    });
    REQUIRE(f.resolver->set_servers({f.server.endpoint(), second.endpoint()}).ok());
    CHECK(f.srv(service).error().cause() == Cause::absent);
    CHECK_FALSE(f.server.questions().empty());
    const auto later = f.srv("_xmpp-server._tcp.b.example");
    REQUIRE_FALSE(later.ok());
    CHECK(later.error().cause() == Cause::retry);
    CHECK(later.error().why() == "every name server failed or was out of reach");
}

TEST_CASE("nobody listening is a failure") {
    Fixture f([](const Query&) { return Bytes{}; });
    REQUIRE(
        f.resolver->set_servers({Endpoint(boost::asio::ip::make_address("127.0.0.1"), 1)}).ok());
    const auto later = f.srv(service);
    REQUIRE_FALSE(later.ok());
    CHECK(later.error().cause() == Cause::retry);
}

TEST_CASE("a truncated reply is fetched whole over TCP") {
    Fixture f([](const Query& query) -> Bytes {
        if (!query.tcp) {
            return DnsBuilder(query.name, query.type, 0,
                              DnsBuilder::reply_flag | DnsBuilder::truncated_flag)
                .bytes();
        }
        DnsBuilder reply(query.name, query.type);
        for (std::uint16_t i = 0; i < 40; ++i) {
            reply.srv(query.name, 30,
                      {i, 0, 5269, "a-rather-long-name-" + std::to_string(i) + ".example"});
        }
        return reply.bytes();
    });
    const auto answer = f.srv(service);
    REQUIRE(answer.ok());
    CHECK(answer->records.size() == 40);
    CHECK(f.server.questions() ==
          std::vector<std::string>{"SRV " + service, "SRV " + service + " tcp"});
}

TEST_CASE("both families are asked, and one without addresses does not matter") {
    Fixture f([](const Query& query) -> Bytes {
        DnsBuilder reply(query.name, query.type);
        if (query.name == "both.example") {
            return reply
                .address(query.name, query.type == DnsType::a ? 30 : 20,
                         query.type == DnsType::a ? "192.0.2.1" : "2001:db8::1")
                .bytes();
        }
        if (query.name == "four.example" && query.type == DnsType::a) {
            return reply.address(query.name, 30, "192.0.2.4").bytes();
        }
        if (query.name == "six.example" && query.type == DnsType::aaaa) {
            return reply.address(query.name, 30, "2001:db8::6").bytes();
        }
        if (query.name == "half.example") {
            return query.type == DnsType::aaaa ? failure(query)
                                               : reply.address(query.name, 30, "192.0.2.5").bytes();
        }
        return absent(query);
    });
    const auto both = f.addresses("both.example");
    CHECK(texts(both) == std::vector<std::string>{"192.0.2.1", "2001:db8::1"});
    CHECK(both->ttl == seconds(20));
    CHECK(texts(f.addresses("four.example")) == std::vector<std::string>{"192.0.2.4"});
    CHECK(texts(f.addresses("six.example")) == std::vector<std::string>{"2001:db8::6"});
    const auto half = f.addresses("half.example");
    CHECK(texts(half) == std::vector<std::string>{"192.0.2.5"});
    CHECK(half->ttl <= DnsCacheLimits{}.retry_max);
    const auto none = f.addresses("none.example");
    REQUIRE_FALSE(none.ok());
    CHECK(none.error().cause() == Cause::absent);
    CHECK(none.error().why() == "no address for none.example");
}

TEST_CASE("one family absent and the other failing is not absence") {
    Fixture f([](const Query& query) -> Bytes {
        return query.type == DnsType::a ? absent(query) : failure(query);
    });
    const auto later = f.addresses("a.example");
    REQUIRE_FALSE(later.ok());
    CHECK(later.error().cause() == Cause::retry);
    CHECK(later.error().why() == "the name server answered SERVFAIL");
}

TEST_CASE("a server that never answers AAAA delays nobody for long") {
    ResolverOptions options;
    options.family_patience = Duration(50);
    options.timeout = Duration(2000);
    Fixture f(
        [](const Query& query) -> Bytes {
            if (query.type == DnsType::aaaa) return {};
            return DnsBuilder(query.name, query.type).address(query.name, 30, "192.0.2.1").bytes();
        },
        options);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(texts(f.addresses("a.example")) == std::vector<std::string>{"192.0.2.1"});
    CHECK(std::chrono::steady_clock::now() - begin < milliseconds(1500));
}

TEST_CASE("aliases across replies are followed, and circles and long chains end") {
    Fixture f([](const Query& query) -> Bytes {
        DnsBuilder reply(query.name, query.type);
        if (query.name == "a.example") return reply.alias(query.name, 10, "b.example").bytes();
        if (query.name == "b.example") {
            return reply
                .address(query.name, 30, query.type == DnsType::a ? "192.0.2.1" : "2001:db8::1")
                .bytes();
        }
        if (query.name == "ping.example")
            return reply.alias(query.name, 30, "pong.example").bytes();
        if (query.name == "pong.example")
            return reply.alias(query.name, 30, "ping.example").bytes();
        return absent(query);
    });
    const auto answer = f.addresses("a.example");
    CHECK(texts(answer).size() == 2);
    CHECK(answer->ttl == seconds(10));
    const auto before = f.server.questions().size();
    const auto circle = f.addresses("ping.example");
    REQUIRE_FALSE(circle.ok());
    CHECK(circle.error().why() == "a chain of aliases without an end");
    CHECK(f.server.questions().size() - before == 2U * (1U + 8U));
}

TEST_CASE("a reply cut short is a failure, never absence") {
    ResolverOptions options;
    options.timeout = Duration(50);
    options.tries = 1;
    Fixture f(
        [](const Query& query) -> Bytes {
            auto reply =
                DnsBuilder(query.name, query.type).srv(query.name, 30, {1, 1, 5269, "x"}).bytes();
            reply.pop_back();
            return reply;
        },
        options);
    const auto later = f.srv(service);
    REQUIRE_FALSE(later.ok());
    CHECK(later.error().cause() == Cause::retry);
}

TEST_CASE("names that DNS cannot hold are absent without a question; literals need none") {
    Fixture f([](const Query& query) { return failure(query); });
    const auto bad = f.srv("_xmpp-server._tcp." + std::string(64, 'a') + ".example");
    REQUIRE_FALSE(bad.ok());
    CHECK(bad.error().cause() == Cause::absent);
    CHECK(texts(f.addresses("192.0.2.77")) == std::vector<std::string>{"192.0.2.77"});
    CHECK(texts(f.addresses("2001:db8::77")) == std::vector<std::string>{"2001:db8::77"});
    CHECK(texts(f.addresses("localhost")) == std::vector<std::string>{"127.0.0.1", "::1"});
    CHECK(f.server.questions().empty());
}

TEST_CASE("questions beyond the number on the wire wait, and beyond the queue fail") {
    ResolverOptions options;
    options.outstanding = 4;
    options.queued = 10;
    Fixture f(
        [](const Query& query) -> Bytes {
            return DnsBuilder(query.name, query.type)
                .srv(query.name, 30, {1, 1, 5269, "x.example"})
                .bytes();
        },
        options);
    int good = 0;
    int refused = 0;
    for (int i = 0; i < 20; ++i) {
        f.resolver->srv("_xmpp-server._tcp.d" + std::to_string(i) + ".example", [&](auto result) {
            if (result.ok()) {
                ++good;
            } else {
                CHECK(result.error().cause() == Cause::retry);
                CHECK(result.error().why() == "too many DNS questions wait for an answer");
                ++refused;
            }
        });
    }
    CHECK(f.resolver->questions_sent() == 4);
    REQUIRE(f.run_until([&] { return good + refused == 20; }));
    CHECK(good == 14);
    CHECK(refused == 6);
}

TEST_CASE("callers beyond the limit for one answer are refused") {
    ResolverOptions options;
    options.waiters = 3;
    Fixture f([](const Query& query) { return absent(query); }, options);
    int absent_count = 0;
    int refused = 0;
    for (int i = 0; i < 5; ++i) {
        f.resolver->srv(service, [&](auto result) {
            ++(result.error().cause() == Cause::absent ? absent_count : refused);
        });
    }
    REQUIRE(f.run_until([&] { return absent_count + refused == 5; }));
    CHECK(absent_count == 3);
}

TEST_CASE("a resolver destroyed with questions pending, or in an answer, calls nobody more") {
    Fixture f([](const Query& query) { return absent(query); });
    int calls = 0;
    f.resolver->srv(service, [&](auto) { ++calls; });
    f.resolver->addresses("a.example", [&](auto) { ++calls; });
    f.resolver->addresses("192.0.2.1", [&](auto) { ++calls; });
    f.resolver.reset();
    f.loop.run_for(milliseconds(50));
    CHECK(calls == 0);

    Fixture g([](const Query& query) { return absent(query); });
    for (int i = 0; i < 3; ++i) {
        g.resolver->srv(service, [&](auto) {
            ++calls;
            g.resolver.reset();
        });
    }
    REQUIRE(g.run_until([&] { return calls > 0; }));
    g.loop.run_for(milliseconds(30));
    CHECK(calls == 1);
}

TEST_CASE("other servers are used from the next question on, and the cache is forgotten") {
    Fixture f([](const Query& query) { return absent(query); });
    CHECK(f.srv(service).error().cause() == Cause::absent);
    NameServer other(f.loop.context, [](const Query& query) -> Bytes {
        return DnsBuilder(query.name, query.type)
            .srv(query.name, 30, {1, 1, 5269, "x.example"})
            .bytes();
    });
    // A question still under way at the old server is answered by it.
    bool old_answered = false;
    f.resolver->srv("_xmpp-server._tcp.b.example", [&](auto result) {
        CHECK_FALSE(result.ok());
        old_answered = true;
    });
    REQUIRE(f.resolver->set_servers({other.endpoint()}).ok());
    CHECK(f.srv(service).ok());
    CHECK(f.run_until([&] { return old_answered; }));
    CHECK(other.questions() == std::vector<std::string>{"SRV " + service});
}

TEST_CASE("neither the ids nor the source ports of questions can be foretold") {
    std::vector<unsigned> ids;
    std::vector<unsigned> ports;
    Fixture f([&](const Query& query) {
        ids.push_back(query.id);
        ports.push_back(query.port);
        return absent(query);
    });
    for (int i = 0; i < 20; ++i) static_cast<void>(f.srv("d" + std::to_string(i) + ".example"));
    const auto distinct = [](std::vector<unsigned> all) {
        std::sort(all.begin(), all.end());
        return std::unique(all.begin(), all.end()) - all.begin();
    };
    CHECK(distinct(ids) >= 18);
    CHECK(distinct(ports) >= 18);
    int steps_of_one = 0;
    for (std::size_t i = 1; i < ids.size(); ++i) {
        if (ids[i] == ids[i - 1] + 1) ++steps_of_one;
    }
    CHECK(steps_of_one <= 2);
}

TEST_CASE("name servers are written as an address with an optional port") {
    CHECK(parse_name_server("127.0.0.53").value() ==
          Endpoint(boost::asio::ip::make_address("127.0.0.53"), 53));
    CHECK(parse_name_server("127.0.0.53:5300").value().port() == 5300);
    CHECK(parse_name_server("[::1]:5300").value() ==
          Endpoint(boost::asio::ip::make_address("::1"), 5300));
    CHECK(parse_name_server("[::1]").value().port() == 53);
    CHECK(parse_name_server("2001:db8::1").value().port() == 53);
    for (const char* bad : {"", "dns.example", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                            "127.0.0.1:53x", "[::1", "[::1]53", "1.2.3:53"}) {
        CAPTURE(bad);
        const auto result = parse_name_server(bad);
        CHECK_FALSE(result.ok());
    }
}
