// XEP-0077 §3.1: a stranger makes an account, where domain.registration is "open". How many may be
// made in an hour is counted in one place, on the first shard: by network, and in all.
#include <fmt/format.h>

#include <array>
#include <unordered_map>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/features/administrators.h"
#include "gateway/features/anonymous.h"
#include "gateway/features/registration/registration.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/system_network.h"
#include "gateway/stream/negotiation.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/scripts.h"

namespace causeway::registration {
namespace {

std::optional<std::string> refuse_unknown(std::string_view text) {
    if (text == "off" || text == "open") return std::nullopt;
    if (text == "invitation") {
        return "is not built yet";
    }
    return R"(is neither "off" nor "open")";
}

}  // namespace

constexpr FeatureOption registration{
    .key = "domain.registration",
    .kind = FeatureOption::Kind::text,
    .form = R"("off" or "open")",
    .example = R"("open")",
    .doc = "Whether strangers may make accounts from a client (XEP-0077).",
    .if_unset = R"("off")",
    .check = refuse_unknown};
constexpr FeatureOption per_hour{
    .key = "registration.accounts_per_hour",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "100",
    .doc = "Accounts that strangers may make in an hour, on all domains; tries count as well.",
    .minimum = 1,
    .maximum = 100'000,
    .fallback = 100};
constexpr FeatureOption per_network_per_hour{
    .key = "registration.accounts_per_network_per_hour",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "5",
    .doc = "The same from one network (an IPv4 /24, an IPv6 /64).",
    .minimum = 1,
    .maximum = 100'000,
    .fallback = 5};

namespace {

constexpr Duration hour{60 * 60'000};

/// What was asked for in this hour. There are at most as many networks as requests.
class Requests final : public SlotState {
public:
    bool admit(const Hub& hub, const std::string& network) {
        const TimePoint now = hub.clock().now();
        if (now - since_ >= hour || all_ == 0) {
            of_network_.clear();
            all_ = 0;
            since_ = now;
        }
        std::int64_t& own = of_network_[network];
        if (all_ >= per_hour.integer(*hub.config) ||
            own >= per_network_per_hour.integer(*hub.config)) {
            if (own == 0) of_network_.erase(network);
            return false;
        }
        ++own;
        ++all_;
        return true;
    }

private:
    TimePoint since_{};
    std::int64_t all_ = 0;
    std::unordered_map<std::string, std::int64_t> of_network_;
};
constexpr Slot<Requests> requests{"registration"};

/// Where an answer goes that comes later.
struct Reply {
    std::weak_ptr<Negotiation*> negotiation;
    Hub& hub;
    std::string id, domain;

    explicit Reply(Negotiation& asked, const Element& iq)
        : negotiation(asked.handle()),
          hub(asked.hub()),
          id(iq.attribute("id")),
          domain(asked.domain()) {}

    void send(StanzaType type, std::string_view inner) const {
        const auto held = negotiation.lock();
        if (held == nullptr) return;
        (*held)->stream().send(
            Packet::make(StanzaKind::iq, type, *Jid::parse(domain), {}, id, inner)->bytes());
    }
    /// Too many of them end the stream.
    void error(const StanzaError& error) const {
        std::string inner;
        append_error(inner, error);
        send(StanzaType::error, inner);
        const auto held = negotiation.lock();
        if (held != nullptr && ++(*held)->failures >= hub.limits().sasl_failures) {
            (*held)->stream().fail(stream_error::policy_violation, "too many failed registrations");
        }
    }
};

void answer_get(const Reply& reply) {
    reply.send(StanzaType::result,
               XmlBuilder()
                   .open("query", ns::registration)
                   .element("instructions",
                            fmt::format("Choose a user name, and a password of at least {} "
                                        "characters.",
                                        password_length_min.integer(*reply.hub.config)))
                   .empty("username")
                   .empty("password")
                   .take());
}

StanzaError error_of(const Outcome& outcome) {
    switch (outcome.cause()) {
        case Cause::refused:
            return {.condition = StanzaCondition::conflict, .text = "That user name is taken."};
        case Cause::malformed:
            return {.condition = StanzaCondition::not_acceptable, .text = outcome.why()};
        default:
            return {.condition = StanzaCondition::resource_constraint,
                    .text = "The account cannot be made at the moment; try again later.",
                    .type = "wait"};
    }
}

/// Makes the account, if it is not one too many.
void make(const Reply& reply, const Jid& account, const std::string& network,
          std::string password) {
    const auto secret = std::make_shared<std::string>(std::move(password));
    Hub& first = *reply.hub.shared.hubs.front();
    reply.hub.at(first, [&first, reply, account, network, secret] {
        const bool admitted = first.slots.make(requests).admit(first, network);
        first.at(reply.hub, [reply, account, secret, admitted] {
            if (!admitted) {
                reply.error({.condition = StanzaCondition::policy_violation,
                             .text = "Too many accounts were made in this hour; try again later.",
                             .type = "wait"});
                return;
            }
            if (is_administrator(reply.hub, account) ||
                anonymous::is_anonymous(reply.hub, account)) {
                // Not theirs to take, whether there is such an account or not. It counts like a
                // name that is taken, so that the answers do not tell one from the other.
                reply.error(error_of(Outcome::refused("")));
                return;
            }
            carry_out(reply.hub, &control::Operations::add_user, account, std::move(*secret),
                      [reply, account](const Outcome& outcome) {
                          if (outcome) {
                              CAUSEWAY_LOG(info, "account.registered", {"jid", account.bare()});
                              reply.send(StanzaType::result, {});
                          } else {
                              reply.error(error_of(outcome));
                          }
                      });
        });
    });
}

void answer_set(const Reply& reply, Negotiation& negotiation, const Element& query, Arena& arena) {
    const Element* name = query.child(ns::registration, "username");
    const Element* password = query.child(ns::registration, "password");
    const auto refuse = [&](std::string why) {
        reply.error({.condition = StanzaCondition::not_acceptable, .text = std::move(why)});
    };
    if (name == nullptr || password == nullptr) {
        return refuse("An account needs a user name and a password.");
    }
    const auto account = Jid::make(name->text(arena), reply.domain);
    if (!account || !account->has_local()) {
        return refuse(account
                          ? "An account needs a user name."
                          : fmt::format("That cannot be a user name: {}.", account.error().why()));
    }
    if (unicode::mixes_scripts(account->local())) {
        return refuse(
            "A user name is written in one script, so that it is not mistaken for another.");
    }
    const std::string_view text = password->text(arena);
    if (const Outcome checked = check_password(reply.hub, text); !checked) {
        return refuse(checked.why());
    }
    make(reply, *account, network_prefix(negotiation.stream().channel().remote()),
         std::string(text));
}

}  // namespace

bool open_on(const Hub& hub, std::string_view domain) {
    return registration.text(*hub.config, domain) == "open";
}

void offer(Negotiation& negotiation, std::string& out) {
    if (!open_on(negotiation.hub(), negotiation.domain())) return;
    out += XmlBuilder().empty("register", ns::registration_feature).take();
}

void handle(Negotiation& negotiation, Element& iq, Arena& arena) {
    const Reply reply(negotiation, iq);
    const Element* query = iq.child(ns::registration, "query");
    const std::string_view type = iq.attribute("type");
    const std::string_view to = iq.attribute("to");
    if (const auto domain = Jid::parse(to);
        !to.empty() && (!domain || domain->full() != reply.domain)) {
        reply.error({.condition = StanzaCondition::not_allowed,
                     .text = fmt::format("This stream makes accounts of {} only.", reply.domain)});
    } else if (!open_on(negotiation.hub(), negotiation.domain())) {
        reply.error({.condition = StanzaCondition::not_allowed,
                     .text = "Accounts are made by the administrator here."});
    } else if (query == nullptr || iq.element_count() != 1 || reply.id.empty()) {
        reply.error({.condition = StanzaCondition::bad_request,
                     .text = "That iq needs an id and one <query/>."});
    } else if (type == "get") {
        answer_get(reply);
    } else {
        answer_set(reply, negotiation, *query, arena);
    }
}

}  // namespace causeway::registration
