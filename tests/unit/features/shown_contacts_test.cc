// What a session was shown of contacts elsewhere, and what of that goes over the end of a process.
#include "gateway/features/shown_contacts.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace causeway::test {
namespace {

Jid address(std::string_view text) { return *Jid::parse(text); }

Jid numbered(std::size_t number) {
    return address("romeo@b.test/client-" + std::to_string(number));
}

void restore(ShownContacts& shown, std::string_view text) {
    for (const Jid& contact : ShownContacts::addresses_in(text)) shown.restore(contact);
}

}  // namespace

TEST_CASE("shown contacts: those of the process before are due, until their server names them") {
    ShownContacts before;
    before.available(address("romeo@b.test/orchard"));
    before.available(address("romeo@b.test/phone"));
    before.available(address("nurse@c.test/house"));
    before.unavailable(address("nurse@c.test"));
    before.available(address("paris@d.test/street"));

    ShownContacts now;
    restore(now, before.text());
    CHECK(now.take_restored() == std::vector<std::string>{"b.test", "d.test"});
    CHECK(now.take_restored().empty());
    now.available(address("romeo@b.test/orchard"));
    CHECK(now.not_named("b.test") == std::vector<Jid>{address("romeo@b.test/phone")});
    // Its server did not answer: nothing is known.
    CHECK(now.not_named("d.test").empty());
    CHECK(now.take("d.test").contains(address("paris@d.test/street")));
}

TEST_CASE("shown contacts: a record that cannot be read says nothing") {
    CHECK(ShownContacts::addresses_in("").empty());
    CHECK(ShownContacts::addresses_in("\n@\nromeo@b.test/orchard") ==
          std::vector<Jid>{address("romeo@b.test/orchard")});
    ShownContacts nothing;
    CHECK(nothing.text().empty());
    CHECK(nothing.take_restored().empty());
}

TEST_CASE("shown contacts: some of many are remembered, and some of these written down") {
    ShownContacts shown;
    for (std::size_t i = 0; i <= ShownContacts::limit; ++i) shown.available(numbered(i));
    CHECK(ShownContacts::addresses_in(shown.text()).size() == ShownContacts::saved_limit);
    CHECK(shown.take("b.test").size() == ShownContacts::limit);
    for (std::size_t i = 0; i < ShownContacts::saved_limit; ++i) shown.available(numbered(i));
    CHECK(ShownContacts::addresses_in(shown.text()).size() == ShownContacts::saved_limit);
}

TEST_CASE("shown contacts: what is written down stays small, however long the addresses are") {
    ShownContacts shown;
    const std::string resource(1000, 'r');
    for (std::size_t i = 0; i < 100; ++i) {
        shown.available(address("romeo@b.test/" + resource + std::to_string(i)));
    }
    shown.available(address("paris@d.test/street"));
    const std::string text = shown.text();
    CHECK(text.size() <= ShownContacts::saved_bytes);
    CHECK(text.ends_with("paris@d.test/street\n"));
    CHECK(ShownContacts::addresses_in(text).size() == 20);
}

}  // namespace causeway::test
