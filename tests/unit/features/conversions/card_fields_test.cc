#include "gateway/features/conversions/card_fields.h"

#include <doctest/doctest.h>

namespace causeway::conversions {
namespace {

std::string temp(const std::string& inner) {
    return "<vCard xmlns='vcard-temp'>" + inner + "</vCard>";
}
std::string four(const std::string& inner) {
    return "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>" + inner + "</vcard>";
}

/// What changed from `before` to `after`, put into `into`, which is of the other form.
std::string converted(const std::string& after, CardForm form, const std::string& into,
                      const std::string& before = {}) {
    const auto change = change_of(before, after, form);
    REQUIRE(change.ok());
    const CardForm other = form == CardForm::temp ? CardForm::four : CardForm::temp;
    return with_change(into, other, *change).value_or("the same");
}

TEST_CASE("cards: a property goes into the other form, and back into the same") {
    const std::pair<std::string, std::string> pairs[] = {
        {"<FN>J</FN>", "<fn><text>J</text></fn>"},
        {"<N><FAMILY>C</FAMILY><GIVEN>J</GIVEN></N>",
         "<n><surname>C</surname><given>J</given><additional/><prefix/><suffix/></n>"},
        {"<NICKNAME>J</NICKNAME>", "<nickname><text>J</text></nickname>"},
        {"<BDAY>1594-08-01</BDAY>", "<bday><date>1594-08-01</date></bday>"},
        {"<EMAIL><HOME/><PREF/><USERID>j@c.test</USERID></EMAIL>",
         "<email><parameters><type><text>home</text></type><pref><integer>1</integer></pref>"
         "</parameters><text>j@c.test</text></email>"},
        {"<TEL><CELL/><NUMBER>+39-045</NUMBER></TEL>",
         "<tel><parameters><type><text>cell</text></type></parameters><uri>tel:+39-045</uri></"
         "tel>"},
        {"<TEL><NUMBER>045 1</NUMBER></TEL>", "<tel><text>045 1</text></tel>"},
        {"<ORG><ORGNAME>C</ORGNAME><ORGUNIT>D</ORGUNIT><ORGUNIT>E</ORGUNIT></ORG>",
         "<org><text>C</text><text>D</text><text>E</text></org>"},
        {"<TITLE>T</TITLE>", "<title><text>T</text></title>"},
        {"<URL>http://c.test/?a&amp;b</URL>", "<url><uri>http://c.test/?a&amp;b</uri></url>"},
        {"<NOTE>N</NOTE>", "<note><text>N</text></note>"},
        {"<PHOTO><TYPE>image/png</TYPE><BINVAL>AAAA</BINVAL></PHOTO>",
         "<photo><uri>data:image/png;base64,AAAA</uri></photo>"},
        {"<PHOTO><EXTVAL>http://c.test/j</EXTVAL></PHOTO>",
         "<photo><uri>http://c.test/j</uri></photo>"},
        {"<JABBERID>j@c.test</JABBERID>", "<impp><uri>xmpp:j@c.test</uri></impp>"},
    };
    for (const auto& [in_temp, in_four] : pairs) {
        CAPTURE(in_temp);
        CHECK(converted(temp(in_temp), CardForm::temp, "") == four(in_four));
        CHECK(converted(four(in_four), CardForm::four, "") == temp(in_temp));
        CHECK(converted(temp(in_temp), CardForm::temp, four(in_four)) == "the same");
        CHECK(converted(four(in_four), CardForm::four, temp(in_temp)) == "the same");
    }
}

TEST_CASE("cards: what the other form cannot say stays, and what did not change stays as written") {
    const std::string into = four(
        "<kind><text>individual</text></kind><fn><parameters><language>en</language>"
        "</parameters><text> J </text></fn><tel><parameters><type><text>textphone</text></type>"
        "</parameters><uri>tel:+1</uri></tel><url><uri>http://old.test</uri></url>");
    CHECK(
        converted(temp("<TEL><MSG/><NUMBER>+1</NUMBER></TEL><FN>J</FN><AGENT>x</AGENT>"
                       "<URL>http://new.test</URL><TITLE>T</TITLE>"),
                  CardForm::temp, into) ==
        four(
            "<kind><text>individual</text></kind><fn><parameters><language>en</language>"
            "</parameters><text> J </text></fn><tel><parameters><type><text>textphone</text></type>"
            "</parameters><uri>tel:+1</uri></tel><url><uri>http://new.test</uri></url>"
            "<title><text>T</text></title>"));
    CHECK(converted(four("<note><text>new</text></note>"), CardForm::four,
                    temp("<MAILER>m</MAILER><DESC>old</DESC>")) ==
          temp("<MAILER>m</MAILER><DESC>new</DESC>"));
    CHECK(converted(four(""), CardForm::four, temp("<FN>J</FN><UID>7</UID>"),
                    four("<fn><text>J</text></fn>")) == temp("<UID>7</UID>"));
    // Properties that are as before leave those of the other form alone.
    CHECK(converted(temp("<FN>J</FN><TITLE>T</TITLE>"), CardForm::temp,
                    four("<fn><text>K</text></fn><role><text>R</text></role>"),
                    temp("<FN>J</FN>")) ==
          four("<fn><text>K</text></fn><role><text>R</text></role><title><text>T</text></title>"));
}

TEST_CASE("cards: what has no value, or none that can be read, is no field") {
    for (const std::string& card : {temp("<FN> </FN><N/><TEL><HOME/></TEL><ORG><ORGNAME/></ORG>"
                                         "<PHOTO><TYPE>image/png</TYPE><BINVAL>!</BINVAL></"
                                         "PHOTO><FN xmlns='urn:x'>J</FN>")}) {
        const auto fields = fields_of(card, CardForm::temp);
        REQUIRE(fields.ok());
        CHECK(fields->empty());
    }
    const auto fields = fields_of(
        four("<fn/><tel><uri>tel:</uri></tel><impp><uri>irc:j</uri></impp>"
             "<photo><uri>data:,x</uri></photo><photo><uri>data:image/png;base64,?</uri></photo>"),
        CardForm::four);
    REQUIRE(fields.ok());
    CHECK(fields->empty());
    CHECK(fields_of("", CardForm::temp).ok());
    CHECK(fields_of(four(""), CardForm::temp).error().cause() == Cause::malformed);
    CHECK(fields_of("<x", CardForm::temp).error().cause() == Cause::malformed);
}

TEST_CASE("cards: the number of fields is bounded") {
    std::string many;
    for (int i = 0; i < 200; ++i) many += "<FN>x</FN>";
    CHECK(fields_of(temp(many), CardForm::temp).ok());
    CHECK(fields_of(temp(many + "<FN>x</FN>"), CardForm::temp).error().cause() == Cause::policy);
}

}  // namespace
}  // namespace causeway::conversions
