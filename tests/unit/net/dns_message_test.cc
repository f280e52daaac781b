// What DNS replies mean, and that no bytes harm the reader.
#include "gateway/net/dns_message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/support/dns_builder.h"

using namespace causeway;
using Kind = DnsReply::Kind;
using std::chrono::seconds;

namespace {

const std::string service = "_xmpp-server._tcp.a.example";

DnsReply read(const DnsBuilder& builder, std::string_view name, DnsType type) {
    return read_dns_reply(builder.bytes(), name, type);
}

}  // namespace

TEST_CASE("SRV records are read with the least TTL, targets in lower case") {
    const auto reply = read(DnsBuilder(service, DnsType::srv)
                                .srv(service, 600, {10, 5, 5269, "X1.A.example"})
                                .srv(service, 300, {20, 0, 5270, "x2.a.example"}),
                            service, DnsType::srv);
    REQUIRE(reply.kind == Kind::records);
    CHECK(reply.ttl == seconds(300));
    REQUIRE(reply.srv.size() == 2);
    CHECK(reply.srv[0].priority == 10);
    CHECK(reply.srv[0].weight == 5);
    CHECK(reply.srv[0].port == 5269);
    CHECK(reply.srv[0].target == "x1.a.example");
    CHECK(reply.srv[1].port == 5270);
}

TEST_CASE("the question and the owners compare without regard to case") {
    const auto reply =
        read(DnsBuilder("A.Example", DnsType::a).address("a.EXAMPLE", 60, "192.0.2.1"), "a.example",
             DnsType::a);
    CHECK(reply.kind == Kind::records);
}

TEST_CASE("a target of the root is kept, since it says that there is no service") {
    const auto reply = read(DnsBuilder(service, DnsType::srv).srv(service, 60, {0, 0, 0, ""}),
                            service, DnsType::srv);
    REQUIRE(reply.kind == Kind::records);
    CHECK(reply.srv.at(0).target.empty());
}

TEST_CASE("SRV records that lead nowhere are dropped, and alone they are no absence") {
    const DnsBuilder mixed = DnsBuilder(service, DnsType::srv)
                                 .srv(service, 60, {0, 0, 0, "x.a.example"})
                                 .srv(service, 60, {0, 0, 5269, "bad name.example"})
                                 .srv(service, 60, {0, 0, 5269, "good.example"});
    const auto some = read(mixed, service, DnsType::srv);
    REQUIRE(some.kind == Kind::records);
    CHECK(some.srv.size() == 1);
    CHECK(some.srv[0].target == "good.example");

    const auto none =
        read(DnsBuilder(service, DnsType::srv).raw(service, DnsType::srv, 60, {0, 1, 2}), service,
             DnsType::srv);
    CHECK(none.kind == Kind::retry);
    CHECK(none.why == "the name server sent only unusable records");
}

TEST_CASE("addresses of the asked family and class are read, others ignored") {
    const auto reply = read(DnsBuilder("a.example", DnsType::aaaa)
                                .address("a.example", 60, "2001:db8::1")
                                .address("a.example", 60, "192.0.2.1")
                                .address("b.example", 60, "2001:db8::2")
                                .raw("a.example", DnsType::aaaa, 60, {1, 2, 3})
                                .raw("a.example", DnsType::aaaa, 60, DnsBuilder::Bytes(16, 7), 3),
                            "a.example", DnsType::aaaa);
    REQUIRE(reply.kind == Kind::records);
    REQUIRE(reply.addresses.size() == 1);
    CHECK(reply.addresses[0].to_string() == "2001:db8::1");
}

TEST_CASE("aliases within the reply are followed, whatever their order, with the least TTL") {
    const auto reply = read(DnsBuilder("a.example", DnsType::a)
                                .address("c.example", 600, "192.0.2.1")
                                .alias("b.example", 30, "C.example")
                                .alias("a.example", 90, "b.example"),
                            "a.example", DnsType::a);
    REQUIRE(reply.kind == Kind::records);
    CHECK(reply.ttl == seconds(30));
}

TEST_CASE("an alias that leads out of the reply is to be asked for") {
    const auto reply = read(DnsBuilder("a.example", DnsType::a).alias("a.example", 90, "c.other"),
                            "a.example", DnsType::a);
    CHECK(reply.kind == Kind::alias);
    CHECK(reply.alias == "c.other");
    CHECK(reply.ttl == seconds(90));
}

TEST_CASE("aliases in a circle end") {
    const auto reply = read(DnsBuilder("a.example", DnsType::a)
                                .alias("a.example", 90, "b.example")
                                .alias("b.example", 90, "a.example"),
                            "a.example", DnsType::a);
    CHECK(reply.kind == Kind::retry);
    CHECK(reply.why == "the name server sent a chain of aliases without an end");
}

TEST_CASE("absence: no such name, no such type, with the lesser time of the SOA") {
    const auto no_name =
        read(DnsBuilder("a.example", DnsType::a, 3).authority_soa("example", 900, 60), "a.example",
             DnsType::a);
    CHECK(no_name.kind == Kind::absent);
    CHECK(no_name.ttl == seconds(60));
    CHECK(no_name.why == "no such name: a.example");

    const auto no_type = read(DnsBuilder("a.example", DnsType::a).authority_soa("example", 20, 60),
                              "a.example", DnsType::a);
    CHECK(no_type.kind == Kind::absent);
    CHECK(no_type.ttl == seconds(20));
    CHECK(no_type.why == "no such record: a.example");

    const auto unexplained = read(DnsBuilder("a.example", DnsType::a), "a.example", DnsType::a);
    CHECK(unexplained.kind == Kind::absent);
    CHECK(unexplained.ttl == seconds(0));

    const auto behind_alias = read(DnsBuilder("a.example", DnsType::a, 3)
                                       .alias("a.example", 90, "gone.example")
                                       .authority_soa("example", 900, 60),
                                   "a.example", DnsType::a);
    CHECK(behind_alias.kind == Kind::absent);
    CHECK(behind_alias.why == "no such name: gone.example");

    const auto contradiction =
        read(DnsBuilder("a.example", DnsType::a, 3).address("a.example", 60, "192.0.2.1"),
             "a.example", DnsType::a);
    CHECK(contradiction.kind == Kind::absent);

    const auto alias_without = read(DnsBuilder("a.example", DnsType::a)
                                        .alias("a.example", 90, "b.example")
                                        .authority_soa("example", 900, 60),
                                    "a.example", DnsType::a);
    CHECK(alias_without.kind == Kind::absent);
}

TEST_CASE("failures are no absence") {
    const auto why = [](unsigned code) {
        const auto reply = read(DnsBuilder("a.example", DnsType::a, code), "a.example", DnsType::a);
        CHECK(reply.kind == Kind::retry);
        return reply.why;
    };
    CHECK(why(1) == "the name server answered FORMERR");
    CHECK(why(2) == "the name server answered SERVFAIL");
    CHECK(why(5) == "the name server answered REFUSED");
    CHECK(why(9) == "the name server answered code 9");
    const auto referral =
        read(DnsBuilder("a.example", DnsType::a).authority_ns("example", 60, "ns.example"),
             "a.example", DnsType::a);
    CHECK(referral.kind == Kind::retry);
    CHECK(referral.why == "the name server sent a referral instead of an answer");
    const auto authoritative =
        read(DnsBuilder("a.example", DnsType::a, 0,
                        DnsBuilder::reply_flag | DnsBuilder::authoritative_flag)
                 .authority_ns("example", 60, "ns.example"),
             "a.example", DnsType::a);
    CHECK(authoritative.kind == Kind::absent);
}

TEST_CASE("a reply to another question, or none at all, is refused") {
    const DnsBuilder other =
        DnsBuilder("b.example", DnsType::a).address("a.example", 60, "192.0.2.1");
    CHECK(read(other, "a.example", DnsType::a).kind == Kind::retry);
    const DnsBuilder type =
        DnsBuilder("a.example", DnsType::aaaa).address("a.example", 60, "192.0.2.1");
    CHECK(read(type, "a.example", DnsType::a).kind == Kind::retry);
    const DnsBuilder query("a.example", DnsType::a, 0, 0x0100);
    CHECK(read(query, "a.example", DnsType::a).kind == Kind::retry);
    const DnsBuilder cut("a.example", DnsType::a, 0,
                         DnsBuilder::reply_flag | DnsBuilder::truncated_flag);
    CHECK(read(cut, "a.example", DnsType::a).why == "the name server sent a truncated reply");
    CHECK(read_dns_reply({}, "a.example", DnsType::a).kind == Kind::retry);
}

TEST_CASE("a TTL with the top bit set counts as zero") {
    const auto reply =
        read(DnsBuilder("a.example", DnsType::a).address("a.example", 0x80000001U, "192.0.2.1"),
             "a.example", DnsType::a);
    CHECK(reply.ttl == seconds(0));
}

TEST_CASE("no more records are kept than the limit") {
    DnsBuilder builder("a.example", DnsType::a);
    for (int i = 0; i < 100; ++i) builder.address("a.example", 60, "192.0.2." + std::to_string(i));
    DnsReplyLimits limits;
    limits.records_kept = 10;
    CHECK(read_dns_reply(builder.bytes(), "a.example", DnsType::a, limits).addresses.size() == 10);
    limits.records_kept = 64;
    limits.records_read = 20;
    CHECK(read_dns_reply(builder.bytes(), "a.example", DnsType::a, limits).addresses.size() == 20);
}

TEST_CASE("a reply cut short anywhere is never taken for an absence") {
    const DnsBuilder builder = DnsBuilder(service, DnsType::srv)
                                   .srv(service, 600, {10, 5, 5269, "x1.a.example"})
                                   .srv(service, 300, {20, 0, 5270, "x2.a.example"});
    const auto& whole = builder.bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto reply = read_dns_reply(std::span(whole).first(size), service, DnsType::srv);
        CHECK(reply.kind == Kind::retry);
    }
}

TEST_CASE("compression pointers in a circle are refused") {
    DnsBuilder builder("a.example", DnsType::a);
    auto bytes = builder.bytes();
    bytes[7] = 1;
    const auto at = static_cast<unsigned char>(bytes.size());
    const DnsBuilder::Bytes record = {0xc0, at, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1};
    bytes.insert(bytes.end(), record.begin(), record.end());
    CHECK(read_dns_reply(bytes, "a.example", DnsType::a).kind == Kind::retry);
}

TEST_CASE("names that DNS and hosts can bear") {
    CHECK(is_dns_name("a"));
    CHECK(is_dns_name("_xmpp-server._tcp.xn--bcher-kva.example"));
    CHECK(is_dns_name(std::string(63, 'a') + ".b"));
    CHECK_FALSE(is_dns_name(""));
    CHECK_FALSE(is_dns_name("a..b"));
    CHECK_FALSE(is_dns_name(".a"));
    CHECK_FALSE(is_dns_name("a."));
    CHECK_FALSE(is_dns_name("a b"));
    CHECK_FALSE(is_dns_name("b\xc3\xbc"));
    CHECK_FALSE(is_dns_name(std::string(64, 'a')));
    std::string longest;
    while (longest.size() < 252) longest += "a.";
    CHECK(is_dns_name(longest + "a"));
    CHECK_FALSE(is_dns_name(longest + "aa"));
    CHECK(normal_dns_name("A.Example.") == "a.example");
}

TEST_CASE("a name longer than names can be makes the reply unusable") {
    const auto read_beside = [](int labels) {
        std::string owner = "b";
        for (int i = 0; i < labels; ++i) owner += "." + std::string(63, 'a');
        return read(DnsBuilder("a.example", DnsType::a)
                        .address(owner, 60, "192.0.2.2")
                        .address("a.example", 60, "192.0.2.1"),
                    "a.example", DnsType::a)
            .kind;
    };
    CHECK(read_beside(3) == Kind::records);
    CHECK(read_beside(20) == Kind::retry);
}
