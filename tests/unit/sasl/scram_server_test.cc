// The server's side of SCRAM: the published exchanges, and everything that must fail.
#include "gateway/sasl/scram_server.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "gateway/base/encoding.h"
#include "gateway/sasl/scram_message.h"

using namespace causeway;
using namespace std::string_literals;

namespace {

const std::string client_nonce = "rOprNGfwEbeRWgbNEkqO";
const std::string server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

ScramKeys keys_for(ScramHash hash, std::string_view password = "pencil") {
    return *derive_scram_keys(hash, password, *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 2);
}

ScramServer::Options options(bool plus = false, bool plus_offered = false) {
    return {ScramHash::sha256,
            plus,
            plus_offered,
            {{"tls-exporter", "EXPORTED"}, {"tls-server-end-point", "ENDPOINT"}},
            server_nonce};
}

/// "condition: text" of a failed first message, or "ok".
std::string begin_with(const std::string& message, const ScramServer::Options& how = options()) {
    ScramServer server(how);
    const auto request = server.begin(message);
    if (!request) return fmt::format("{}: {}", request.error().condition, request.error().text);
    return "ok";
}

/// A client-final with the right proof, whatever it says about binding, nonce and extensions.
std::string proven(const std::string& bare, const std::string& server_first,
                   const std::string& without_proof) {
    std::string salted = *salted_password(ScramHash::sha256, "pencil",
                                          *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 2);
    const std::string client_key = scram_hmac(ScramHash::sha256, salted, "Client Key");
    const std::string signature =
        scram_hmac(ScramHash::sha256, scram_digest(ScramHash::sha256, client_key),
                   bare + "," + server_first + "," + without_proof);
    return without_proof + ",p=" + base64_encode(scram::exclusive_or(client_key, signature));
}

struct Finish {
    std::string gs2 = "n,,";
    std::string bare = "n=user,r=" + client_nonce;
    std::string binding{};  // what c= encodes; empty: the GS2 header
    std::string nonce = client_nonce + server_nonce;
    std::string extensions{};
    ScramServer::Options how = options();
};

/// Runs a whole exchange whose proof is right for what it says.
std::string outcome_of(const Finish& with) {
    ScramServer server(with.how);
    const auto request = server.begin(with.gs2 + with.bare);
    if (!request) return "begin: " + std::string(request.error().condition);
    const std::string server_first = server.challenge(keys_for(ScramHash::sha256));
    const std::string binding = with.binding.empty() ? with.gs2 : with.binding;
    const auto verdict =
        server.finish(proven(with.bare, server_first,
                             "c=" + base64_encode(binding) + ",r=" + with.nonce + with.extensions));
    if (!verdict) return fmt::format("{}: {}", verdict.error().condition, verdict.error().text);
    return "ok";
}

}  // namespace

TEST_CASE("the exchanges of RFC 5802 and RFC 7677, and one for SHA-512") {
    struct Row {
        ScramHash hash;
        std::string client_nonce;
        std::string server_nonce;
        std::string salt;
        std::string proof;
        std::string verifier;
    };
    const Row rows[] = {
        {ScramHash::sha1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
         "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
        {ScramHash::sha256, client_nonce, server_nonce,
         "W22ZaJ0SNY7soEsUEjb6gQ==", "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
         "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
        {ScramHash::sha512, client_nonce, server_nonce, "W22ZaJ0SNY7soEsUEjb6gQ==",
         "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
         "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0v"
         "SVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="},
    };
    for (const Row& row : rows) {
        ScramServer server({row.hash, false, false, {}, row.server_nonce});
        const auto request = server.begin("n,,n=user,r=" + row.client_nonce);
        REQUIRE(request.ok());
        CHECK(request->username == "user");
        CHECK(request->authzid.empty());
        const std::string nonce = row.client_nonce + row.server_nonce;
        const auto keys = derive_scram_keys(row.hash, "pencil", *base64_decode(row.salt), 4096);
        CHECK(server.challenge(*keys) == "r=" + nonce + ",s=" + row.salt + ",i=4096");
        const auto verdict = server.finish("c=biws,r=" + nonce + ",p=" + row.proof);
        REQUIRE(verdict.ok());
        CHECK(*verdict == "v=" + row.verifier);
    }
}

TEST_CASE("names and identities are unescaped") {
    ScramServer server(options());
    const auto request = server.begin("n,a=o=2Cther=3D@x,n=us=3Der=2C=3D2C,r=abc");
    REQUIRE(request.ok());
    CHECK(request->username == "us=er,=2C");
    CHECK(request->authzid == "o,ther=@x");
}

TEST_CASE("the first message must follow the grammar") {
    const std::string bad = "malformed-request: ";
    for (const std::string& message : std::vector<std::string>{
             "",
             ",",
             ",,",
             "n",
             "n,",
             "n,,",
             "n,,n=user",
             "n,,n=user,",
             "n,,r=abc",
             "n,,r=abc,n=user",  // wrong order
             "n,,n=,r=abc",
             "n,,n=user,r=",
             "n,,n=user,r=a\x7F"s,
             "n,,n=user,r=a b",
             "n,,n=user,r=\u00E9",
             "n,,n=user,r=abc,",
             "n,,n=user,r=abc,x",
             "n,,n=user,r=abc,x=",
             "n,,n=user,r=abc,1=x",
             "n,,n=user,r=abc,=x",
             "n,,n=user,r=abc,n=other",  // a second name
             "n,,n=user,r=abc,r=def",
             "n,,n=user,r=abc,a=x",
             "n,,n=user,x=y,r=abc",
             "n,,x=y,n=user,r=abc",
             "n,user,n=user,r=abc",
             "n,a=,n=user,r=abc",
             "n,a=,,n=user,r=abc",
             "n,a=x",
             "n,a=x=2,n=user,r=abc",
             "N,,n=user,r=abc",
             "n ,,n=user,r=abc",
             "F,n,,n=user,r=abc",
             "p,,n=user,r=abc",
             "p=,,n=user,r=abc",
             "p=tls unique,,n=user,r=abc",
             "p=tls_unique,,n=user,r=abc",
             "y=x,,n=user,r=abc",
             "n=user,r=abc",
             "n,,n=us\0er,r=abc"s,
             "n,,n=us\xFF"s + "er,r=abc",
             "n,,n=\xED\xA0\x80,r=abc",
             "n,,n=user,r=" + std::string(1025, 'x'),
             "n,,n=" + std::string(9000, 'x') + ",r=abc",
         }) {
        CAPTURE(message);
        CHECK(begin_with(message).starts_with(bad));
    }
    CHECK(begin_with("n,,n=user,r=" + std::string(1024, 'x')) == "ok");
    CHECK(begin_with("n,,n=us\u00E9r,r=!~") == "ok");
    CHECK(begin_with("n,,n=user,r=abc,x=y,Z==") == "ok");  // unknown extensions are ignored
}

TEST_CASE("a user name with a broken escape must fail") {
    for (const char* name : {"a=b", "=", "a=2", "a=2c", "=3d", "a=2Db", "=="}) {
        CAPTURE(name);
        CHECK(begin_with(fmt::format("n,,n={},r=abc", name)) ==
              "malformed-request: invalid-username-encoding");
    }
}

TEST_CASE("the attribute m must fail wherever it stands") {
    CHECK(begin_with("n,,m=x,n=user,r=abc") == "malformed-request: extensions-not-supported");
    CHECK(begin_with("n,,n=user,r=abc,m=x") == "malformed-request: extensions-not-supported");
    CHECK(outcome_of({.extensions = ",m=x"}) == "malformed-request: extensions-not-supported");

    ScramServer server(options());
    REQUIRE(server.begin("n,,n=user,r=abc").ok());
    server.challenge(keys_for(ScramHash::sha256));
    const auto verdict = server.finish("m=x,c=biws,r=abc,p=eA==");
    REQUIRE_FALSE(verdict.ok());
    CHECK(verdict.error().text == "extensions-not-supported");
}

TEST_CASE("the channel binding flag must fit mechanism and offer") {
    const std::string rest = ",,n=user,r=abc";
    // Without -PLUS.
    CHECK(begin_with("n" + rest, options(false, false)) == "ok");
    CHECK(begin_with("n" + rest, options(false, true)) == "ok");
    CHECK(begin_with("y" + rest, options(false, false)) == "ok");
    CHECK(begin_with("y" + rest, options(false, true)) ==
          "not-authorized: server-does-support-channel-binding");
    CHECK(begin_with("p=tls-exporter" + rest, options(false, true)) ==
          "malformed-request: channel-binding-not-supported");
    CHECK(begin_with("p=tls-exporter" + rest, options(false, false)) ==
          "malformed-request: channel-binding-not-supported");
    // With -PLUS.
    CHECK(begin_with("p=tls-exporter" + rest, options(true, true)) == "ok");
    CHECK(begin_with("p=tls-server-end-point" + rest, options(true, true)) == "ok");
    CHECK(begin_with("p=tls-unique" + rest, options(true, true)) ==
          "not-authorized: unsupported-channel-binding-type");
    CHECK(begin_with("p=TLS-EXPORTER" + rest, options(true, true)) ==
          "not-authorized: unsupported-channel-binding-type");
    CHECK(begin_with("n" + rest, options(true, true)).starts_with("malformed-request: "));
    CHECK(begin_with("y" + rest, options(true, true)).starts_with("malformed-request: "));
    // A type without data is not at hand.
    ScramServer::Options empty = options(true, true);
    empty.bindings["tls-exporter"].clear();
    CHECK(begin_with("p=tls-exporter" + rest, empty) ==
          "not-authorized: unsupported-channel-binding-type");
}

TEST_CASE("the last message must repeat header, binding and nonce") {
    CHECK(outcome_of({}) == "ok");
    CHECK(outcome_of({.gs2 = "y,,"}) == "ok");
    CHECK(outcome_of({.gs2 = "n,a=user,"}) == "ok");
    CHECK(outcome_of({.bare = "n=user,r=" + client_nonce + ",x=y", .extensions = ",z=1"}) == "ok");

    const std::string mismatch = "not-authorized: channel-bindings-dont-match";
    CHECK(outcome_of({.binding = "y,,"}) == mismatch);
    CHECK(outcome_of({.gs2 = "y,,", .binding = "n,,"}) == mismatch);
    CHECK(outcome_of({.gs2 = "n,a=user,", .binding = "n,,"}) == mismatch);
    CHECK(outcome_of({.binding = "n,a=user,"}) == mismatch);
    CHECK(outcome_of({.binding = "n,,EXPORTED"}) == mismatch);
    CHECK(outcome_of({.binding = "p=tls-exporter,,EXPORTED"}) == mismatch);

    const ScramServer::Options plus = options(true, true);
    CHECK(outcome_of(
              {.gs2 = "p=tls-exporter,,", .binding = "p=tls-exporter,,EXPORTED", .how = plus}) ==
          "ok");
    CHECK(outcome_of({.gs2 = "p=tls-server-end-point,,",
                      .binding = "p=tls-server-end-point,,ENDPOINT",
                      .how = plus}) == "ok");
    CHECK(outcome_of({.gs2 = "p=tls-exporter,,", .how = plus}) == mismatch);
    CHECK(outcome_of(
              {.gs2 = "p=tls-exporter,,", .binding = "p=tls-exporter,,ENDPOINT", .how = plus}) ==
          mismatch);
    CHECK(outcome_of({.gs2 = "p=tls-exporter,,",
                      .binding = "p=tls-server-end-point,,ENDPOINT",
                      .how = plus}) == mismatch);
    CHECK(outcome_of({.gs2 = "p=tls-exporter,,", .binding = "n,,", .how = plus}) == mismatch);

    const std::string nonce = "not-authorized: the nonce is another";
    CHECK(outcome_of({.nonce = client_nonce}) == nonce);
    CHECK(outcome_of({.nonce = client_nonce + server_nonce + "x"}) == nonce);
    CHECK(outcome_of({.nonce = server_nonce}) == nonce);
    CHECK(outcome_of({.nonce = client_nonce + client_nonce}) == nonce);
}

TEST_CASE("the last message must follow the grammar") {
    const std::string nonce = client_nonce + server_nonce;
    const std::string proof = base64_encode(std::string(32, 'x'));
    for (const std::string& message : std::vector<std::string>{
             "",
             "c=biws",
             "c=biws,r=" + nonce,
             "c=biws,r=" + nonce + ",p=",
             "c=biws,r=" + nonce + ",p=x",
             "c=biws,r=" + nonce + ",p=" + proof + ",x=y",  // the proof is the last
             "c=biws,r=" + nonce + ",p=" + proof + ",",
             "c=biws,r=" + nonce + ",p=" + proof + ",p=" + proof,
             "r=" + nonce + ",c=biws,p=" + proof,
             "c=,r=" + nonce + ",p=" + proof,
             "c=biw,r=" + nonce + ",p=" + proof,
             "c=bi ws,r=" + nonce + ",p=" + proof,
             "c=biws,p=" + proof,
             "c=biws,r=,p=" + proof,
             "c=biws,x=y,r=" + nonce + ",p=" + proof,
             "c=biws,r=" + nonce + ",r=" + nonce + ",p=" + proof,
             "c=biws,r=" + nonce + ",,p=" + proof,
             "c=biws,r=" + nonce + ",x,p=" + proof,
             "c=biws,r=" + nonce + ",p=" + proof + "\0"s,
             "c=biws,r=" + nonce + ",x=\xFF,p=" + proof,
             "c=biws,r=" + nonce + ",x=" + std::string(9000, 'x') + ",p=" + proof,
         }) {
        CAPTURE(message);
        ScramServer server(options());
        REQUIRE(server.begin("n,,n=user,r=" + client_nonce).ok());
        server.challenge(keys_for(ScramHash::sha256));
        const auto verdict = server.finish(message);
        REQUIRE_FALSE(verdict.ok());
        CHECK(verdict.error().condition == sasl_condition::malformed_request);
    }
}

TEST_CASE("a wrong proof looks the same for known and unknown names") {
    const std::string nonce = client_nonce + server_nonce;
    const auto failure_with = [&](const ScramKeys& keys, const std::string& proof) {
        ScramServer server(options());
        REQUIRE(server.begin("n,,n=user,r=" + client_nonce).ok());
        server.challenge(keys);
        const auto verdict = server.finish("c=biws,r=" + nonce + ",p=" + base64_encode(proof));
        REQUIRE_FALSE(verdict.ok());
        return fmt::format("{}: {}", verdict.error().condition, verdict.error().text);
    };
    const std::string expected = "not-authorized: the name or the password is wrong";
    const ScramKeys known = keys_for(ScramHash::sha256);
    const ScramKeys unknown = fake_keys(ScramHash::sha256, std::string(32, 's'), "user", 2);
    for (const std::string& proof :
         {std::string(32, 'x'), std::string(20, 'x'), std::string(64, 'x'), "x"s}) {
        CHECK(failure_with(known, proof) == expected);
        CHECK(failure_with(unknown, proof) == expected);
    }
}

TEST_CASE("steps out of turn fail and end the exchange") {
    const ScramKeys keys = keys_for(ScramHash::sha256);
    SUBCASE("finish first") {
        ScramServer server(options());
        CHECK(server.finish("c=biws,r=abc,p=eA==").error().condition ==
              sasl_condition::malformed_request);
        CHECK_FALSE(server.begin("n,,n=user,r=abc").ok());
    }
    SUBCASE("no challenge before finish") {
        ScramServer server(options());
        REQUIRE(server.begin("n,,n=user,r=abc").ok());
        CHECK_FALSE(server.finish("c=biws,r=abc,p=eA==").ok());
        CHECK(server.challenge(keys).empty());
    }
    SUBCASE("begin twice") {
        ScramServer server(options());
        REQUIRE(server.begin("n,,n=user,r=abc").ok());
        CHECK_FALSE(server.begin("n,,n=user,r=abc").ok());
        CHECK(server.challenge(keys).empty());
    }
    SUBCASE("challenge after a failed begin") {
        ScramServer server(options());
        REQUIRE_FALSE(server.begin("nonsense").ok());
        CHECK(server.challenge(keys).empty());
    }
    SUBCASE("a second attempt with the right proof") {
        ScramServer server(options());
        REQUIRE(server.begin("n,,n=user,r=" + client_nonce).ok());
        const std::string first = server.challenge(keys);
        const std::string nonce = client_nonce + server_nonce;
        const std::string last = proven("n=user,r=" + client_nonce, first, "c=biws,r=" + nonce);
        CHECK_FALSE(server.finish("c=biws,r=" + nonce + ",p=").ok());
        CHECK_FALSE(server.finish(last).ok());
    }
}

TEST_CASE("nonces are fresh") {
    ScramServer a({});
    ScramServer b({});
    REQUIRE(a.begin("n,,n=user,r=abc").ok());
    REQUIRE(b.begin("n,,n=user,r=abc").ok());
    const ScramKeys keys = keys_for(ScramHash::sha256);
    const std::string first = a.challenge(keys);
    CHECK(first != b.challenge(keys));
    CHECK(scram::is_nonce(first.substr(2, first.find(',') - 2)));
    CHECK(first.find(",s=") >= 2 + 3 + 24);  // 18 random bytes
}
