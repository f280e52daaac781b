// One client that is logged in, over a channel that the test can hold up.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "gateway/features/registry.h"
#include "gateway/route/router.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "tests/support/memory_channel.h"
#include "tests/unit/session/shared_fixture.h"

namespace causeway::test {

inline std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos;
         at = text.find(what, at + what.size())) {
        ++found;
    }
    return found;
}

inline PacketRef presence(std::size_t contact, std::string_view inner = {}) {
    return Packet::make(StanzaKind::presence, StanzaType::available,
                        *Jid::parse(fmt::format("contact{}@a.test/x", contact)),
                        *Jid::parse("romeo@a.test/x"), {}, inner);
}

inline PacketRef message(std::string_view from, std::size_t size = 1) {
    return Packet::make(StanzaKind::message, StanzaType::chat, *Jid::parse(from),
                        *Jid::parse("romeo@a.test/x"), "m",
                        "<body>" + std::string(size, 'x') + "</body>");
}

inline PacketRef answer(std::size_t size) {
    return Packet::make(StanzaKind::iq, StanzaType::result, {}, *Jid::parse("romeo@a.test/x"), "a",
                        "<query>" + std::string(size, 'x') + "</query>");
}

inline std::shared_ptr<Config> make_config() {
    auto config = std::make_shared<Config>();
    config->domains.push_back({"a.test", {}, {}});
    return config;
}

class ClientFixture : public SharedFixture {
public:
    /// What the client asks for of XEP-0198.
    enum class Management : unsigned char { none, counts, resumes };

    explicit ClientFixture(Management management,
                           const std::shared_ptr<Config>& config = make_config(),
                           bool framed = false,
                           std::span<const Feature* const> all = all_features())
        : SharedFixture(1, std::move(*FeatureRegistry::build(all))),
          hub(std::make_unique<Hub>(shared, shards[0], net, dns, config, nullptr)),
          router(*hub),
          table(*hub) {
        shared.hubs.push_back(hub.get());
        hub->routing = &router;
        Batch batch;
        account_store::plan(batch, "romeo@a.test", *make_credentials("secret", 4096), clock.wall());
        store.commit(std::move(batch), loop, [](const Outcome& end) { CHECK(end.ok()); });
        loop.run_until_idle();
        MovingClient moving;
        moving.proxy = std::make_unique<MemoryChannel>(shards[0], wire);
        moving.domain = "a.test";
        moving.account = *Jid::parse("romeo@a.test");
        moving.mechanism = "PLAIN";
        moving.since = 1234;
        table.adopt(std::move(moving));
        wire->framed = framed;
        receive(
            framed ? "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>"
                   : "<stream:stream xmlns='jabber:client' "
                     "xmlns:stream='http://etherx.jabber.org/streams' "
                     "to='a.test' version='1.0'>");
        receive(
            "<iq xmlns='jabber:client' type='set' id='b'><bind "
            "xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<resource>x</resource></bind></iq>");
        if (management == Management::counts) receive("<enable xmlns='urn:xmpp:sm:3'/>");
        if (management == Management::resumes) {
            receive("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        }
        table.each_session([this](ClientSession& made) { session = &made; });
        REQUIRE(session != nullptr);
        wire->sent.clear();
    }
    explicit ClientFixture(bool manages, const std::shared_ptr<Config>& config = make_config(),
                           bool framed = false)
        : ClientFixture(manages ? Management::resumes : Management::none, config, framed) {}

    void receive(std::string_view bytes) {
        REQUIRE(wire->channel != nullptr);
        wire->channel->receive(bytes);
        settle();
    }
    void pass(std::chrono::seconds time) { SharedFixture::pass(time, Duration{1000}); }
    void acknowledge(std::size_t h) {
        receive(fmt::format("<a xmlns='urn:xmpp:sm:3' h='{}'/>", h));
    }
    [[nodiscard]] bool lives() {
        bool found = false;
        table.each_session([&](ClientSession& one) { found = found || &one == session; });
        return found;
    }
    /// A message that must not be lost, on its way to the client.
    HoldId hold(const PacketRef& packet) {
        return hub->ledger.hold(packet, {}, {AccountInbox::store_name, "romeo@a.test", 0});
    }
    [[nodiscard]] std::size_t stored() {
        std::size_t rows = 0;
        store.log_list(std::string(AccountInbox::store_name), "romeo@a.test", 0, 10'000, loop,
                       [&](const Result<std::vector<LogRow>>& found) { rows = found->size(); });
        settle();
        return rows;
    }

    std::unique_ptr<Hub> hub;
    Router router;
    ClientTable table;
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    ClientSession* session = nullptr;
};

}  // namespace causeway::test
