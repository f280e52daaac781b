// The parts of an address: what each becomes, and that its normal form is stable.
#include <string>

#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/unicode.h"
#include "tests/unit/xmpp/jid_rows.h"

using causeway::Jid;
using namespace causeway::test;
using namespace std::string_literals;
using namespace std::string_view_literals;

TEST_CASE("local parts") {
    check_rows(
        {
            {"romeo", "romeo"},
            {"RoMeO", "romeo"},
            {"a!#$%()*+,-.;=?[\\]^_`{|}~", "a!#$%()*+,-.;=?[\\]^_`{|}~"},
            {"a\"", "!"},
            {"a&b", "!"},
            {"a'b", "!"},
            {"a/b", "!"},
            {"a:b", "!"},
            {"<a", "!"},
            {"a>", "!"},
            {"a@b", "!"},
            {"a b", "!"},
            {"a\tb", "!"},
            {"a\nb", "!"},
            {"a\x7F"s, "!"},
            {"a\0b"s, "!"},
            {"\0"s, "!"},
            {"\u00FC\0"s, "!"},
            {"", "!"},
            // Case, width and composition.
            {"J\u00DCRGEN", "j\u00FCrgen"},
            {"Ju\u0308rgen", "j\u00FCrgen"},
            {"\uFF32\uFF4F\uFF4D\uFF45\uFF4F", "romeo"},  // fullwidth
            {"\uFF76\uFF9E", "\u30AC"},                   // halfwidth katakana, sound mark and all
            {"\u212B", "!"},    // the angstrom sign composes to a letter: it has a compatible form
            {"\uFB01sh", "!"},  // ligature
            {"x\u00B2", "!"},   // superscript two
            {"\u0130", "i\u0307"},  // dotted capital I
            {"\u1E9E", "!"},        // capital sharp s, newer than Unicode 3.2: the forms differ
            {"\u13A0", "!"},        // Cherokee, which got its case only later
            {"\uAB70", "\uAB70"},
            {"\u0526", "!"},       // Cyrillic of Unicode 6: capital
            {"\u0527", "\u0527"},  // and small
            // Forbidden characters in disguise.
            {"a\uFF20b", "!"},  // fullwidth at-sign
            {"a\uFF0Fb", "!"},  // fullwidth solidus
            {"a\u2100b", "!"},  // account of
            {"a\uFF02", "!"},   // fullwidth quotation mark
        },
        causeway::prepare_local);
}

TEST_CASE("local parts with what is invisible, private or unassigned") {
    check_rows(
        {
            {"ju\u00ADliet", "!"},  // soft hyphen, which stringprep would drop
            {"ju\u200Bliet", "!"},  // zero width space
            {"ju\u200Dliet", "!"},  // joiner without a virama before it
            {"ju\u200Cliet", "!"},  // non-joiner likewise
            {"\u0915\u094D\u200D\u0937", "\u0915\u094D\u0937"},  // with one: valid, and dropped
            {"\u0628\u200C\u0628", "\u0628\u0628"},  // the non-joiner between joining letters
            {"\u0627\u200C\u0628", "!"},             // but alef does not join to its left
            {"\u0628\u200C", "!"},
            {"\u200C\u0628", "!"},
            {"\uFEFFromeo", "!"},
            {"romeo\uFE0F", "!"},  // variation selector
            {"\u2060romeo", "!"},
            {"a\u202Eb", "!"},     // right-to-left override
            {"a\U000E0041", "!"},  // tag
            {"\uE000", "!"},       // private use
            {"\uFDD0", "!"},       // noncharacters
            {"\uFFFE", "!"},
            {"\U0001FFFF", "!"},
            {"\U0010FFFF", "!"},
            {"\u0378", "!"},      // unassigned
            {"\U000E0080", "!"},  // unassigned and ignorable
            {"\uFFFD", "!"},
            {"\U0001F600", "!"},  // emoji are symbols
            {"a\u00A0b", "!"},
            {"a\u3000b", "!"},
            {"a\u2028b", "!"},
            {"a\u0085b", "!"},
            {"\u1100\u1161", "!"},  // conjoining jamo
            {"\uAC00", "\uAC00"},
            {"\u0640", "!"},       // tatweel, an exception of PRECIS
            {"\u3007", "\u3007"},  // and one that allows
            {"\u0301a", "\u0301a"},
        },
        causeway::prepare_local);
}

TEST_CASE("local parts whose characters depend on those beside them, or run both ways") {
    check_rows(
        {
            {"l\u00B7l", "l\u00B7l"},
            {"a\u00B7b", "!"},
            {"\u30A2\u30FB", "\u30A2\u30FB"},
            {"a\u30FBb", "!"},
            {"\u0375\u03B1", "\u0375\u03B1"},
            {"\u0375a", "!"},
            // Both directions.
            {"\u05D0\u05D1", "\u05D0\u05D1"},
            {"\u05D0a\u05D1", "!"},
            {"a\u05D0", "!"},
            {"\u05D01", "!"},  // stringprep wants a right-to-left letter at the end
            {"1\u05D0", "!"},
            {"\u05D01\u05D0", "\u05D01\u05D0"},
            {"\u05D0\u05F3\u05D0", "\u05D0\u05F3\u05D0"},
            {"\u0627\u06601\u0627", "!"},  // Arabic and European digits
            {"\u0660\u06F0", "!"},
        },
        causeway::prepare_local);
}

TEST_CASE("local parts that are not UTF-8, and the longest") {
    check_rows(
        {
            {"\x80", "!"},
            {"a\xC3", "!"},
            {"\xC0\x80", "!"},
            {"\xC1\xA1", "!"},
            {"\xE0\x80\xAF", "!"},
            {"\xED\xA0\x80", "!"},  // surrogates
            {"\xED\xB0\x80", "!"},
            {"\xED\xA0\xBD\xED\xB8\x80", "!"},
            {"\xF4\x90\x80\x80", "!"},
            {"\xF8\x88\x80\x80\x80", "!"},
            {"\xFF\xFE", "!"},
            // Length: 1023 bytes, before and after.
            {repeat("a", 1023), repeat("a", 1023)},
            {repeat("a", 1024), "!"},
            {repeat("A", 1023), repeat("a", 1023)},
            {repeat("\u00FC", 511), repeat("\u00FC", 511)},
            {repeat("\u00FC", 512), "!"},
            {repeat("a", 1000000), "!"},
            {repeat("\u0390", 511), repeat("\u0390", 511)},
        },
        causeway::prepare_local);
}

TEST_CASE("resources") {
    check_rows(
        {
            {"Balcony", "Balcony"},
            {" ", " "},
            {"a b", "a b"},
            {"\"&'/:<>@", "\"&'/:<>@"},
            {"", "!"},
            {"a\0b"s, "!"},
            {"a\tb", "!"},
            {"a\nb", "!"},
            {"a\x7F"s, "!"},
            {"\u00DC\u00DF", "\u00DC\u00DF"},  // no case folding
            {"U\u0308", "\u00DC"},
            {"\U0001109A", "\U0001109A"},   // composed, newer than Unicode 3.2: stringprep
            {"\U00011099\U000110BA", "!"},  // would leave the parts apart, PRECIS would not
            {"\uFB01", "fi"},               // compatibility forms are folded
            {"\u2460", "1"},
            {"a\u00A0b", "a b"},
            {"a\u3000b", "a b"},
            {"a\u1680b", "!"},             // a space that stringprep prohibits
            {"\U0001F600", "\U0001F600"},  // newer than Unicode 3.2
            {"\u2764\uFE0F", "!"},         // variation selectors are ignorable: PRECIS refuses
            {"a\u00ADb", "!"},
            {"a\u200Bb", "!"},
            {"a\u202Eb", "!"},
            {"\uFFFD", "!"},
            {"\uFFFC", "!"},
            {"\uFDD0", "!"},
            {"\uFFFF", "!"},
            {"\uE000", "!"},
            {"\u0378", "!"},
            {"\u2028", "!"},
            {"\u0085", "!"},
            {"\u2FF0", "!"},  // ideographic description, prohibited by stringprep
            {"\u1100", "!"},
            {"\u05D0 \u05D1", "\u05D0 \u05D1"},
            {"\u05D0a", "!"},
            {"\xED\xA0\x80", "!"},
            {"\xC0\x80", "!"},
            {"\xF0\x9F\x98", "!"},
            {repeat("x", 1023), repeat("x", 1023)},
            {repeat("x", 1024), "!"},
            {repeat("\uFDFA", 341), "!"},  // 1023 bytes that would become 18 letters each
            {repeat("\u3300", 85), repeat("\u30A2\u30D1\u30FC\u30C8", 85)},
            {repeat("\u3300", 86), "!"},
        },
        causeway::prepare_resource);
}

TEST_CASE("domains") {
    const std::string label63 = repeat("a", 63);
    const std::string name253 = label63 + "." + label63 + "." + label63 + "." + repeat("a", 61);
    check_rows(
        {
            {"example.com", "example.com"},
            {"EXAMPLE.Com", "example.com"},
            {"localhost", "localhost"},
            {"example.com.", "example.com"},
            {"EXAMPLE.com.", "example.com"},
            {"example.com..", "!"},
            {".", "!"},
            {"..", "!"},
            {".example.com", "!"},
            {"example..com", "!"},
            {"", "!"},
            {"3com.example", "3com.example"},
            {"a-b.example", "a-b.example"},
            {"-a.example", "!"},
            {"a-.example", "!"},
            {"ab--cd.example", "!"},
            {"a_b.example", "!"},
            {"a b.example", "!"},
            {"example.com:5222", "!"},
            {"example.com\0"s, "!"},
            {"exa\0mple.com"s, "!"},
            {"exa\nmple.com", "!"},
            {label63 + ".example", label63 + ".example"},
            {label63 + "a.example", "!"},
            {name253, name253},
            {name253 + ".", name253},
            {name253 + "a", "!"},
            {"a." + name253, "!"},
            {repeat("a.", 5000) + "a", "!"},
        },
        causeway::prepare_domain);
}

TEST_CASE("international domains are U-labels, whichever form was given") {
    check_rows(
        {
            {"B\u00DCCHER.example", "b\u00FCcher.example"},
            {"bu\u0308cher.example", "b\u00FCcher.example"},
            {"xn--bcher-kva.example", "b\u00FCcher.example"},
            {"XN--BCHER-KVA.example", "b\u00FCcher.example"},
            {"xn--bcher-kva.example.", "b\u00FCcher.example"},
            {"b\u00FCcher\u3002example", "b\u00FCcher.example"},  // ideographic full stop
            {"b\u00FCcher.example\u3002", "b\u00FCcher.example"},
            {"example.com.\u3002", "!"},
            {"fa\u00DF.example", "fa\u00DF.example"},  // not fass
            {"xn--fa-hia.example", "fa\u00DF.example"},
            {"\u03B2\u03CC\u03BB\u03BF\u03C2.example", "\u03B2\u03CC\u03BB\u03BF\u03C2.example"},
            {"\uFF45\uFF58\uFF41\uFF4D\uFF50\uFF4C\uFF45.com", "example.com"},
            {"xn--.example", "!"},
            {"xn--abc-.example", "!"},  // an A-label that hides plain ASCII
            {"xn--a.example", "!"},
            {"xn--zzzzzzzzzzzz.example", "!"},
            {"\u2603.example", "!"},  // a symbol: UTS #46 has it, IDNA2008 does not
            {"xn--n3h.example", "!"},
            {"\U0001F4A9.example", "!"},
            {"a\u2100.example", "!"},
            {"exam\u00ADple.com", "!"},  // UTS #46 alone would drop the soft hyphen
            {"\uFB01sh.example", "!"},
            {"\u00AAb.example", "!"},
            {"a\u200Db.example", "!"},
            {"\u0915\u094D\u200D\u0937.example", "\u0915\u094D\u200D\u0937.example"},
            {"\u0301a.example", "!"},  // a leading combining mark
            {"\u05D0\u05D1.example", "\u05D0\u05D1.example"},
            {"\u05D0a.example", "!"},
            {"1\u05D0.example", "!"},
            {"a\u00B7b.example", "!"},
            {"\uFDD0.example", "!"},
            {"\u0378.example", "!"},
            {"\uFFFD.example", "!"},
            {"\xED\xA0\x80.example", "!"},
            {"\xC0\xAE.example", "!"},
            {repeat("\u00FC", 59) + ".example", "!"},  // its A-label is too long
        },
        causeway::prepare_domain);
}

TEST_CASE("domains that are address literals") {
    check_rows(
        {
            {"192.0.2.1", "192.0.2.1"},
            {"192.0.2.1.", "192.0.2.1"},
            {"192.0.2.256", "!"},
            {"192.0.2", "!"},
            {"192.0.2.01", "!"},
            {"127.1", "!"},
            {"2130706433", "!"},
            {"0x7f000001", "!"},
            {"host.0x7f", "!"},
            {"\uFF11\uFF19\uFF12.0.2.1", "192.0.2.1"},
            {"[::1]", "[::1]"},
            {"[2001:DB8:0:0::1]", "[2001:db8::1]"},
            {"[2001:0db8::0001]", "[2001:db8::1]"},
            {"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"},
            {"[fe80::1%eth0]", "!"},
            {"[fe80::1%25eth0]", "!"},
            {"[::1", "!"},
            {"::1", "!"},
            {"[]", "!"},
            {"[", "!"},
            {"[192.0.2.1]", "!"},
            {"[::1]x", "!"},
            {"[::1\0]"s, "!"},
            {"[::1].", "!"},
        },
        causeway::prepare_domain);
}

TEST_CASE("a domain for DNS is made of A-labels") {
    CHECK(causeway::domain_to_ascii("example.com") == "example.com");
    CHECK(causeway::domain_to_ascii("b\u00FCcher.example") == "xn--bcher-kva.example");
    CHECK(causeway::domain_to_ascii("fa\u00DF.example") == "xn--fa-hia.example");
    CHECK(causeway::domain_to_ascii("192.0.2.1") == "192.0.2.1");
    CHECK(causeway::domain_to_ascii("[::1]") == "[::1]");
    CHECK(causeway::domain_to_ascii("\u0378.example").empty());
}

TEST_CASE("every code point gives a stable local part and resource, or none") {
    // Exhaustive over Unicode: normal forms are fixed points of all preparations at once.
    std::size_t locals = 0;
    std::size_t resources = 0;
    for (char32_t point = 1; point <= 0x10FFFF; ++point) {
        if (point >= 0xD800 && point <= 0xDFFF) continue;
        const std::string text = causeway::unicode::encode(std::u32string(1, point));
        if (const auto local = causeway::prepare_local(text)) {
            ++locals;
            const auto again = causeway::prepare_local(*local);
            if (!again || *again != *local) FAIL("local part is not stable: ", text);
        }
        if (const auto resource = causeway::prepare_resource(text)) {
            ++resources;
            const auto again = causeway::prepare_resource(*resource);
            if (!again || *again != *resource) FAIL("resource is not stable: ", text);
        }
    }
    CHECK(locals > 100000);
    CHECK(resources > locals);
}
