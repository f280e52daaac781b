// Access rules as data: what names whom, the order, what is written and read again.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "gateway/session/access_rules.h"
#include "gateway/session/presence_view.h"

namespace causeway::test {
namespace {

AccessRule rule(std::string_view subject, std::string_view act, std::string_view answer) {
    auto made = AccessRule::parse(subject, act, answer);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().why()));
    return *made;
}

bool names(std::string_view subject, const std::string& who, const RosterItem* contact = nullptr,
           bool anonymous = false) {
    const Jid jid = *Jid::parse(who);
    return rule(subject, "write", "deny").subject.names({jid, contact, anonymous});
}

RosterItem contact(bool to, bool from, std::vector<std::string> groups = {}) {
    RosterItem item;
    item.state.to = to;
    item.state.from = from;
    item.groups = std::move(groups);
    return item;
}

}  // namespace

TEST_CASE("access rules: subjects") {
    CHECK(names("jid:romeo@a.test", "romeo@a.test/orchard"));
    CHECK(names("jid:Romeo@A.test", "romeo@a.test"));
    CHECK_FALSE(names("jid:romeo@a.test", "romeo@b.test"));
    CHECK(names("jid:romeo@a.test/orchard", "romeo@a.test/orchard"));
    CHECK_FALSE(names("jid:romeo@a.test/orchard", "romeo@a.test/garden"));
    CHECK_FALSE(names("jid:romeo@a.test/orchard", "romeo@a.test"));
    CHECK(names("domain:a.test", "romeo@a.test"));
    CHECK(names("domain:a.test", "a.test"));
    CHECK_FALSE(names("domain:a.test", "romeo@x.a.test"));
    CHECK(names("domain:*.a.test", "romeo@a.test"));
    CHECK(names("domain:*.a.test", "romeo@x.y.a.test"));
    CHECK_FALSE(names("domain:*.a.test", "romeo@ba.test"));
    const RosterItem friendly = contact(true, true, {"Friends"});
    CHECK(names("group:Friends", "romeo@a.test", &friendly));
    CHECK_FALSE(names("group:friends", "romeo@a.test", &friendly));
    CHECK_FALSE(names("group:Friends", "romeo@a.test"));
    CHECK(names("subscription:both", "romeo@a.test", &friendly));
    CHECK_FALSE(names("subscription:from", "romeo@a.test", &friendly));
    CHECK(names("subscription:none", "romeo@a.test"));
    const RosterItem watcher = contact(false, true);
    CHECK(names("subscription:from", "romeo@a.test", &watcher));
    CHECK(names("anonymous", "x@guest.test", nullptr, true));
    CHECK_FALSE(names("anonymous", "x@guest.test"));
    CHECK(names("anyone", "b.test"));
}

TEST_CASE("access rules: the first that names subject and act decides") {
    AccessRules rules;
    rules.insert(rule("domain:b.test", "write", "deny"), 1);
    rules.insert(rule("jid:romeo@b.test", "write", "allow"), 1);
    rules.insert(rule("anyone", "subscribe", "polite"), 99);
    const Jid romeo = *Jid::parse("romeo@b.test"), tybalt = *Jid::parse("tybalt@b.test");
    CHECK(rules.find({romeo, nullptr, false}, AccessAct::write)->answer == AccessAnswer::allow);
    const AccessRule* found = rules.find({tybalt, nullptr, false}, AccessAct::write);
    REQUIRE(found != nullptr);
    CHECK(rules.number_of(*found) == 2);
    CHECK(rules.find({tybalt, nullptr, false}, AccessAct::see) == nullptr);
    CHECK(rules.polite());
    CHECK(rules.remove(3));
    CHECK_FALSE(rules.polite());
    CHECK_FALSE(rules.about(AccessAct::subscribe));
    CHECK_FALSE(rules.remove(3));
    CHECK_FALSE(rules.remove(0));
}

TEST_CASE("access rules: a long list is answered as if each rule were looked at") {
    RosterItem friendly = contact(true, true, {"Friends", "Family"});
    std::vector<std::pair<Jid, const RosterItem*>> askers;
    std::string many_labels = "test";
    for (int label = 0; label < 30; ++label) many_labels.insert(0, "x.");
    for (const std::string& text :
         {std::string("b.test"), std::string("romeo@b.test"), std::string("romeo@b.test/orchard"),
          std::string("tybalt@x.b.test"), std::string("x@y.x.b.test/z"), "romeo@" + many_labels}) {
        askers.emplace_back(*Jid::parse(text), nullptr);
        askers.emplace_back(*Jid::parse(text), &friendly);
    }
    const std::array subjects{"jid:romeo@b.test",
                              "jid:romeo@b.test/orchard",
                              "domain:b.test",
                              "domain:*.b.test",
                              "domain:*.x.b.test",
                              "domain:*.x.x.test",
                              "domain:*.test",
                              "group:Friends",
                              "group:Family",
                              "subscription:both",
                              "subscription:none",
                              "anonymous",
                              "anyone"};
    for (const char* subject : subjects) {
        AccessRules rules;
        for (int i = 0; i < 40; ++i) {
            rules.insert(rule(fmt::format("jid:person{}@b.test", i), "write", "deny"), 1000);
            rules.insert(rule(fmt::format("domain:*.d{}.test", i), "write", "deny"), 1000);
        }
        rules.insert(rule(subject, "see", "nothing"), 1000);
        rules.insert(rule(subject, "write", "hold"), 1000);
        rules.insert(rule("anyone", "write", "allow"), 1000);
        for (const auto& [jid, item] : askers) {
            for (const bool anonymous : {false, true}) {
                const AccessAsker asker(jid, item, anonymous);
                CAPTURE(subject);
                CAPTURE(jid.full());
                const AccessRule* found = rules.find(asker, AccessAct::write);
                REQUIRE(found != nullptr);
                CHECK(rules.number_of(*found) ==
                      (rule(subject, "write", "hold").subject.names(asker) ? 82 : 83));
            }
        }
    }
}

TEST_CASE("access rules: which rule leaves another one without effect, whoever asks") {
    const auto covers = [](std::string_view wide, std::string_view narrow) {
        return AccessSubject::parse(wide)->covers(*AccessSubject::parse(narrow));
    };
    CHECK(covers("anyone", "subscription:none"));
    CHECK(covers("group:Friends", "group:Friends"));
    CHECK(covers("jid:romeo@b.test", "jid:romeo@b.test/x"));
    CHECK(covers("domain:b.test", "jid:romeo@b.test/x"));
    CHECK(covers("domain:*.b.test", "jid:romeo@a.b.test"));
    CHECK(covers("domain:*.b.test", "domain:b.test"));
    CHECK(covers("domain:*.b.test", "domain:*.a.b.test"));
    CHECK_FALSE(covers("jid:romeo@b.test/x", "jid:romeo@b.test"));
    CHECK_FALSE(covers("jid:b.test", "domain:b.test"));
    CHECK_FALSE(covers("domain:b.test", "domain:*.b.test"));
    CHECK_FALSE(covers("domain:*.a.b.test", "domain:*.b.test"));
    CHECK_FALSE(covers("subscription:none", "jid:romeo@b.test"));
    CHECK_FALSE(covers("group:Friends", "subscription:both"));
    CHECK_FALSE(covers("jid:romeo@b.test", "anyone"));

    AccessRules rules;
    const auto add = [&](std::string_view subject, std::string_view act, bool waived) {
        AccessRule rule = *AccessRule::parse(subject, act, "allow");
        rule.waived = waived;
        rules.insert(std::move(rule), 1000);
    };
    add("anyone", "write", true);
    add("domain:b.test", "write", false);
    add("jid:romeo@b.test", "write", false);
    add("jid:romeo@b.test", "publish", false);
    add("jid:romeo@c.test", "write", true);
    const auto before = [&](std::size_t number) -> std::size_t {
        const AccessRule* found = rules.deciding_before(rules.all()[number - 1]);
        return found == nullptr ? 0 : rules.number_of(*found);
    };
    CHECK(before(1) == 0);  // others decide before it for some
    CHECK(before(2) == 0);  // what is waived is looked at later
    CHECK(before(3) == 2);
    CHECK(before(4) == 0);
    CHECK(before(5) == 1);
}

TEST_CASE("access rules: what is written is read again, and damage is noticed") {
    AccessRules rules;
    AccessRule waived = rule("domain:*.b.test", "see", "nothing");
    waived.waived = true;
    waived.since = 1234;
    rules.insert(waived, 1);
    rules.insert(rule("group:A \"B\"\tC", "read-archive", "allow"), 2);
    const auto again = AccessRules::read(rules.serialise());
    REQUIRE(again.has_value());
    CHECK(again->serialise() == rules.serialise());
    CHECK(again->all()[0].waived);
    CHECK(again->all()[0].since == 1234);
    CHECK(again->about(AccessAct::see));
    for (const char* text : {"", "{}", "[1]", "[{}]", R"([{"subject":"anyone","act":"write"}])",
                             R"([{"subject":"nobody","act":"write","answer":"deny"}])"}) {
        CHECK_FALSE(AccessRules::read(text).has_value());
    }
}

TEST_CASE(
    "access rules: 500 rules of others concern nobody else, and what walking them costs is "
    "printed") {
    AccessRules rules;
    for (int i = 0; i < 500; ++i) {
        rules.insert(rule(fmt::format("jid:person{}@b.test", i), "write", "deny"), 1000);
    }
    const Jid stranger = *Jid::parse("person-500@b.test");
    constexpr int times = 10'000;
    std::size_t found = 0;
    const std::clock_t begin = std::clock();
    for (int i = 0; i < times; ++i) {
        found += rules.find({stranger, nullptr, false}, AccessAct::write) != nullptr;
    }
    constexpr double microseconds = 1e6 / CLOCKS_PER_SEC;
    const double took = static_cast<double>(std::clock() - begin) * microseconds;
    CHECK(found == 0);
    // Printed and not judged: how long it takes is for docs/performance.md, on a machine at rest.
    MESSAGE(fmt::format("{:.2f} microseconds of CPU time", took / times));
}

TEST_CASE("presence view: what is written is read again") {
    for (const PresenceView& view :
         {PresenceView{.name = "a", .show = "away", .status = {}},
          PresenceView{.name = "a", .show = "", .status = "x \"y\""},
          PresenceView{
              .name = "a", .extent = PresenceView::Extent::show_only, .show = {}, .status = {}},
          PresenceView{
              .name = "a", .extent = PresenceView::Extent::nothing, .show = {}, .status = {}}}) {
        CHECK(view.check().ok());
        CHECK(PresenceView::read("a", view.serialise()) == view);
    }
    CHECK_FALSE(PresenceView::read("a", "[]").has_value());
}

TEST_CASE("presence view: what is left of a stanza") {
    const auto presence = Packet::make(
        StanzaKind::presence, StanzaType::available, *Jid::parse("juliet@a.test/b"), {}, "",
        "<show>dnd</show><status>one</status><status xml:lang='de'>eins</status><priority>1"
        "</priority><x xmlns='urn:x'/>");
    const auto shown = [&](const PresenceView& view) {
        const PacketRef packet = view.apply(presence);
        return packet == nullptr ? std::string() : std::string(packet->bytes());
    };
    CHECK(PresenceView::whole().apply(presence) == presence);
    CHECK(shown(PresenceView::none()).empty());
    const std::string only =
        shown({.name = "v", .extent = PresenceView::Extent::show_only, .show = {}, .status = {}});
    CHECK(only.find("<show>dnd</show>") != std::string::npos);
    CHECK(only.find("<priority>1</priority>") != std::string::npos);
    CHECK(only.find("status") == std::string::npos);
    CHECK(only.find("urn:x") == std::string::npos);
    const std::string fixed = shown({.name = "v", .show = "xa", .status = "two"});
    CHECK(fixed.find("<show>xa</show>") != std::string::npos);
    CHECK(fixed.find("<status>two</status>") != std::string::npos);
    CHECK(fixed.find("dnd") == std::string::npos);
    CHECK(fixed.find("one") == std::string::npos);
    CHECK(fixed.find("urn:x") != std::string::npos);
    const std::string plain = shown({.name = "v", .show = "", .status = {}});
    CHECK(plain.find("<show>") == std::string::npos);
}

}  // namespace causeway::test
