// One shard with accounts on a store in memory, client sessions that only remember what they are
// given, and a network that nothing uses.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/route/router.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "tests/unit/session/shared_fixture.h"

namespace causeway::test {

class RecordingSession final : public Resource {
public:
    RecordingSession(Hub& hub, const std::string& address)
        : Resource(hub, *Jid::parse(address)),
          hub_(hub),
          account_(hub.accounts->get(jid().bare())) {
        account_.attach(*this);
    }
    ~RecordingSession() {
        if (!gone) leave();
    }

    void write(const PacketRef& packet, HoldId hold) override {
        received.push_back(std::string(packet->bytes()));
        if (hold == 0) return;
        if (acknowledging) {
            hub_.ledger.confirm(hold);
        } else {
            holds.push_back(hold);
        }
    }
    void write_as(const PacketRef& packet, const Jid& to) override {
        write(packet->readdressed(to), 0);
    }
    [[nodiscard]] bool acknowledges() const override { return manages; }
    [[nodiscard]] bool crowded() const override { return full || received.size() >= full_after; }
    void evict(std::string_view condition, std::string_view) override {
        evicted = condition;
        leave();
    }
    void has_copy(std::uint64_t, HoldId hold) override { hub_.ledger.confirm(hold); }

    void leave() {
        gone = true;
        account_.detach(*this);
        for (const HoldId hold : std::exchange(holds, {})) hub_.ledger.release(hold);
    }
    /// Where the first of what it received that holds that text stands.
    [[nodiscard]] std::size_t place_of(std::string_view text) const {
        std::size_t at = 0;
        while (at < received.size() && received[at].find(text) == std::string::npos) ++at;
        return at;
    }
    /// How many of what it received hold that text.
    [[nodiscard]] std::size_t count(std::string_view text) const {
        std::size_t found = 0;
        for (const std::string& bytes : received) found += bytes.find(text) != std::string::npos;
        return found;
    }

    std::vector<std::string> received;
    std::vector<HoldId> holds;  ///< of what it has not acknowledged
    std::string evicted;
    bool acknowledging = true;
    bool manages = true;  ///< it has stream management
    bool full = false;
    std::size_t full_after = 1'000'000;  ///< stanzas
    bool gone = false;

private:
    Hub& hub_;
    Account& account_;
};

/// What another server would get, and a stream's acknowledgements.
struct Elsewhere final : RemoteDomains, TicketHolder {
    void send(PacketRef packet, AcknowledgementTicket) override {
        sent.push_back(std::string(packet->bytes()));
    }
    [[nodiscard]] bool stamps(std::string_view, std::string_view) override { return false; }
    std::string expired(std::string_view, std::size_t, std::size_t) override { return {}; }
    void expect_again(std::uint32_t) override {}
    void settled(std::uint32_t number) override { safe.push_back(number); }

    std::vector<std::string> sent;
    std::vector<std::uint32_t> safe;
};

class AccountFixture : public SharedFixture {
public:
    explicit AccountFixture(std::vector<const Feature*> all = {})
        : SharedFixture(1, std::move(*FeatureRegistry::build(all))) {
        auto made = std::make_shared<Config>();
        made->domains.emplace_back().name = "a.test";
        config = made;
        hub = std::make_unique<Hub>(shared, shards[0], net, dns, config, nullptr);
        router = std::make_unique<Router>(*hub);
        shared.hubs.push_back(hub.get());
        hub->remote = &elsewhere;
        hub->ticket_holders.emplace(7, &elsewhere);
    }

    /// Stores an account without a password that anybody knows.
    void add_account(const std::string& bare) {
        Batch batch;
        account_store::plan(batch, bare, *make_credentials("secret", 1), 1);
        commit(std::move(batch));
    }
    void commit(Batch batch) {
        store.commit(std::move(batch), loop, {});
        settle();
    }
    Account& account(const std::string& bare) { return hub->accounts->get(bare); }
    /// Takes over the configuration with other limits.
    void limit(const std::function<void(Limits&)>& change) {
        auto made = std::make_shared<Config>(*config);
        change(made->limits);
        config = made;
        hub->adopt(config, nullptr);
    }
    /// A sender that waits to hear that its message is safe.
    static AcknowledgementTicket ticket(std::uint32_t number) {
        return {.holder = 7, .shard = 0, .number = number};
    }

    /// A whole stanza from elsewhere, on its way to its target.
    void arrives(const std::string& xml, AcknowledgementTicket ticket = {}) {
        auto packet = Packet::from_bytes(xml);
        REQUIRE(packet.ok());
        hub->routing->route(*packet, ticket);
    }
    /// A stanza that this session's client sends.
    void sends(RecordingSession& session, const std::string& xml,
               AcknowledgementTicket ticket = {}) {
        const Outcome visited = Packet::visit_bytes(xml, [&](Stanza& stanza) {
            stanza.from = session.jid();
            hub->routing->from_client(stanza, account(std::string(session.jid().bare())), session,
                                      ticket);
        });
        REQUIRE(visited.ok());
    }
    std::vector<LogRow> stored(const std::string& bare) {
        std::vector<LogRow> found;
        store.log_list(std::string(AccountInbox::store_name), bare, 0, 1000, loop,
                       [&](const Result<std::vector<LogRow>>& rows) {
                           REQUIRE(rows.ok());
                           found = *rows;
                       });
        settle();
        return found;
    }

    std::shared_ptr<const Config> config;
    Elsewhere elsewhere;
    std::unique_ptr<Hub> hub;
    std::unique_ptr<Router> router;
};

}  // namespace causeway::test
