// XEP-0292 vCard4 Over XMPP: what a client publishes in the node urn:xmpp:vcard4 and the account's
// vcard-temp card (XEP-0054) are kept in step, property by property; see card_fields.h. What only
// one of the forms can say stays where it is. Over the card, the photo is in step with the avatar,
// too (avatars.cc).
//
// A change makes a pass that puts the properties that are others than before into the other place,
// so that what a client changed there meanwhile stays; what this conversion changes makes none. A
// node that not all contacts may read stays out of the card, which they see, and the card out of a
// node that everybody may read. A node that the server makes is for contacts, and its notifications
// hold no card (§3.2.2).
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "gateway/features/conversions/card_fields.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/features/conversions/passes.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/features/vcard.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway::conversions {
namespace {

using personal_events::OwnItem;
using personal_events::Readers;
constexpr Slot<Passes> passes{"vcard4"};
constexpr std::string_view author = "vcard4";

/// The two as they were before somebody else changed them.
struct Former final : SlotState {
    std::optional<std::string> card, vcard4;
};
constexpr Slot<Former> former{"former vcard4"};

/// Takes one of them, once the place has been read: what changed until then is part of the pass.
/// nullopt: nothing changed since the last pass.
std::optional<std::string> take_former(const Account& account,
                                       std::optional<std::string> Former::*member) {
    Former* was = account.slots.get(former);
    if (was == nullptr) return std::nullopt;
    return std::exchange(was->*member, std::nullopt);
}

/// The end of a pass that took it: the next attempt, if there is one, has to know it again.
Passes::Done giving_back(Account& account, std::optional<std::string> Former::*member,
                         std::optional<std::string> before, const Passes::Done& done) {
    return [&account, member, before = std::move(before), done](const Outcome& outcome) {
        if (before && outcome.cause() == Cause::retry) {
            account.slots.make(former).*member = before;
        }
        done(outcome);
    };
}

bool contacts_read_node(const Account& account) {
    const Readers readers = personal_events::readers_of(account, ns::vcard4_node);
    return readers == Readers::contacts || readers == Readers::everybody;
}

void copy_to_card(Account& account, const std::string& vcard4, const Passes::Done& done) {
    const auto before = take_former(account, &Former::vcard4);
    if (!before || !contacts_read_node(account)) {
        done({});
        return;
    }
    auto change = change_of(*before, vcard4, CardForm::four);
    if (!change) {
        done(change.error());
        return;
    }
    // Clients that keep their picture as an avatar publish vCards without one.
    keep_photo(*change);
    const auto edit = [&account, change = *change](const std::string& card) {
        // Its owner may have changed that meanwhile.
        return contacts_read_node(account) ? with_change(card, CardForm::temp, change)
                                           : std::nullopt;
    };
    edit_card(account, author, edit, giving_back(account, &Former::vcard4, before, done));
}

void to_card(Account& account, const Passes::Done& done) {
    personal_events::read_for(account, std::string(ns::vcard4_node), {},
                              [&account, done](const Result<OwnItem>& newest) {
                                  if (newest) {
                                      copy_to_card(account, newest->payload, done);
                                  } else if (newest.error().cause() == Cause::absent) {
                                      // Who takes the vCard4 away may still have a card.
                                      take_former(account, &Former::vcard4);
                                      done({});
                                  } else {
                                      done(newest.error());
                                  }
                              });
}

bool everybody_reads_node(const Account& account) {
    return personal_events::readers_of(account, ns::vcard4_node) == Readers::everybody;
}

void copy_to_vcard4(Account& account, const std::string& card, const Passes::Done& done) {
    const auto before = take_former(account, &Former::card);
    const auto whole = change_of({}, card, CardForm::temp);
    const auto change = before ? change_of(*before, card, CardForm::temp) : CardChange{};
    if (!whole || !change) {
        done(whole ? change.error() : whole.error());
    } else if (everybody_reads_node(account)) {
        done(Outcome::policy("everybody may read the node of the vCard4, and contacts the card"));
    } else {
        const auto edit = [&account, whole = *whole,
                           change = *change](const OwnItem* known) -> std::optional<std::string> {
            // Its owner may have changed that meanwhile.
            if (everybody_reads_node(account)) return std::nullopt;
            return known == nullptr ? with_change({}, CardForm::four, whole)
                                    : with_change(known->payload, CardForm::four, change);
        };
        personal_events::edit_for(account, std::string(ns::vcard4_node), {}, "current", edit,
                                  {{"pubsub#deliver_payloads", {"0"}}},
                                  giving_back(account, &Former::card, before, done));
    }
}

void to_vcard4(Account& account, const Passes::Done& done) {
    read_card(account, [&account, done](const Result<std::string>& card) {
        if (card) {
            copy_to_vcard4(account, *card, done);
        } else {
            done(card.error());
        }
    });
}

void remember(Account& account, std::optional<std::string> Former::*member,
              std::string_view before) {
    auto& known = account.slots.make(former).*member;
    if (!known) known = std::string(before);
}

}  // namespace

void vcard4_changed(Account& account, const DataChange& data) {
    if (data.is_of_card_not_by(author)) {
        remember(account, &Former::card, data.before);
        Passes::request(account, passes, to_vcard4);
    } else if (data.is_of_node(ns::vcard4_node)) {
        remember(account, &Former::vcard4, data.before);
        Passes::request(account, passes, to_card);
    }
}

}  // namespace causeway::conversions

namespace causeway {

constexpr std::array vcard4_disco{ns::vcard4};

extern const Feature vcard4;
const Feature vcard4{
    .name = "vcard4", .xep = 292, .version = "0.12.0", .account_disco = vcard4_disco};

}  // namespace causeway
