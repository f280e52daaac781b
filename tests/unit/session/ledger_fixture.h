// One hub with nothing but its ledger in use, and a sender that remembers what it hears.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/session/accounts.h"
#include "gateway/session/ledger.h"
#include "tests/unit/session/shared_fixture.h"

namespace causeway::test {

/// What a sender hears: which of its messages are safe, and which came back.
struct Sender final : TicketHolder, Routing {
    void expect_again(std::uint32_t) override {}
    void settled(std::uint32_t number) override { safe.push_back(number); }
    void from_client(Stanza&, Account&, Resource&, AcknowledgementTicket) override {}
    void from_server(Stanza&, AcknowledgementTicket) override {}
    void route(PacketRef, AcknowledgementTicket) override {}
    void fan_out(const PacketRef&, const std::vector<const Jid*>&) override {}
    void bounce(const Packet& packet, const StanzaError& error,
                AcknowledgementTicket ticket) override {
        CHECK(error.condition == StanzaCondition::resource_constraint);
        bounced.push_back(std::string(packet.id()));
        if (ticket.owed()) safe.push_back(ticket.number);
    }

    std::vector<std::uint32_t> safe;
    std::vector<std::string> bounced;
};

using Numbers = std::vector<std::uint32_t>;

/// One hub with nothing but its ledger in use.
class LedgerFixture : public SharedFixture {
public:
    LedgerFixture() : SharedFixture(1, std::move(*FeatureRegistry::build({}))) {
        hub->routing = &sender;
        archive_mark.recovered(0);
        hub->ticket_holders.emplace(7, &sender);
    }

    static PacketRef message(const std::string& id) {
        return Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse("romeo@a.test"),
                            *Jid::parse("juliet@a.test"), id, "<body>x</body>");
    }
    static AcknowledgementTicket ticket(std::uint32_t number) {
        return {.holder = 7, .shard = 0, .number = number};
    }
    static StoreKey store_key(std::string owner = "juliet@a.test") {
        return {.store = "offline", .owner = std::move(owner), .expires = 5};
    }

    HoldId hold(std::uint32_t number) {
        return ledger().hold(message(std::to_string(number)), ticket(number), store_key());
    }
    /// As keep() and release_to() want it: remembers what it hears.
    Ledger::Kept hear() {
        return [this](const Result<std::uint64_t>& row) { kept.push_back(row); };
    }
    Ledger& ledger() { return hub->ledger; }
    /// Until a message that is held has been written, where nothing is known of its recipient.
    void pass_patience() { pass(AcknowledgementPace::first + 2 * TimerWheel::tick); }
    /// Until a message that is held has been written, whatever is known of its recipient.
    void pass_longest() { pass(AcknowledgementPace::longest + 2 * TimerWheel::tick); }
    /// Until rows that are done with have been erased.
    void pass_erasure() { pass(Ledger::erase_within + 2 * TimerWheel::tick); }

    std::vector<LogRow> rows(const std::string& owner = "juliet@a.test") {
        std::optional<std::vector<LogRow>> found;
        store.log_list("offline", owner, 0, 100, loop,
                       [&](const Result<std::vector<LogRow>>& list) {
                           REQUIRE(list.ok());
                           found = *list;
                       });
        loop.run_until_idle();
        REQUIRE(found.has_value());
        return *found;
    }

    std::unique_ptr<Hub> hub = std::make_unique<Hub>(shared, shards[0], net, dns,
                                                     std::make_shared<const Config>(), nullptr);
    Sender sender;
    std::vector<Result<std::uint64_t>> kept;
};

}  // namespace causeway::test
