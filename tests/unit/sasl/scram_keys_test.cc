// Passwords and the keys kept of them.
#include "gateway/sasl/scram_keys.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "gateway/base/encoding.h"

using namespace causeway;
using namespace std::string_literals;

namespace {

std::string prepared(std::string_view password) {
    const auto result = prepare_password(password);
    return result ? *result : "!";
}

constexpr std::uint32_t few = 3;  // iterations: what is tested does not depend on their number

}  // namespace

TEST_CASE("SASLprep: the examples of RFC 4013 section 3") {
    CHECK(prepared("I\u00ADX") == "IX");
    CHECK(prepared("user") == "user");
    CHECK(prepared("USER") == "USER");
    CHECK(prepared("\u00AA") == "a");
    CHECK(prepared("\u2168") == "IX");
    CHECK(prepared("\u0007") == "!");
    CHECK(prepared("\u0627\u0031") == "!");
}

TEST_CASE("SASLprep: what becomes of other passwords") {
    CHECK(prepared("correct horse battery staple") == "correct horse battery staple");
    CHECK(prepared("a\u00A0b") == "a b");
    CHECK(prepared("U\u0308") == "\u00DC");
    CHECK(prepared("\U0001F600") == "\U0001F600");
    CHECK(prepared("") == "!");
    CHECK(prepared("\u00AD") == "!");  // nothing is left of it
    CHECK(prepared("a\0b"s) == "!");
    CHECK(prepared("a\x7F"s) == "!");
    CHECK(prepared("\xC3\x28") == "!");
    CHECK(prepared("\xED\xA0\x80") == "!");
    CHECK(prepared("\uFDD0") == "!");
    CHECK(prepared("\uE000") == "!");
    CHECK(prepared(std::string(max_password, 'x')).size() == max_password);
    CHECK(prepared(std::string(max_password + 1, 'x')) == "!");
    std::string growing;
    for (int i = 0; i < 300; ++i) growing += "\uFDFA";
    CHECK(prepared(growing) == "!");
}

TEST_CASE("keys are those of the examples in RFC 5802 and RFC 7677, and of their SHA-512 sibling") {
    struct Row {
        ScramHash hash;
        std::string salt;
        std::string stored_key;
        std::string server_key;
    };
    const Row rows[] = {
        {ScramHash::sha1, "QSXCR+Q6sek8bf92",
         "6dlGYMOdZcOPutkcNY8U2g7vK9Y=", "D+CSWLOshSulAsxiupA+qs2/fTE="},
        {ScramHash::sha256,
         "W22ZaJ0SNY7soEsUEjb6gQ==", "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
        {ScramHash::sha512, "W22ZaJ0SNY7soEsUEjb6gQ==",
         "6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/60dzj9DoO5DvVkOHbvg==",
         "jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ"
         "0o/0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA=="},
    };
    for (const Row& row : rows) {
        const auto keys = derive_scram_keys(row.hash, "pencil", *base64_decode(row.salt), 4096);
        REQUIRE(keys.ok());
        CHECK(base64_encode(keys->stored_key) == row.stored_key);
        CHECK(base64_encode(keys->server_key) == row.server_key);
        CHECK(keys->iterations == 4096);
        CHECK(keys->stored_key.size() == scram_key_size(row.hash));
    }
}

TEST_CASE("keys are derived from the prepared password") {
    const auto a = derive_scram_keys(ScramHash::sha256, "I\u00ADX", "salt", few);
    const auto b = derive_scram_keys(ScramHash::sha256, "\u2168", "salt", few);
    REQUIRE(a.ok());
    CHECK(*a == *b);
    CHECK(derive_scram_keys(ScramHash::sha256, "\u0007", "salt", few).error().cause() ==
          Cause::malformed);
}

TEST_CASE("the iteration count is bounded") {
    CHECK(derive_scram_keys(ScramHash::sha1, "x", "salt", 0).error().cause() == Cause::policy);
    CHECK(derive_scram_keys(ScramHash::sha1, "x", "salt", maximum_scram_iterations + 1)
              .error()
              .cause() == Cause::policy);
    CHECK(make_credentials("x", 0).error().cause() == Cause::policy);
    CHECK(make_credentials("x", 1).ok());
}

TEST_CASE("mechanism names") {
    CHECK(scram_mechanism(ScramHash::sha1, false) == "SCRAM-SHA-1");
    CHECK(scram_mechanism(ScramHash::sha256, true) == "SCRAM-SHA-256-PLUS");
    CHECK(scram_mechanism(ScramHash::sha512, true) == "SCRAM-SHA-512-PLUS");
}

TEST_CASE("credentials survive the store") {
    const auto made = make_credentials("pencil", few);
    REQUIRE(made.ok());
    const std::string text = made->serialise();
    const auto read = Credentials::parse(text);
    REQUIRE(read.ok());
    CHECK(*read == *made);
    CHECK(text.size() < 450);
    CHECK(text.starts_with("1 "));

    // Salts are fresh each time and for each hash.
    std::set<std::string> salts;
    for (int i = 0; i < 2; ++i) {
        const auto again = make_credentials("pencil", few);
        REQUIRE(again.ok());
        for (const ScramHash hash : scram_hashes) salts.insert(again->of(hash).salt);
    }
    CHECK(salts.size() == 6);
}

TEST_CASE("damaged credentials are not read") {
    const std::string text = make_credentials("pencil", few)->serialise();
    CHECK_FALSE(Credentials::parse("").ok());
    CHECK_FALSE(Credentials::parse("2" + text.substr(1)).ok());
    CHECK_FALSE(Credentials::parse(text + " ").ok());
    CHECK_FALSE(Credentials::parse(text + " x").ok());
    CHECK_FALSE(Credentials::parse(text + "=").ok());
    CHECK_FALSE(Credentials::parse(text + ",").ok());
    CHECK_FALSE(Credentials::parse("1 0" + text.substr(3)).ok());
    CHECK_FALSE(Credentials::parse("1 -" + text.substr(2)).ok());
    CHECK_FALSE(Credentials::parse("1 99999999" + text.substr(3)).ok());
    CHECK_FALSE(Credentials::parse("1 99999999999999999999" + text.substr(3)).ok());
    for (std::size_t length = 0; length < text.size(); ++length) {
        CAPTURE(length);
        CHECK_FALSE(Credentials::parse(text.substr(0, length)).ok());
    }
}

TEST_CASE("a password is verified against the stored keys") {
    const auto credentials = make_credentials("\u2168 pencil", few);
    REQUIRE(credentials.ok());
    CHECK(verify_plain(*credentials, "\u2168 pencil"));
    CHECK(verify_plain(*credentials, "IX pencil"));
    CHECK_FALSE(verify_plain(*credentials, "ix pencil"));
    CHECK_FALSE(verify_plain(*credentials, "IX pencil "));
    CHECK_FALSE(verify_plain(*credentials, ""));
    CHECK_FALSE(verify_plain(*credentials, "\u0007"));
    CHECK_FALSE(verify_plain(*credentials, "x"));
    CHECK_FALSE(verify_plain(Credentials{}, "x"));

    // A password that cannot be prepared is derived as another one, but must not pass as it.
    const auto short_one = make_credentials("x", few);
    CHECK(verify_plain(*short_one, "x"));
    CHECK_FALSE(verify_plain(*short_one, "\u0007"));
    CHECK_FALSE(verify_plain(*short_one, ""));
}

TEST_CASE("an unknown name has keys that look like anybody's") {
    const std::string secret(32, 's');
    const ScramKeys a = fake_keys(ScramHash::sha256, secret, "romeo", few);
    CHECK(a == fake_keys(ScramHash::sha256, secret, "romeo", few));
    CHECK(a.salt.size() == make_credentials("x", few)->of(ScramHash::sha256).salt.size());
    CHECK(a.iterations == few);
    CHECK(a.salt != fake_keys(ScramHash::sha256, secret, "juliet", few).salt);
    CHECK(a.salt != fake_keys(ScramHash::sha256, std::string(32, 't'), "romeo", few).salt);
    // Real salts differ between hashes, so these must as well.
    CHECK(a.salt != fake_keys(ScramHash::sha1, secret, "romeo", few).salt);
    CHECK(a.stored_key != a.server_key);
    for (const ScramHash hash : scram_hashes) {
        const ScramKeys keys = fake_keys(hash, secret, "romeo", few);
        CHECK(keys.stored_key.size() == scram_key_size(hash));
        CHECK(keys.server_key.size() == scram_key_size(hash));
    }
    const Credentials all = fake_credentials(secret, "romeo", few);
    CHECK(all.of(ScramHash::sha256) == a);
    CHECK_FALSE(verify_plain(all, "romeo"));
    CHECK(Credentials::parse(all.serialise()).ok());
}

TEST_CASE("wiping leaves nothing") {
    std::string secret = "secret";
    wipe(secret);
    CHECK(secret.empty());
}
