// PLAIN, EXTERNAL, the text form of payloads, and the table of conditions.
#include "gateway/sasl/plain.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "gateway/sasl/external.h"
#include "gateway/sasl/payload.h"
#include "gateway/sasl/scram_keys.h"
#include "gateway/xmpp/jid.h"

using namespace causeway;
using namespace std::string_literals;

TEST_CASE("PLAIN: the parts of a message") {
    struct Row {
        std::string message, authzid, authcid, password;
    };
    const std::vector<Row> rows{
        {"\0tim\0tanstaaftanstaaf"s, "", "tim", "tanstaaftanstaaf"},
        {"Ursel\0Kurt\0xipj3plmq"s, "Ursel", "Kurt", "xipj3plmq"},
        {"\0\u00FC\0p\u00E4ss w\u00F6rd"s, "", "\u00FC", "p\u00E4ss w\u00F6rd"},
        {"\0a\0\x01"s, "", "a", "\x01"},
        {"\0a\0"s + std::string(max_password, 'x'), "", "a", std::string(max_password, 'x')},
    };
    for (const Row& row : rows) {
        const auto request = parse_plain(row.message);
        REQUIRE(request.ok());
        CHECK(request->authzid == row.authzid);
        CHECK(request->authcid == row.authcid);
        CHECK(request->password == row.password);
        CHECK(plain_message(row.authzid, row.authcid, row.password) == row.message);
    }
}

TEST_CASE("PLAIN: what is no message") {
    const std::vector<std::string> messages{
        "",
        "\0"s,
        "\0\0"s,
        "\0\0\0"s,
        "tim",
        "tim\0tanstaaf"s,
        "\0tim"s,
        "\0tim\0"s,
        "\0\0tanstaaf"s,
        "\0tim\0tans\0taaf"s,
        "\0tim\0tanstaaf\0"s,
        "\0\0tim\0tanstaaf"s,
        "\0tim\0\xFF"s,
        "\0\xC0\x80\0x"s,
        "\xED\xA0\x80\0tim\0x"s,
        "\0tim\0"s + std::string(max_password + 1, 'x'),
        "\0"s + std::string(Jid::max_size + 1, 'x') + "\0x"s,
        std::string(Jid::max_size + 1, 'x') + "\0tim\0x"s,
    };
    for (const std::string& message : messages) {
        CAPTURE(message);
        const auto request = parse_plain(message);
        REQUIRE_FALSE(request.ok());
        CHECK(request.error().condition == sasl_condition::malformed_request);
    }
}

TEST_CASE("EXTERNAL: an identity, or none") {
    CHECK(*parse_external("") == "");
    CHECK(*parse_external("=") == "");
    CHECK(*parse_external("montague.example") == "montague.example");
    CHECK(*parse_external("b\u00FCcher.example") == "b\u00FCcher.example");
    CHECK(*parse_external(std::string(Jid::max_size, 'x')) == std::string(Jid::max_size, 'x'));
    for (const std::string& message : {"\0"s, "montague.example\0.evil.example"s, "\xFF"s,
                                       std::string(Jid::max_size + 1, 'x')}) {
        CAPTURE(message);
        const auto identity = parse_external(message);
        REQUIRE_FALSE(identity.ok());
        CHECK(identity.error().condition == sasl_condition::malformed_request);
    }
}

TEST_CASE("payloads: no response, an empty one, and base64 to the letter") {
    CHECK_FALSE(decode_initial_response("")->has_value());
    CHECK(**decode_initial_response("=") == "");
    CHECK(**decode_initial_response("AHRpbQB4") == "\0tim\0x"s);
    CHECK(*decode_sasl_payload("") == "");
    CHECK(*decode_sasl_payload("=") == "");
    CHECK(*decode_sasl_payload("biws") == "n,,");
    for (const char* text : {"b", "bi", "biw", "biw=x", "bi ws", "biws\n", " biws",
                             "biws=", "==", "====", "Yh==", "Yg=", "b-ws", "b_ws", "\u00FC"}) {
        CAPTURE(text);
        REQUIRE_FALSE(decode_sasl_payload(text).ok());
        CHECK(decode_sasl_payload(text).error().condition == sasl_condition::incorrect_encoding);
        CHECK_FALSE(decode_initial_response(text).ok());
    }
    CHECK(encode_sasl_payload("") == "=");
    CHECK(encode_sasl_payload("n,,") == "biws");
}

TEST_CASE("the table of conditions is complete and knows its names") {
    CHECK(sasl_condition::all.size() == 11);
    for (const std::string_view name : sasl_condition::all) CHECK(sasl_condition::is_known(name));
    CHECK(sasl_condition::is_known("account-disabled"));
    CHECK(sasl_condition::is_known("temporary-auth-failure"));
    CHECK_FALSE(sasl_condition::is_known("bad-protocol"));
    CHECK_FALSE(sasl_condition::is_known(""));
}
