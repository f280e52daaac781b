// XEP-0292 vCard4 Over XMPP: what a client publishes in the node urn:xmpp:vcard4 and the account's
// vcard-temp card (XEP-0054) are kept in step, property by property; see card_fields.h. What only
// one of the forms can say stays where it is. Over the card, the photo is in step with the avatar,
// too (avatars.cc).
//
// A change makes a pass that puts the properties that are others than before into the other place,
// so that what a client changed there meanwhile stays; what this conversion changes makes none. A
// node that not all contacts may read stays out of the card, which they see. A node that the server
// makes is for contacts, and its notifications hold no card (§3.2.2).
#include <array>

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

/// Takes one of them; empty: it is not known.
std::string take_former(const Account& account, std::optional<std::string> Former::*member) {
    Former* was = account.slots.get(former);
    if (was == nullptr || !(was->*member)) return {};
    std::string taken = std::move(*(was->*member));
    (was->*member).reset();
    return taken;
}

void to_card(Account& account, const Passes::Done& done) {
    const std::string before = take_former(account, &Former::vcard4);
    const Readers readers = personal_events::readers_of(account, ns::vcard4_node);
    if (readers != Readers::contacts && readers != Readers::everybody) {
        done({});
        return;
    }
    personal_events::read_for(
        account, std::string(ns::vcard4_node), {},
        [&account, before, done](const Result<OwnItem>& newest) {
            if (!newest) {
                // Who takes the vCard4 away may still have a card.
                done(newest.error().cause() == Cause::absent ? Outcome{} : newest.error());
                return;
            }
            auto change = change_of(before, newest->payload, CardForm::four);
            if (!change) {
                done(change.error());
                return;
            }
            // Clients that keep their picture as an avatar publish vCards without one.
            keep_photo(*change);
            const auto edit = [change = *change](const std::string& card) {
                return with_change(card, CardForm::temp, change);
            };
            edit_card(account, author, edit, done);
        });
}

/// `card`: as it is now, for a vCard4 that is not there yet.
void put(Account& account, const std::string& card, const CardChange& change,
         const Result<OwnItem>& known, const Passes::Done& done) {
    const bool there = known.ok();
    if (!there && known.error().cause() != Cause::absent) {
        done(known.error());
        return;
    }
    const auto whole = there ? Result<CardChange>(change) : change_of({}, card, CardForm::temp);
    const auto next =
        whole ? with_change(there ? known->payload : "", CardForm::four, *whole) : std::nullopt;
    if (!next) {
        done({});
        return;
    }
    personal_events::publish_for(
        account, {std::string(ns::vcard4_node), there ? known->id : "current", *next},
        {{"pubsub#deliver_payloads", {"0"}}}, done);
}

void to_vcard4(Account& account, const Passes::Done& done) {
    const std::string before = take_former(account, &Former::card);
    read_card(account, [&account, before, done](const Result<std::string>& card) {
        const auto change = card ? change_of(before, *card, CardForm::temp) : card.error();
        if (!change) {
            done(change.error());
            return;
        }
        personal_events::read_for(
            account, std::string(ns::vcard4_node), {},
            [&account, card = *card, change = *change, done](const Result<OwnItem>& known) {
                put(account, card, change, known, done);
            });
    });
}

void remember(Account& account, std::optional<std::string> Former::*member,
              std::string_view before) {
    auto& known = account.slots.make(former).*member;
    if (!known) known = std::string(before);
}

}  // namespace

void vcard4_changed(Account& account, const DataChange& data) {
    if (data.place == DataChange::Place::card) {
        if (data.by == author) return;
        remember(account, &Former::card, data.before);
        Passes::request(account, passes, to_vcard4);
    } else if (data.place == DataChange::Place::node && data.name == ns::vcard4_node) {
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
