// What a stream that broke left, and what becomes of it when the peer says how much it has.
#include "s2s/interruption.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

namespace causeway::test {
namespace {

using State = LinkResumption::State;

PacketRef stanza(StanzaKind kind, int number, StanzaType type = StanzaType::chat) {
    return Packet::make(kind, type, *Jid::parse("juliet@a.test"), *Jid::parse("romeo@b.test"),
                        fmt::format("{}", number), {});
}

/// A stream of which 10 stanzas were acknowledged before 11 (a message), 12 (presence), 13 and 14
/// (messages) were sent.
struct Broken : Interruption::Visitor {
    Broken() {
        sent.push_back({.packet = stanza(StanzaKind::message, 11)});
        sent.push_back({.packet = stanza(StanzaKind::presence, 12, StanzaType::available)});
        sent.push_back({.packet = stanza(StanzaKind::message, 13)});
        sent.push_back({.packet = stanza(StanzaKind::message, 14)});
        for (const std::size_t i : {0U, 2U, 3U})
            left.push_back({.hold = i, .packet = sent[i].packet});
    }
    Interruption interruption() const {
        return Interruption({.state = State::possible, .token = "token", .sent = 14}, sent);
    }
    void go_on(Interruption& after, State state, std::optional<std::uint32_t> h,
               std::deque<Confirmations::Written> written = {}) {
        after.go_on({.state = state, .token = "token", .h = h}, std::move(written), *this,
                    [this](std::uint64_t row) { rows += fmt::format(" {}", row); });
    }
    void has(const Confirmations::Written& written) override { note("has", *written.packet); }
    void send_again(const Confirmations::Written& written) override {
        note("again", *written.packet);
    }
    void send_again_in_passing(const PacketRef& packet) override { note("passing", *packet); }
    void note(std::string_view what, const Packet& packet) {
        story += fmt::format("{} {}, ", what, packet.id());
    }

    std::deque<StreamManagement::Sent> sent;
    std::deque<Confirmations::Written> left;
    std::string story, rows;
};

TEST_CASE_FIXTURE(Broken, "resumed: what the peer has is done with, the rest comes in order") {
    Interruption after = interruption();
    go_on(after, State::resumed, 11, left);
    CHECK(story == "has 11, passing 12, again 13, again 14, ");
}

TEST_CASE_FIXTURE(Broken, "resumed with all of it, with none of it, and with less than was said") {
    Interruption all = interruption();
    go_on(all, State::resumed, 14, left);
    CHECK(story == "has 11, has 13, has 14, ");
    story.clear();
    Interruption none = interruption();
    go_on(none, State::resumed, 10, left);
    CHECK(story == "again 11, passing 12, again 13, again 14, ");
    story.clear();
    Interruption less = interruption();
    go_on(less, State::resumed, 3, left);
    CHECK(story == "again 11, passing 12, again 13, again 14, ");
}

TEST_CASE_FIXTURE(Broken, "not resumed: messages come again, the rest is over") {
    Interruption known = interruption();
    go_on(known, State::failed, 13, left);
    CHECK(story == "has 11, has 13, again 14, ");
    story.clear();
    Interruption unknown = interruption();
    go_on(unknown, State::not_possible, std::nullopt, left);
    CHECK(story == "again 11, again 13, again 14, ");
}

TEST_CASE_FIXTURE(Broken, "what a domain itself asked is not asked again") {
    sent[1].packet = Packet::make(StanzaKind::iq, StanzaType::get, *Jid::parse("a.test"),
                                  *Jid::parse("b.test"), "12", {});
    Interruption after = interruption();
    go_on(after, State::resumed, 11, left);
    CHECK(story == "has 11, again 13, again 14, ");
}

TEST_CASE_FIXTURE(Broken, "what a domain itself answered comes again") {
    for (const StanzaType type : {StanzaType::result, StanzaType::error}) {
        sent[1].packet = Packet::make(StanzaKind::iq, type, *Jid::parse("a.test"),
                                      *Jid::parse("b.test"), "12", {});
        story.clear();
        Interruption after = interruption();
        go_on(after, State::resumed, 11, left);
        CHECK(story == "has 11, passing 12, again 13, again 14, ");
    }
}

TEST_CASE_FIXTURE(Broken, "what was said in passing is forgotten although no message was left") {
    Interruption after = interruption();
    CHECK(after.give_back({}).empty());
    go_on(after, State::resumed, 10);
    CHECK(story.empty());
}

TEST_CASE_FIXTURE(Broken, "given back: rows that the peer has are told, known before or later") {
    Interruption after = interruption();
    const auto stored_as = after.give_back(left);
    REQUIRE(stored_as.size() == 3);
    stored_as[0](100);
    go_on(after, State::resumed, 13);
    CHECK(story.empty());
    CHECK(rows == " 100");
    stored_as[1](102);
    stored_as[2](103);
    CHECK(rows == " 100 102");
}

TEST_CASE_FIXTURE(Broken, "the first message was given up meanwhile") {
    Interruption after = interruption();
    left.pop_front();
    const auto stored_as = after.give_back(left);
    stored_as[0](102);
    stored_as[1](103);
    go_on(after, State::resumed, 13);
    CHECK(rows == " 102");
}

}  // namespace
}  // namespace causeway::test
