// XEP-0077 In-Band Registration. For the owner of an account, logged in: what is registered,
// another password, and the end of the account. For strangers, where domain.registration is "open":
// a new account (strangers.cc).
//
// A new password ends the account's other sessions, with the stream error `reset`: most often it is
// changed because somebody else may know the old one, and a session that was opened with it is to
// prove itself again. The session that changed it goes on.
//
// An account ends as by `causewayctl user remove`; first it is disabled for good, and its owner
// told so, for no session of it outlives what follows.
#include "gateway/features/registration/registration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/features/account_queue.h"
#include "gateway/route/router.h"
#include "gateway/sasl/scram_keys.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "gateway/session/domain_access.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace registration {

constexpr FeatureOption password_length_min{
    .key = "registration.password_length_min",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "8",
    .doc =
        "Characters that a password has at least which a user chooses. Passwords that the "
        "administrator sets are not measured.",
    .minimum = 1,
    .maximum = 128,
    .fallback = 8,
    .section_doc = "What users do with their accounts from a client (XEP-0077)."};

namespace {

constexpr Slot<AccountQueue> queue{"registration"};

/// Code points of well-formed UTF-8.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

Outcome check_password(const Hub& hub, std::string_view password) {
    const auto least = static_cast<std::size_t>(password_length_min.integer(*hub.config));
    if (characters(password) < least) {
        return Outcome::malformed(
            fmt::format("A password has at least {} characters here.", least));
    }
    if (password.size() > max_new_password) {
        return Outcome::malformed(
            fmt::format("A password has at most {} bytes.", max_new_password));
    }
    return {};
}

void carry_out(Hub& hub, Operation operation, const Jid& account, std::string password,
               control::Done done) {
    const auto secret = std::make_shared<std::string>(std::move(password));
    hub.shared.control->post(
        [&hub, operation, bare = std::string(account.bare()), secret, done = std::move(done)] {
            (hub.shared.operations->*operation)(
                {bare, std::move(*secret)}, 0, [&hub, done](const Outcome& outcome) {
                    hub.shard.post([done, outcome] { done(outcome); });
                });
            wipe(*secret);
        });
}

}  // namespace registration

namespace {

using registration::queue;

/// The account of the local client that asks, if it asks its own account or its own domain.
Account* account_of(const IqRequest& request) {
    if (request.account != nullptr) return request.account;
    const bool own =
        request.sender != nullptr && request.stanza.from.domain() == request.stanza.to.domain();
    return own ? request.hub.accounts->find(request.stanza.from.bare()) : nullptr;
}

StanzaError not_yours() {
    return {.condition = StanzaCondition::forbidden,
            .text = "Only the owner of an account here can do that."};
}

void get(const IqRequest& request) {
    const IqReturn back(request);
    const Account* const account = account_of(request);
    if (account == nullptr) {
        back.error(not_yours());
        return;
    }
    // Its password is nobody's to know or to change: it is offered no form.
    if (is_anonymous_account(request.hub, account->jid())) {
        back.error({.condition = StanzaCondition::not_allowed,
                    .text = "Nothing is registered for a client without an account."});
        return;
    }
    back.result(XmlBuilder()
                    .open("query", ns::registration)
                    .empty("registered")
                    .element("instructions",
                             "Submit your user name and a new password to change your password.")
                    .element("username", request.stanza.from.local())
                    .empty("password")
                    .take());
}

StanzaError error_of(const Outcome& outcome) {
    StanzaError error{.condition = StanzaCondition::internal_server_error,
                      .text = "The account cannot be changed at the moment.",
                      .type = "wait"};
    if (outcome.cause() == Cause::malformed) {
        error = {.condition = StanzaCondition::not_acceptable, .text = outcome.why()};
    }
    return error;
}

/// Whoever logged in with the old password has to log in again.
void end_others(Hub& hub, const Jid& who) {
    Account* account = hub.accounts->find(who.bare());
    if (account == nullptr) return;
    const std::vector<Resource*> sessions = account->sessions().all();
    for (Resource* session : sessions) {
        if (session->jid() == who) continue;
        session->evict(stream_error::reset, "the password was changed; log in with the new one");
    }
}

void change_password(const IqRequest& request, Account& account) {
    const IqReturn back(request);
    const Element* name = request.payload.child(ns::registration, "username");
    const Element* given = request.payload.child(ns::registration, "password");
    if (name == nullptr || given == nullptr) {
        back.error({.condition = StanzaCondition::bad_request,
                    .text = "A change needs the user name and the new password."});
        return;
    }
    const auto named = Jid::make(name->text(request.stanza.arena), account.jid().domain());
    if (!named || named->bare() != account.jid().bare()) {
        back.error({.condition = StanzaCondition::not_allowed,
                    .text = "You can change your own password only."});
        return;
    }
    std::string password(given->text(request.stanza.arena));
    if (const Outcome checked = registration::check_password(request.hub, password); !checked) {
        back.error({.condition = StanzaCondition::not_acceptable, .text = checked.why()});
        return;
    }
    const auto secret = std::make_shared<std::string>(std::move(password));
    const auto work = [back, jid = account.jid(), secret](const AccountQueue::Done& done) {
        registration::carry_out(
            back.hub, &control::Operations::set_password, jid, std::move(*secret),
            [back, done](const Outcome& outcome) {
                if (outcome) {
                    CAUSEWAY_LOG(info, "account.password_changed", {"jid", back.to.bare()});
                    back.result({});
                    end_others(back.hub, back.to);
                } else {
                    back.error(error_of(outcome));
                }
                done();
            });
    };
    if (AccountQueue::enter(account, queue, work)) return;
    wipe(*secret);
    back.error({.condition = StanzaCondition::resource_constraint,
                .text = "Too many changes are under way; try again."});
}

void remove(const IqRequest& request, const Account& account) {
    const IqReturn back(request);
    if (request.payload.element_count() != 1) {
        back.error({.condition = StanzaCondition::bad_request, .text = "<remove/> stands alone."});
        return;
    }
    const std::string bare(account.jid().bare());
    Batch batch;
    batch.map_set(account_store::store_name, bare, account_store::disabled_key, "1");
    request.hub.shared.store.commit(
        std::move(batch), request.hub.shard, [back, bare](const Outcome& outcome) {
            if (!outcome) {
                back.error(error_of(outcome));
                return;
            }
            back.result({});
            CAUSEWAY_LOG(info, "account.removed_by_owner", {"jid", bare});
            back.hub.shared.control->post([&hub = back.hub, bare] {
                hub.shared.operations->remove_user(bare, [bare](const Outcome& removed) {
                    if (removed || removed.cause() == Cause::absent) return;
                    CAUSEWAY_LOG(error, "account.not_removed", {"jid", bare},
                                 {"cause", removed.why()});
                });
            });
        });
}

void set(const IqRequest& request) {
    Account* const account = account_of(request);
    if (account == nullptr) {
        IqReturn(request).error(not_yours());
    } else if (request.payload.child(ns::registration, "remove") != nullptr) {
        remove(request, *account);
    } else {
        change_password(request, *account);
    }
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::registration, "query", IqTarget::own, get},
    IqHandler{StanzaType::set, ns::registration, "query", IqTarget::own, set},
    IqHandler{StanzaType::get, ns::registration, "query", IqTarget::server, get},
    IqHandler{StanzaType::set, ns::registration, "query", IqTarget::server, set},
};
constexpr std::array disco_features{ns::registration};
constexpr std::array stream_features{
    StreamFeature{.side = StreamSide::client,
                  .ns = ns::registration,
                  .needs = stream_bits::secure,
                  .forbids = stream_bits::authenticated,
                  .offer = registration::offer,
                  .handle = registration::handle},
};
constexpr std::array<const FeatureOption*, 4> options{
    &registration::registration, &registration::per_hour, &registration::per_network_per_hour,
    &registration::password_length_min};

}  // namespace

extern const Feature account_registration;
const Feature account_registration{.name = "account_registration",
                                   .xep = 77,
                                   .version = "2.4",
                                   .server_disco = disco_features,
                                   .account_disco = disco_features,
                                   .iq = handlers,
                                   .stream = stream_features,
                                   .options = options};

}  // namespace causeway
