// RFC 6120 §6: SASL. Clients: SCRAM in three hashes with and without channel binding (offered types
// are announced by XEP-0440), PLAIN, checked against the same keys off the shard, and ANONYMOUS.
// Servers: EXTERNAL. A name without an account goes through the same exchange as one with, and
// fails at its end.
#include <fmt/format.h>

#include <array>
#include <memory>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/features/anonymous.h"
#include "gateway/features/channel_binding.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/system_network.h"
#include "gateway/sasl/external.h"
#include "gateway/sasl/payload.h"
#include "gateway/sasl/plain.h"
#include "gateway/sasl/scram_server.h"
#include "gateway/session/account_store.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view plain_name = "PLAIN";
constexpr std::string_view external_name = "EXTERNAL";
constexpr std::string_view anonymous_name = "ANONYMOUS";

/// What the store says of the account that a client names.
enum class Standing : unsigned char { unknown, active, disabled };

Standing standing_of(const std::optional<account_store::Record>& found) {
    if (!found) return Standing::unknown;
    return found->disabled ? Standing::disabled : Standing::active;
}

/// One exchange, from <auth/> to its end.
class SaslExchange final : public NegotiationState {
public:
    std::string mechanism;
    std::optional<ScramServer> scram;
    Jid account;  ///< of the name that was given
    Standing standing = Standing::unknown;
    bool busy = false;     ///< an answer from store or workers is due; nothing may arrive meanwhile
    bool started = false;  ///< SCRAM: its first message came
    /// What answers later holds a weak reference: after an <abort/> another exchange may be in
    /// progress, about which that answer says nothing.
    std::shared_ptr<const char> ticket = std::make_shared<const char>();
};

/// Where an answer belongs that comes later, on this shard or from a worker.
struct Awaited {
    explicit Awaited(Negotiation& negotiation)
        : negotiation_(negotiation.handle()),
          ticket_(static_cast<SaslExchange&>(*negotiation.state).ticket) {}
    /// nullptr if the stream or the exchange that asked is gone.
    [[nodiscard]] Negotiation* get() const {
        const auto held = negotiation_.lock();
        return held == nullptr || ticket_.expired() ? nullptr : *held;
    }

private:
    std::weak_ptr<Negotiation*> negotiation_;
    std::weak_ptr<const char> ticket_;
};

void offer_client(Negotiation& negotiation, std::string& out) {
    const bool binding = channel_binding::possible(negotiation.stream().channel());
    XmlBuilder mechanisms;
    mechanisms.open("mechanisms", ns::sasl);
    for (const bool plus : {true, false}) {
        if (plus && !binding) continue;
        for (auto hash = scram_hashes.rbegin(); hash != scram_hashes.rend(); ++hash) {
            mechanisms.element("mechanism", scram_mechanism(*hash, plus));
        }
    }
    mechanisms.element("mechanism", plain_name);
    if (anonymous::offered(negotiation.hub(), negotiation.domain())) {
        mechanisms.element("mechanism", anonymous_name);
    }
    out += mechanisms.take();
    if (binding) channel_binding::announce(negotiation.stream().channel(), out);
}

void offer_server(Negotiation& negotiation, std::string& out) {
    // Offered only if it can succeed (XEP-0178 §3): otherwise the peer would try it in vain.
    if (!negotiation.peer_proves(negotiation.peer_domain())) return;
    out += XmlBuilder().open("mechanisms", ns::sasl).element("mechanism", external_name).take();
}

void send_data(Negotiation& negotiation, std::string_view element, std::string_view data) {
    const std::string payload = data.empty() ? std::string{} : encode_sasl_payload(data);
    negotiation.stream().send(XmlBuilder().element(element, payload, ns::sasl).take());
}

constexpr std::array<std::string_view, 2> results{"success", "failure"};
constexpr Metric exchanges{.name = "sasl_exchanges",
                           .help = "Ended SASL exchanges of clients and of other servers.",
                           .label = "result",
                           .values = results};
constexpr std::array metrics{&exchanges};

void fail(Negotiation& negotiation, const SaslFailure& failure) {
    negotiation.state.reset();
    XmlBuilder answer;
    answer.open("failure", ns::sasl).empty(failure.condition);
    if (!failure.text.empty()) {
        answer.open("text").attribute("xml:lang", "en").text(failure.text);
    }
    negotiation.stream().send(answer.take());
    negotiation.hub().metrics.add(exchanges, 1);
    CAUSEWAY_LOG(info, "sasl.failed", {"domain", negotiation.domain()},
                 {"condition", failure.condition},
                 {"address", to_string(negotiation.stream().channel().remote())});
    // RFC 6120 §6.4.5: a bounded number of tries.
    if (++negotiation.failures >= negotiation.hub().limits().sasl_failures) {
        negotiation.stream().fail(stream_error::policy_violation, "too many failed logins");
    }
}

// By value: the identity is most often the exchange's own, which ends here.
void succeed(Negotiation& negotiation, Jid identity, std::string_view data) {
    const std::string mechanism = static_cast<SaslExchange&>(*negotiation.state).mechanism;
    negotiation.state.reset();
    const std::string payload = data.empty() ? std::string{} : encode_sasl_payload(data);
    negotiation.hub().metrics.add(exchanges, 0);
    negotiation.authenticated(identity, mechanism,
                              XmlBuilder().element("success", payload, ns::sasl).take());
}

/// The account that a user name or authzid names; some clients give the whole address.
std::optional<Jid> account_of(const Negotiation& negotiation, std::string_view name) {
    const auto made = name.find('@') == std::string_view::npos
                          ? Jid::make(name, negotiation.domain())
                          : Jid::parse(name);
    if (!made || !made->has_local() || made->has_resource() ||
        made->domain() != negotiation.domain()) {
        return std::nullopt;
    }
    return *made;
}

/// The authzid must be the account itself: nobody acts for another.
bool acceptable_authzid(const Negotiation& negotiation, std::string_view authzid,
                        const Jid& account) {
    if (authzid.empty()) return true;
    const auto wanted = account_of(negotiation, authzid);
    return wanted && *wanted == account;
}

using Record = account_store::Record;

void look_up(Negotiation& negotiation, const Jid& account,
             void (*then)(Negotiation&, const Record&)) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    exchange.busy = true;
    Hub& hub = negotiation.hub();
    account_store::find(
        hub, account.bare(),
        [asked = Awaited(negotiation), account, then, &hub](Result<std::optional<Record>> found) {
            Negotiation* const still = asked.get();
            if (still == nullptr) return;
            auto& current = static_cast<SaslExchange&>(*still->state);
            current.busy = false;
            if (!found) {
                fail(*still, {sasl_condition::temporary_auth_failure,
                              "the account cannot be read at the moment"});
                return;
            }
            current.standing = standing_of(*found);
            if (*found) {
                then(*still, **found);
            } else {
                then(*still, {.credentials = fake_credentials(hub.shared.secret, account.bare())});
            }
        });
}

// ---- SCRAM ----

void scram_keys_found(Negotiation& negotiation, const Record& account) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    for (const ScramHash hash : scram_hashes) {
        if (exchange.mechanism != scram_mechanism(hash, false) &&
            exchange.mechanism != scram_mechanism(hash, true)) {
            continue;
        }
        send_data(negotiation, "challenge",
                  exchange.scram->challenge(account.credentials.of(hash)));
        return;
    }
}

void scram_first(Negotiation& negotiation, std::string_view message) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    exchange.started = true;
    auto request = exchange.scram->begin(message);
    if (!request) {
        fail(negotiation, request.error());
        return;
    }
    const auto account = account_of(negotiation, request->username);
    if (account && !acceptable_authzid(negotiation, request->authzid, *account)) {
        fail(negotiation, {sasl_condition::invalid_authzid, "only for your own account"});
        return;
    }
    // A name that is no address has no account; it fails like one.
    exchange.account = account ? *account : Jid::trusted("invalid", negotiation.domain());
    look_up(negotiation, exchange.account, scram_keys_found);
}

void scram_final(Negotiation& negotiation, std::string_view message) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    auto proven = exchange.scram->finish(message);
    if (!proven || exchange.standing == Standing::unknown) {
        fail(negotiation,
             proven ? SaslFailure{sasl_condition::not_authorized, {}} : proven.error());
    } else if (exchange.standing == Standing::disabled) {
        fail(negotiation, {sasl_condition::account_disabled, "this account is disabled"});
    } else {
        succeed(negotiation, exchange.account, *proven);
    }
}

// ---- PLAIN ----

/// The password while it is being verified; wiped when that is done.
struct PlainCheck {
    Credentials credentials;
    std::string password;
    bool right = false;

    PlainCheck() = default;
    PlainCheck(const PlainCheck&) = delete;
    PlainCheck& operator=(const PlainCheck&) = delete;
    ~PlainCheck() { wipe(password); }
};

void plain_verified(Negotiation& negotiation, bool right) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    exchange.busy = false;
    if (!right || exchange.standing == Standing::unknown) {
        fail(negotiation, {sasl_condition::not_authorized, "name or password is wrong"});
    } else if (exchange.standing == Standing::disabled) {
        fail(negotiation, {sasl_condition::account_disabled, "this account is disabled"});
    } else {
        succeed(negotiation, exchange.account, {});
    }
}

void plain_check(Negotiation& negotiation, const std::shared_ptr<PlainCheck>& check) {
    Hub& hub = negotiation.hub();
    const bool accepted = hub.shared.workers.run([&hub, asked = Awaited(negotiation), check] {
        check->right = verify_plain(check->credentials, check->password);
        hub.shard.post([asked, check] {
            if (Negotiation* const still = asked.get()) plain_verified(*still, check->right);
        });
    });
    if (accepted) return;
    fail(negotiation, {sasl_condition::temporary_auth_failure, "too many logins at once"});
}

void plain(Negotiation& negotiation, std::string_view message) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    auto request = parse_plain(message);
    if (!request) {
        fail(negotiation, request.error());
        return;
    }
    const auto check = std::make_shared<PlainCheck>();
    check->password = std::move(request->password);
    const auto account = account_of(negotiation, request->authcid);
    if (account && !acceptable_authzid(negotiation, request->authzid, *account)) {
        fail(negotiation, {sasl_condition::invalid_authzid, "only for your own account"});
        return;
    }
    exchange.account = account ? *account : Jid::trusted("invalid", negotiation.domain());
    exchange.busy = true;
    Hub& hub = negotiation.hub();
    account_store::find(hub, exchange.account.bare(),
                        [&hub, asked = Awaited(negotiation), check,
                         account = exchange.account](Result<std::optional<Record>> found) {
                            Negotiation* const still = asked.get();
                            if (still == nullptr) return;
                            auto& current = static_cast<SaslExchange&>(*still->state);
                            if (!found) {
                                fail(*still, {sasl_condition::temporary_auth_failure,
                                              "the account cannot be read at the moment"});
                                return;
                            }
                            current.standing = standing_of(*found);
                            check->credentials =
                                *found ? (*found)->credentials
                                       : fake_credentials(hub.shared.secret, account.bare());
                            plain_check(*still, check);
                        });
}

// ---- ANONYMOUS (RFC 4505); what the client says of itself is not looked at ----

void anonymous_login(Negotiation& negotiation) {
    static_cast<SaslExchange&>(*negotiation.state).busy = true;
    anonymous::make(
        negotiation.hub(), negotiation.domain(),
        network_prefix(negotiation.stream().channel().remote()),
        [asked = Awaited(negotiation)](const Result<Jid>& made) {
            Negotiation* const still = asked.get();
            if (still == nullptr) return;
            if (made) {
                succeed(*still, *made, {});
            } else {
                fail(*still, {sasl_condition::temporary_auth_failure, made.error().why()});
            }
        });
}

// ---- EXTERNAL (XEP-0178 §3) ----

void external(Negotiation& negotiation, std::string_view message) {
    auto authzid = parse_external(message);
    if (!authzid) {
        fail(negotiation, authzid.error());
        return;
    }
    // RFC 6120 §13.9: without an authzid the identity is the stream's `from`.
    const auto claimed =
        Jid::parse(authzid->empty() ? negotiation.peer_domain() : std::string_view(*authzid));
    if (!claimed || claimed->has_local() || claimed->has_resource()) {
        fail(negotiation, {sasl_condition::invalid_authzid, "a server is a domain"});
        return;
    }
    if (Outcome proven = negotiation.peer_proves(claimed->domain()); !proven) {
        fail(negotiation, {sasl_condition::not_authorized, proven.why()});
        return;
    }
    succeed(negotiation, *claimed, {});
}

// ---- elements ----

void step(Negotiation& negotiation, std::string_view message) {
    auto& exchange = static_cast<SaslExchange&>(*negotiation.state);
    if (exchange.mechanism == external_name) {
        external(negotiation, message);
    } else if (exchange.mechanism == plain_name) {
        plain(negotiation, message);
    } else if (exchange.mechanism == anonymous_name) {
        anonymous_login(negotiation);
    } else if (!exchange.started) {
        scram_first(negotiation, message);
    } else {
        scram_final(negotiation, message);
    }
}

bool choose(Negotiation& negotiation, SaslExchange& exchange) {
    if (negotiation.side() == StreamSide::server) return exchange.mechanism == external_name;
    if (exchange.mechanism == plain_name) return true;
    if (exchange.mechanism == anonymous_name) {
        return anonymous::offered(negotiation.hub(), negotiation.domain());
    }
    const Channel& channel = negotiation.stream().channel();
    const bool binding = !channel_binding::announced(channel).empty();
    ChannelBindings bindings = channel_binding::accepted(channel);
    for (const ScramHash hash : scram_hashes) {
        for (const bool plus : {false, true}) {
            if (exchange.mechanism != scram_mechanism(hash, plus) || (plus && !binding)) continue;
            exchange.scram.emplace(ScramServer::Options{.hash = hash,
                                                        .plus = plus,
                                                        .plus_offered = binding,
                                                        .bindings = std::move(bindings)});
            return true;
        }
    }
    return false;
}

void begin(Negotiation& negotiation, const Element& element, Arena& arena) {
    auto exchange = std::make_unique<SaslExchange>();
    exchange->mechanism = element.attribute("mechanism");
    const bool known = choose(negotiation, *exchange);
    // RFC 4505 has one message, which may be left out: XEP-0175 §2 goes on without a challenge.
    const bool may_say_nothing = exchange->mechanism == anonymous_name;
    negotiation.state = std::move(exchange);
    if (!known) {
        fail(negotiation, {sasl_condition::invalid_mechanism, "that mechanism is not offered"});
        return;
    }
    auto initial = decode_initial_response(element.text(arena));
    if (!initial) {
        fail(negotiation, initial.error());
    } else if (initial->has_value() || may_say_nothing) {
        step(negotiation, initial->value_or(""));
    } else {
        send_data(negotiation, "challenge", {});
    }
}

void handle(Negotiation& negotiation, Element& element, Arena& arena) {
    auto* exchange = static_cast<SaslExchange*>(negotiation.state.get());
    if (element.name == "auth" && exchange == nullptr) {
        begin(negotiation, element, arena);
    } else if (element.name == "abort") {
        fail(negotiation, {sasl_condition::aborted, {}});
    } else if (element.name == "response" && exchange != nullptr && !exchange->busy) {
        auto message = decode_sasl_payload(element.text(arena));
        if (message) {
            step(negotiation, *message);
        } else {
            fail(negotiation, message.error());
        }
    } else {
        fail(negotiation, {sasl_condition::malformed_request, "that element is not due now"});
    }
}

constexpr std::array features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::sasl,
                  .needs = stream_bits::secure,
                  .forbids = stream_bits::authenticated,
                  .offer = offer_client,
                  .handle = handle},
    StreamFeature{.side = StreamSide::server,
                  .ns = ns::sasl,
                  .needs = stream_bits::secure,
                  .forbids = stream_bits::authenticated,
                  .offer = offer_server,
                  .handle = handle},
};

}  // namespace

extern const Feature sasl;
const Feature sasl{
    .name = "sasl", .xep = 440, .version = "0.4.2", .stream = features, .metrics = metrics};

}  // namespace causeway
