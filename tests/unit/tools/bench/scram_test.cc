// SCRAM against the exchanges printed in RFC 5802 §5 and RFC 7677 §3.
#include "tools/bench/scram.h"

#include <doctest/doctest.h>

#include <string>

using namespace causeway::bench;

TEST_CASE("SCRAM-SHA-1 gives the exchange of RFC 5802") {
    ScramCache cache;
    Failure failure;
    ScramExchange exchange(ScramHash::sha1, "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL");
    CHECK(exchange.first_message() == "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    CHECK(exchange.final_message("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                                 "s=QSXCR+Q6sek8bf92,i=4096",
                                 cache, failure) ==
          "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    CHECK_FALSE(failure);
    CHECK(exchange.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
    CHECK_FALSE(exchange.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKA="));
    CHECK_FALSE(exchange.verify("e=invalid-proof"));
}

TEST_CASE("SCRAM-SHA-256 gives the exchange of RFC 7677") {
    ScramCache cache;
    Failure failure;
    ScramExchange exchange(ScramHash::sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
    CHECK(exchange.final_message("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                 "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                                 cache, failure) ==
          "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
          "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    CHECK_FALSE(failure);
    CHECK(exchange.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

TEST_CASE("a challenge that does not extend the nonce, or has no salt or count, is refused") {
    for (const char* challenge :
         {"r=nonce,s=QSXCR+Q6sek8bf92,i=4096", "r=other1,s=QSXCR+Q6sek8bf92,i=4096",
          "r=nonce1,s=!,i=4096", "r=nonce1,s=QSXCR+Q6sek8bf92,i=0", "r=nonce1,s=QSXCR+Q6sek8bf92",
          "r=nonce1,s=QSXCR+Q6sek8bf92,i=999999999", ""}) {
        CAPTURE(challenge);
        ScramCache cache;
        Failure failure;
        ScramExchange exchange(ScramHash::sha1, "user", "pencil", "nonce");
        CHECK(exchange.final_message(challenge, cache, failure).empty());
        CHECK(failure);
        CHECK_FALSE(exchange.verify("v="));
    }
}

TEST_CASE("commas and equals signs in names are escaped") {
    CHECK(ScramExchange(ScramHash::sha1, "a=b,c", "", "n").first_message() == "n,,n=a=3Db=2Cc,r=n");
}

TEST_CASE("base64 goes both ways for every padding") {
    for (const std::string text : {"", "a", "ab", "abc", "abcd"}) {
        CHECK(decode_base64(encode_base64(text)) == text);
    }
    CHECK(encode_base64("ab") == "YWI=");
    CHECK_FALSE(decode_base64("YWI"));
    CHECK_FALSE(decode_base64("****"));
}

TEST_CASE("nonces differ and are printable without commas") {
    const std::string nonce = make_nonce();
    CHECK(nonce != make_nonce());
    CHECK(nonce.size() == 24);
    CHECK(nonce.find(',') == std::string::npos);
}
