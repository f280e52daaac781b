// Data forms and result sets, as a server reads and writes them.
#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>

#include "gateway/xml/ns.h"
#include "gateway/xmpp/data_form.h"
#include "gateway/xmpp/packet.h"
#include "gateway/xmpp/result_set.h"

namespace causeway::test {
namespace {

void visit(const std::string& inner, const std::function<void(Element&, Arena&)>& look) {
    const Outcome visited =
        Packet::visit_bytes("<iq type='set' id='x'>" + inner + "</iq>",
                            [&](Stanza& stanza) { look(*stanza.payload(), stanza.arena); });
    REQUIRE(visited.ok());
}

Result<FormValues> form(const std::string& fields, const std::string& type = "submit",
                        std::size_t most = 4) {
    Result<FormValues> read = FormValues{};
    visit("<x xmlns='jabber:x:data' type='" + type + "'>" + fields + "</x>",
          [&](Element& element, Arena& arena) { read = read_form(element, "f", arena, most); });
    return read;
}

Result<ResultSetRequest> set(const std::string& inner) {
    Result<ResultSetRequest> read = ResultSetRequest{};
    visit("<query xmlns='q'>" + inner + "</query>",
          [&](Element& element, Arena& arena) { read = read_result_set(element, arena); });
    return read;
}

std::string rsm(const std::string& inner) {
    return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>";
}

const std::string head = "<field var='FORM_TYPE'><value>f</value></field>";

}  // namespace

TEST_CASE("form: fields with their values, in any order, without FORM_TYPE") {
    const auto read = form("<field var='b'><value>1</value><value>2</value></field>" + head +
                           "<field var='a'/><other/>");
    REQUIRE(read.ok());
    CHECK(read->size() == 2);
    CHECK(read->at("b") == std::vector<std::string>{"1", "2"});
    CHECK(read->at("a").empty());
}

TEST_CASE("form: a text that was shown may come back, as often as it likes") {
    std::string texts;
    for (int i = 0; i < 10; ++i) texts += "<field type='fixed'><value>Read this.</value></field>";
    const auto read = form(head + texts + "<field><value>And this.</value></field>" +
                           "<field var='a' type='fixed'><value>1</value></field>");
    REQUIRE(read.ok());
    CHECK(read->size() == 1);
    CHECK(read->at("a") == std::vector<std::string>{"1"});
}

TEST_CASE("form: what kind it is may be said twice, in the same words") {
    CHECK(form(head + head + "<field var='a'/>").ok());
    CHECK_FALSE(form(head + "<field var='FORM_TYPE'><value>g</value></field>").ok());
}

TEST_CASE("form: what is refused") {
    CHECK_FALSE(form(head, "form").ok());
    CHECK_FALSE(form(head, "cancel").ok());
    CHECK_FALSE(form("").ok());
    CHECK_FALSE(form("<field var='FORM_TYPE'><value>g</value></field>").ok());
    CHECK_FALSE(form("<field var='FORM_TYPE'><value>f</value><value>f</value></field>").ok());
    CHECK_FALSE(form(head + "<field type='text-single'><value>1</value></field>").ok());
    CHECK_FALSE(form(head + "<field var='a'/><field var='a'/>").ok());
    CHECK(form(head + "<field var='a'/><field var='b'/><field var='c'/>").ok());
    CHECK_FALSE(
        form(head + "<field var='a'/><field var='b'/><field var='c'/><field var='d'/>").ok());
    const std::string value = "<value>1</value>";
    CHECK(form(head + "<field var='a'>" + value + value + value + value + "</field>").ok());
    CHECK_FALSE(
        form(head + "<field var='a'>" + value + value + value + value + value + "</field>").ok());
}

TEST_CASE("form reader: what a field must be, and how it is said that it is not") {
    const FormValues values{{"one", {"a"}},        {"two", {"a", "b"}}, {"empty", {""}},
                            {"none", {}},          {"yes", {"true"}},   {"no", {"0"}},
                            {"jid", {"A@b.test"}}, {"bad", {"@"}}};
    const FormReader form(values);
    CHECK(*form.text("one") == "a");
    CHECK(form.text("empty").error().why() == "The form needs a value for the field \"empty\".");
    CHECK_FALSE(form.text("none").ok());
    CHECK_FALSE(form.text("missing").ok());
    CHECK_FALSE(form.text("two").ok());
    CHECK(*form.text_or("empty", "x") == "x");
    CHECK(form.lines("two") == "a\nb");
    CHECK(form.lines("missing").empty());
    CHECK(*form.flag("yes", false));
    CHECK_FALSE(*form.flag("no", true));
    CHECK(*form.flag("missing", true));
    CHECK_FALSE(form.flag("one", true).ok());
    constexpr std::array<std::string_view, 2> allowed{"a", "b"};
    CHECK(*form.one_of("one", allowed) == "a");
    CHECK_FALSE(form.one_of("yes", allowed).ok());
    CHECK(form.jid("jid")->full() == "a@b.test");
    CHECK_FALSE(form.jid("bad").ok());
    CHECK(form.jids("jid", 1)->size() == 1);
    CHECK_FALSE(form.jids("two", 1).ok());
    CHECK_FALSE(form.jids("none", 1).ok());
}

TEST_CASE("form builder: fields, options and a table") {
    FormBuilder asks("form", "f");
    asks.title("T").instructions("I").field({.name = "a",
                                             .type = FieldType::list_single,
                                             .label = "A & B",
                                             .values = {"x"},
                                             .options = {{"x", "X"}, {"y", {}}},
                                             .required = true});
    CHECK(asks.take() ==
          "<x xmlns='jabber:x:data' type='form'><title>T</title><instructions>I</instructions>"
          "<field var='FORM_TYPE' type='hidden'><value>f</value></field>"
          "<field var='a' type='list-single' label='A &amp; B'><required/><value>x</value>"
          "<option label='X'><value>x</value></option><option><value>y</value></option></field>"
          "</x>");
    const std::array<FormField, 2> columns{FormField{.name = "a", .label = "A"},
                                           FormField{.name = "b", .type = FieldType::jid_single}};
    const std::array<std::string, 2> row{"1", "x@y.test"};
    FormBuilder tells("result");
    tells.reported(columns).item(columns, row);
    CHECK(tells.take() ==
          "<x xmlns='jabber:x:data' type='result'><reported><field var='a' type='text-single' "
          "label='A'/><field var='b' type='jid-single'/></reported><item><field var='a'>"
          "<value>1</value></field><field var='b'><value>x@y.test</value></field></item></x>");
}

TEST_CASE("result set: which page is asked for") {
    CHECK_FALSE(set("")->max.has_value());
    const auto first = set(rsm("<max>10</max><after>a</after>"));
    REQUIRE(first.ok());
    CHECK(first->max == 10);
    CHECK(first->after == "a");
    CHECK_FALSE(first->before.has_value());
    CHECK(set(rsm("<before/>"))->before == "");
    CHECK(set(rsm("<before>b</before>"))->before == "b");
    CHECK_FALSE(set(rsm("<after/>"))->after.has_value());
    for (const char* bad : {"<max>-1</max>", "<max>x</max>", "<max/>", "<max>4294967296</max>",
                            "<max>1 </max>", "<index>0</index>"}) {
        CAPTURE(bad);
        CHECK_FALSE(set(rsm(bad)).ok());
    }
}

TEST_CASE("result set: what was given") {
    XmlBuilder full;
    append_result_set(full, {.first = "a", .last = "b", .index = 3, .count = 9});
    CHECK(full.take() ==
          "<set xmlns='http://jabber.org/protocol/rsm'><first index='3'>a</first><last>b</last>"
          "<count>9</count></set>");
    XmlBuilder empty;
    append_result_set(empty, {.first = {}, .last = {}, .index = 0, .count = 0});
    CHECK(empty.take() == "<set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set>");
}

}  // namespace causeway::test
