// XEP-0490 Message Displayed Synchronization, what a server does for it (§4.5, "server assist"): a
// client that tells a contact what it displayed tells its own account in the same message. That
// part is taken out of the message before it goes on, is archived or copied, and is published for
// the account's other clients. A message never fails for it.
#include <array>

#include "gateway/base/log.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

using personal_events::Readers;

void publish(Account& account, const personal_events::OwnItem& item) {
    // §8: it is for the account alone.
    const Readers readers = personal_events::readers_of(account, ns::displayed);
    if (readers != Readers::undecided && readers != Readers::nobody) return;
    personal_events::publish_for(
        account, item, personal_events::private_node(), [&account](const Outcome& outcome) {
            if (outcome) return;
            CAUSEWAY_LOG(info, "displayed.not_published", {"jid", account.jid().bare()},
                         {"cause", outcome.why()});
        });
}

Verdict take_displayed(FromClient& from) {
    Stanza& message = from.stanza;
    if (message.kind != StanzaKind::message || message.type == StanzaType::error) {
        return Verdict::next;
    }
    const Element* displayed = message.element.child(ns::displayed, "displayed");
    if (displayed == nullptr) return Verdict::next;
    personal_events::OwnItem item{std::string(ns::displayed), std::string(message.to.full()), {}};
    if (displayed->child(ns::stanza_ids, "stanza-id") != nullptr) {
        append_element(item.payload, *displayed, {});
    }
    while (displayed != nullptr) {
        message.element.remove_child(*displayed);
        displayed = message.element.child(ns::displayed, "displayed");
    }
    if (item.payload.empty()) return Verdict::next;
    Account& account = from.account;
    account.when_loaded([&account, item](const Outcome& outcome) {
        if (outcome && account.exists()) publish(account, item);
    });
    return Verdict::next;
}

constexpr std::array disco_features{ns::displayed_assist};
constexpr std::array from_client{FromClientHook{Phase::rewrite, take_displayed}};

}  // namespace

extern const Feature displayed;
const Feature displayed{.name = "displayed",
                        .xep = 490,
                        .version = "1.0.1",
                        .account_disco = disco_features,
                        .points = {.from_client = from_client}};

}  // namespace causeway
