// The client's side of SCRAM, alone and against the server.
#include "gateway/sasl/scram_client.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "gateway/sasl/scram_server.h"

using namespace causeway;
using namespace std::string_literals;
using scram::BindingFlag;

namespace {

ScramClient::Options sha256_client() {
    ScramClient::Options options;
    options.username = "user";
    options.password = "pencil";
    options.nonce = "rOprNGfwEbeRWgbNEkqO";
    return options;
}

const std::string server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

struct Match {
    ScramHash hash = ScramHash::sha256;
    BindingFlag flag = BindingFlag::unsupported;
    std::string binding_name{};
    std::string username = "user";
    std::string authzid{};
    std::string password = "pencil";
};

/// A whole exchange between our two sides: "ok", or where it ended and why.
std::string play(const Match& match, const std::string& server_password,
                 const std::string& client_binding_data = "DATA") {
    const bool plus = match.flag == BindingFlag::used;
    ScramServer::Options how;
    how.hash = match.hash;
    how.plus = plus;
    how.plus_offered = plus;
    how.bindings = {{"tls-exporter", "DATA"}, {"tls-server-end-point", "DATA"}};
    ScramServer server(std::move(how));

    ScramClient::Options options;
    options.hash = match.hash;
    options.username = match.username;
    options.password = match.password;
    options.authzid = match.authzid;
    options.flag = match.flag;
    options.binding_name = match.binding_name;
    options.binding_data = client_binding_data;
    options.minimum_iterations = 1;
    ScramClient client(std::move(options));

    const auto request = server.begin(client.first());
    if (!request) return "begin: " + request.error().text;
    CHECK(request->username == match.username);
    CHECK(request->authzid == match.authzid);
    const auto keys = derive_scram_keys(match.hash, server_password, "salt and pepper", 2);
    REQUIRE(keys.ok());
    const auto last = client.answer(server.challenge(*keys));
    if (!last) return "answer: " + last.error().text;
    const auto verdict = server.finish(*last);
    if (!verdict) return "finish: " + verdict.error().text;
    const auto trusted = client.verify(*verdict);
    return trusted ? "ok" : "verify: " + trusted.error().text;
}

}  // namespace

TEST_CASE("the client plays the exchange of RFC 7677") {
    ScramClient client(sha256_client());
    CHECK(client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    const auto last = client.answer(server_first);
    REQUIRE(last.ok());
    CHECK(*last ==
          "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
          "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    CHECK(client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").ok());
}

TEST_CASE("both sides agree for every hash, binding, name and identity") {
    const std::vector<std::string> names{
        "user", "a,b=c", "=2C", ",", "j\u00FCrgen", "\U0001F600", std::string(1023, 'x')};
    const std::vector<std::string> identities{"", "romeo@example.com", ",=,"};
    const std::vector<std::pair<BindingFlag, std::string>> flags{
        {BindingFlag::unsupported, ""},
        {BindingFlag::not_offered, ""},
        {BindingFlag::used, "tls-exporter"},
        {BindingFlag::used, "tls-server-end-point"}};
    for (const ScramHash hash : scram_hashes) {
        for (const auto& [flag, binding] : flags) {
            for (const std::string& name : names) {
                for (const std::string& identity : identities) {
                    CAPTURE(name);
                    const Match match{hash, flag, binding, name, identity, "I\u00ADX \u00FC"};
                    CHECK(play(match, "IX \u00FC") == "ok");
                    CHECK(play(match, "ix \u00FC") == "finish: the name or the password is wrong");
                }
            }
            if (flag == BindingFlag::used) {
                CHECK(play({hash, flag, binding}, "pencil", "OTHER CHANNEL") ==
                      "finish: channel-bindings-dont-match");
            }
        }
    }
    CHECK(play({.flag = BindingFlag::used, .binding_name = "tls-unique"}, "pencil") ==
          "begin: unsupported-channel-binding-type");
}

TEST_CASE("any change of any message on the way fails") {
    ScramServer::Options how;
    how.nonce = "servernonce";
    const ScramKeys keys = *derive_scram_keys(ScramHash::sha256, "pencil", "salt", 1);
    // Flips one bit of the message with this number, at every place in turn.
    for (int which = 0; which < 4; ++which) {
        bool more = true;
        for (std::size_t at = 0; more; ++at) {
            const auto spoil = [&](int number, std::string message) {
                if (number != which) return message;
                more = at + 1 < message.size();
                message[at] = static_cast<char>(message[at] ^ 1);
                return message;
            };
            CAPTURE(which);
            CAPTURE(at);
            ScramServer server(how);
            ScramClient::Options options = sha256_client();
            options.minimum_iterations = 1;
            ScramClient client(std::move(options));
            const auto request = server.begin(spoil(0, client.first()));
            if (!request) continue;
            const auto last = client.answer(spoil(1, server.challenge(keys)));
            if (!last) continue;
            const auto verdict = server.finish(spoil(2, *last));
            if (!verdict) continue;
            CHECK_FALSE(client.verify(spoil(3, *verdict)).ok());
        }
    }
}

TEST_CASE("the client refuses what a server must not say") {
    const std::string nonce = "rOprNGfwEbeRWgbNEkqO";
    for (const std::string& message : std::vector<std::string>{
             "",
             "r=" + nonce + "x",
             "r=" + nonce + "x,s=c2FsdA==",
             "r=" + nonce + ",s=c2FsdA==,i=4096",  // nothing added to our nonce
             "r=" + nonce.substr(1) + "xyz,s=c2FsdA==,i=4096",
             "r=x" + nonce + ",s=c2FsdA==,i=4096",
             "r=" + nonce + "x,s=,i=4096",
             "r=" + nonce + "x,s=c2Fsd,i=4096",
             "r=" + nonce + "x,s=c2FsdA==,i=",
             "r=" + nonce + "x,s=c2FsdA==,i=0",
             "r=" + nonce + "x,s=c2FsdA==,i=-4096",
             "r=" + nonce + "x,s=c2FsdA==,i=+4096",
             "r=" + nonce + "x,s=c2FsdA==,i=04096",
             "r=" + nonce + "x,s=c2FsdA==,i=4096x",
             "r=" + nonce + "x,s=c2FsdA==,i=4095",
             "r=" + nonce + "x,s=c2FsdA==,i=10000001",
             "r=" + nonce + "x,s=c2FsdA==,i=99999999999",
             "s=c2FsdA==,r=" + nonce + "x,i=4096",
             "m=x,r=" + nonce + "x,s=c2FsdA==,i=4096",
             "r=" + nonce + "x,s=c2FsdA==,i=4096,m=x",
             "r=" + nonce + "x,s=c2FsdA==,i=4096,i=1",
             "e=other-error",
             "r=" + nonce + "x\0,s=c2FsdA==,i=4096"s,
         }) {
        CAPTURE(message);
        ScramClient client(sha256_client());
        CHECK_FALSE(client.answer(message).ok());
        CHECK_FALSE(client.verify("v=eA==").ok());
    }
    ScramClient client(sha256_client());
    CHECK(client.answer("r=" + nonce + "x,s=c2FsdA==,i=4096,x=y").ok());
}

TEST_CASE("the client trusts no server without the right signature") {
    for (const std::string& message : std::vector<std::string>{
             "", "v=", "v=eA==", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
             "e=invalid-proof", "m=x,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
             "x=y,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="}) {
        CAPTURE(message);
        ScramClient client(sha256_client());
        REQUIRE(client.answer(server_first).ok());
        CHECK_FALSE(client.verify(message).ok());
        // And there is no second try.
        CHECK_FALSE(client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").ok());
    }
    ScramClient early(sha256_client());
    CHECK_FALSE(early.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").ok());

    ScramClient client(sha256_client());
    REQUIRE(client.answer(server_first).ok());
    const auto error = client.verify("e=invalid-proof");
    REQUIRE_FALSE(error.ok());
    CHECK(error.error().condition == sasl_condition::not_authorized);
    CHECK(error.error().text == "invalid-proof");
}

TEST_CASE("a password that cannot be prepared is never sent") {
    ScramClient::Options options = sha256_client();
    options.password = "\u0007";
    ScramClient client(std::move(options));
    CHECK_FALSE(client.answer(server_first).ok());
}
