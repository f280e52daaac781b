#include "gateway/session/subscription.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace causeway::test {
namespace {

// The nine states of RFC 6121 Appendix A.1, in its order.
constexpr SubscriptionState none{};
constexpr SubscriptionState none_out{.pending_out = true};
constexpr SubscriptionState none_in{.pending_in = true};
constexpr SubscriptionState none_out_in{.pending_out = true, .pending_in = true};
constexpr SubscriptionState to{.to = true};
constexpr SubscriptionState to_in{.to = true, .pending_in = true};
constexpr SubscriptionState from{.from = true};
constexpr SubscriptionState from_out{.from = true, .pending_out = true};
constexpr SubscriptionState both{.to = true, .from = true};
constexpr std::array states{none, none_out, none_in, none_out_in, to, to_in, from, from_out, both};

/// One row of a table: whether the stanza goes on (is routed, or delivered), and the new state.
struct Row {
    bool forward;
    SubscriptionState state;
};
using Table = std::array<Row, states.size()>;

std::string text_of(const SubscriptionState& state) {
    std::string out(state.name());
    if (state.pending_out) out += "+out";
    if (state.pending_in) out += "+in";
    if (state.approved) out += "+approved";
    return out;
}

/// Clients see everything but a request that waits for them.
bool seen_differently(SubscriptionState a, SubscriptionState b) {
    a.pending_in = b.pending_in = false;
    return a != b;
}

void check(SubscriptionStep (*step)(const SubscriptionState&, StanzaType), StanzaType type,
           const Table& table) {
    for (std::size_t i = 0; i < states.size(); ++i) {
        CAPTURE(text_of(states[i]));
        const SubscriptionStep made = step(states[i], type);
        CHECK(text_of(made.state) == text_of(table[i].state));
        CHECK(made.forward == table[i].forward);
        CHECK(made.push == seen_differently(states[i], table[i].state));
    }
}

}  // namespace

TEST_CASE("subscription: names of the states") {
    CHECK(none_out_in.name() == "none");
    CHECK(to_in.name() == "to");
    CHECK(from_out.name() == "from");
    CHECK(both.name() == "both");
}

TEST_CASE("subscription: sending subscribe (RFC 6121 A.2.1)") {
    check(send_subscription, StanzaType::subscribe,
          {{{true, none_out},
            {true, none_out},
            {true, none_out_in},
            {true, none_out_in},
            {true, to},
            {true, to_in},
            {true, from_out},
            {true, from_out},
            {true, both}}});
}

TEST_CASE("subscription: sending unsubscribe (RFC 6121 A.2.2)") {
    check(send_subscription, StanzaType::unsubscribe,
          {{{true, none},
            {true, none},
            {true, none_in},
            {true, none_in},
            {true, none},
            {true, none_in},
            {true, from},
            {true, from},
            {true, from}}});
}

TEST_CASE("subscription: sending subscribed (RFC 6121 A.2.3), unasked a pre-approval (3.4)") {
    // Without a request it is never routed. Where the contact is not subscribed it is remembered.
    const auto approved = [](SubscriptionState state) {
        state.approved = true;
        return state;
    };
    check(send_subscription, StanzaType::subscribed,
          {{{false, approved(none)},
            {false, approved(none_out)},
            {true, from},
            {true, from_out},
            {false, approved(to)},
            {true, both},
            {false, from},
            {false, from_out},
            {false, both}}});
}

TEST_CASE("subscription: sending unsubscribed (RFC 6121 A.2.4)") {
    check(send_subscription, StanzaType::unsubscribed,
          {{{false, none},
            {false, none_out},
            {true, none},
            {true, none_out},
            {false, to},
            {true, to},
            {true, none},
            {true, none_out},
            {true, to}}});
}

TEST_CASE("subscription: subscribe arrives (RFC 6121 A.3.1)") {
    check(receive_subscription, StanzaType::subscribe,
          {{{true, none_in},
            {true, none_out_in},
            {false, none_in},
            {false, none_out_in},
            {true, to_in},
            {false, to_in},
            {false, from},
            {false, from_out},
            {false, both}}});
}

TEST_CASE("subscription: unsubscribe arrives (RFC 6121 A.3.2)") {
    check(receive_subscription, StanzaType::unsubscribe,
          {{{false, none},
            {false, none_out},
            {true, none},
            {true, none_out},
            {false, to},
            {true, to},
            {true, none},
            {true, none_out},
            {true, to}}});
}

TEST_CASE("subscription: subscribed arrives (RFC 6121 A.3.3)") {
    check(receive_subscription, StanzaType::subscribed,
          {{{false, none},
            {true, to},
            {false, none_in},
            {true, to_in},
            {false, to},
            {false, to_in},
            {false, from},
            {true, both},
            {false, both}}});
}

TEST_CASE("subscription: unsubscribed arrives (RFC 6121 A.3.4)") {
    check(receive_subscription, StanzaType::unsubscribed,
          {{{false, none},
            {true, none},
            {false, none_in},
            {true, none_in},
            {true, none},
            {true, none_in},
            {false, from},
            {true, from},
            {true, from}}});
}

TEST_CASE("subscription: who is subscribed already or approved beforehand is answered at once") {
    for (const SubscriptionState& state : states) {
        CAPTURE(text_of(state));
        CHECK(receive_subscription(state, StanzaType::subscribe).reply_subscribed == state.from);
        for (const StanzaType type :
             {StanzaType::subscribed, StanzaType::unsubscribe, StanzaType::unsubscribed}) {
            CHECK(!receive_subscription(state, type).reply_subscribed);
        }
    }
    SubscriptionState approved = none_out;
    approved.approved = true;
    const SubscriptionStep step = receive_subscription(approved, StanzaType::subscribe);
    CHECK(step.reply_subscribed);
    CHECK(!step.forward);
    CHECK(step.push);
    CHECK(text_of(step.state) == text_of(from_out));
}

TEST_CASE("subscription: an approval is withdrawn by unsubscribed, and that is not routed") {
    SubscriptionState approved = to;
    approved.approved = true;
    const SubscriptionStep step = send_subscription(approved, StanzaType::unsubscribed);
    CHECK(!step.forward);
    CHECK(step.push);
    CHECK(text_of(step.state) == text_of(to));
}

TEST_CASE("subscription: other stanzas change nothing") {
    for (const StanzaType type : {StanzaType::available, StanzaType::probe, StanzaType::error}) {
        const SubscriptionStep out = send_subscription(both, type);
        const SubscriptionStep in = receive_subscription(both, type);
        CHECK(out.state == both);
        CHECK(in.state == both);
        CHECK(!out.forward);
        CHECK(!in.forward);
        CHECK(!out.push);
        CHECK(!in.push);
    }
}

}  // namespace causeway::test
