// Whom a certificate speaks for: only what its subject alternative name says, and exactly that.
#include "gateway/net/certificate.h"

#include <doctest/doctest.h>

#include <ctime>

#include "tests/support/test_certificates.h"

using namespace causeway;

namespace {

bool speaks_for(const CertificateRequest& request, std::string_view domain,
                std::string_view service = "_xmpp-server") {
    return covers(names_of(issue(request).certificate.get()), domain, service);
}

}  // namespace

TEST_CASE("a dNSName is compared whole, whatever its case") {
    const CertificateRequest request{.dns = {"A.Test", "xn--bcher-kva.test"}};
    CHECK(speaks_for(request, "a.test"));
    CHECK(speaks_for(request, "a.test", "_xmpp-client"));
    CHECK(speaks_for(request, "xn--bcher-kva.test"));
    CHECK_FALSE(speaks_for(request, "b.a.test"));
    CHECK_FALSE(speaks_for(request, "test"));
    CHECK_FALSE(speaks_for(request, "a.test.evil.test"));
    CHECK_FALSE(speaks_for(request, ""));
}

TEST_CASE("a wildcard stands for exactly one label, the leftmost, and never for a whole zone") {
    const CertificateRequest request{.dns = {"*.a.test", "*.test", "x*.b.test", "*", "*."}};
    CHECK(speaks_for(request, "one.a.test"));
    CHECK_FALSE(speaks_for(request, "a.test"));
    CHECK_FALSE(speaks_for(request, "one.two.a.test"));
    CHECK_FALSE(speaks_for(request, ".a.test"));
    CHECK_FALSE(speaks_for(request, "b.test"));
    CHECK_FALSE(speaks_for(request, "xy.b.test"));
    CHECK_FALSE(speaks_for({.dns = {"one.*.test", "*.*.test"}}, "one.a.test"));
}

TEST_CASE("an SRVName holds for its service alone") {
    const CertificateRequest request{.services = {"_XMPP-server.a.test"}};
    CHECK(speaks_for(request, "a.test"));
    CHECK_FALSE(speaks_for(request, "a.test", "_xmpp-client"));
    CHECK_FALSE(speaks_for(request, "b.test"));
    CHECK_FALSE(speaks_for({.services = {"_xmpp-server.*.test"}}, "a.test"));
    CHECK_FALSE(speaks_for({.services = {"a.test"}}, "a.test"));
}

TEST_CASE("an XmppAddr names a domain, not a user of it, in any spelling") {
    CHECK(speaks_for({.addresses = {"a.test"}}, "a.test"));
    CHECK(speaks_for({.addresses = {"B\xc3\x9c"
                                    "CHER.test"}},
                     "xn--bcher-kva.test"));
    CHECK_FALSE(speaks_for({.addresses = {"romeo@a.test"}}, "a.test"));
    CHECK_FALSE(speaks_for({.addresses = {"a.test/home"}}, "a.test"));
    CHECK_FALSE(speaks_for({.addresses = {"*.a.test"}}, "one.a.test"));
    CHECK_FALSE(speaks_for({.addresses = {""}}, ""));
}

TEST_CASE("a common name counts for nothing") {
    CHECK_FALSE(speaks_for({.common_name = "a.test"}, "a.test"));
    CHECK_FALSE(speaks_for({.common_name = "a.test", .dns = {"b.test"}}, "a.test"));
}

TEST_CASE("names with an embedded NUL, blanks or bytes beyond ASCII are left out") {
    const std::string nul("a.test\0.evil.test", 17);
    const CertificateRequest request{
        .dns = {nul, "a .test", "a\xc3\xa4.test", ""},
        .services = {std::string("_xmpp-server.a.test\0.evil.test", 30)},
        .addresses = {nul}};
    const auto made = issue(request);
    const CertificateNames names = names_of(made.certificate.get());
    CHECK(names.dns.empty());
    CHECK(names.services.empty());
    CHECK(names.addresses.empty());
    CHECK_FALSE(covers(names, "a.test", "_xmpp-server"));
    CHECK(describe(names) == "no name at all");
}

TEST_CASE("describe lists every kind of name, and stops somewhere") {
    const auto made =
        issue({.dns = {"a.test"}, .services = {"_xmpp-server.b.test"}, .addresses = {"c.test"}});
    CHECK(describe(names_of(made.certificate.get())) == "a.test, _xmpp-server.b.test, c.test");
    CertificateRequest many;
    for (int i = 0; i < 500; ++i) many.dns.push_back("host" + std::to_string(i) + ".test");
    const auto large = issue(many);
    const std::string text = describe(names_of(large.certificate.get()));
    CHECK(text.size() < 250);
    CHECK(text.ends_with("…"));
}

TEST_CASE("dates and issuer") {
    const auto root = issue({.common_name = "Root of Tests", .authority = true});
    const auto made = issue({.dns = {"a.test"}, .begins = -1000, .ends = 5000}, &root);
    const UnixMillis now = static_cast<UnixMillis>(std::time(nullptr)) * 1000;
    CHECK(not_before(made.certificate.get()) <= now - 1'000'000 + 2000);
    CHECK(not_before(made.certificate.get()) >= now - 1'000'000 - 2000);
    CHECK(not_after(made.certificate.get()) >= now + 5'000'000 - 2000);
    CHECK(not_after(made.certificate.get()) <= now + 5'000'000 + 2000);
    CHECK(issuer_of(made.certificate.get()).find("Root of Tests") != std::string::npos);
}

TEST_CASE("either TLS role is enough for a peer; other purposes are not") {
    const auto usable = [](const char* usage) {
        return usable_for_tls(issue({.extended_usage = usage}).certificate.get());
    };
    CHECK(usable(""));
    CHECK(usable("serverAuth"));
    CHECK(usable("clientAuth"));
    CHECK(usable("emailProtection,serverAuth"));
    CHECK(usable("anyExtendedKeyUsage"));
    CHECK_FALSE(usable("emailProtection"));
    CHECK_FALSE(usable("codeSigning,timeStamping"));
}
