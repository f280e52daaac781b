// XEP-0398 User Avatar to vCard-Based Avatars Conversion: an avatar that a client publishes
// (XEP-0084) becomes the photo of the account's card, whose hash stands in the account's presence
// (XEP-0153), and a photo that a client sets becomes an avatar.
//
// A change makes a pass, in which the picture that is there now is put into the other place, if
// that has another one. What this conversion puts there makes none, so that nothing goes in circles
// and nobody is told twice; nor does a change of the card that leaves its photo as it was. An
// avatar that is no base64, is not of the hash that it is published under, or is larger than a card
// may be, changes no card; nor does an avatar that not all contacts may see, since they see the
// card. A card whose photo is a link keeps that. Only the metadata say that there is no avatar any
// more: clients publish the picture before them. A photo that can be no avatar (a link, no base64,
// no known kind of picture, too large) puts away the one that it replaced, as one that is taken out
// does: contacts would see the old picture for good.
#include <array>
#include <utility>

#include "gateway/features/conversions/card_photo.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/features/conversions/passes.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/features/vcard.h"
#include "gateway/session/account.h"
#include "gateway/xml/ns.h"

namespace causeway::conversions {
namespace {

using personal_events::Avatar;
using personal_events::Readers;

constexpr Slot<Passes> passes{"avatar"};
constexpr std::string_view author = "avatar";

/// The card as it was before somebody else changed it.
struct Former final : SlotState {
    std::string card;
};
constexpr Slot<Former> former{"former photo"};

/// Contacts see the card, so they must be those who see the avatar.
bool contacts_see_avatar(const Account& account) {
    for (const std::string_view node : {ns::avatar_metadata, ns::avatar_data}) {
        const Readers readers = personal_events::readers_of(account, node);
        if (readers == Readers::nobody || readers == Readers::some) return false;
    }
    return true;
}

/// The card with that avatar as its photo; nullopt: it stays.
std::optional<std::string> edited(const std::string& card, const Avatar& next) {
    const Result<Avatar> photo = photo_in(card);
    if (photo && photo->base64 == next.base64) return std::nullopt;
    // A photo that cannot be read was never the avatar that is gone.
    if (!photo && (next.base64.empty() || has_linked_photo(card))) return std::nullopt;
    return with_photo(card, next);
}

/// `may_be_gone`: where there is no avatar, the card's photo goes.
void copy_to_card(Account& account, bool may_be_gone, const Passes::Done& done) {
    if (!contacts_see_avatar(account)) {
        done({});
        return;
    }
    personal_events::read_avatar(
        account, [&account, may_be_gone, done](const Result<Avatar>& avatar) {
            const bool absent = !avatar && avatar.error().cause() == Cause::absent;
            if (!avatar && !absent) {
                // What is published first may be either of the two.
                done(avatar.error().cause() == Cause::refused ? Outcome{} : avatar.error());
                return;
            }
            const Avatar next = absent ? Avatar{} : *avatar;
            if (next.base64.empty() && !may_be_gone) {
                done({});
                return;
            }
            const auto change = [&account,
                                 next](const std::string& card) -> std::optional<std::string> {
                // Its owner may have changed that meanwhile.
                if (!contacts_see_avatar(account)) return std::nullopt;
                return edited(card, next);
            };
            edit_card(account, author, change, done);
        });
}

void data_to_card(Account& account, const Passes::Done& done) {
    copy_to_card(account, false, done);
}

void metadata_to_card(Account& account, const Passes::Done& done) {
    copy_to_card(account, true, done);
}

/// The avatar that was the photo before goes; `reason`: why the photo of now is none.
void put_away(Account& account, const Result<Avatar>& old_photo, const Outcome& reason,
              const Passes::Done& done) {
    if (!old_photo || old_photo->base64.empty()) return done(reason);
    personal_events::withdraw_avatar(account, *old_photo, [reason, done](const Outcome& outcome) {
        done(outcome ? reason : outcome);
    });
}

void to_avatar(Account& account, const Passes::Done& done) {
    read_card(account, [&account, done](const Result<std::string>& card) {
        const Former* was = account.slots.get(former);
        if (!card || was == nullptr) {
            // Without a change since the last pass, that one did it.
            done(card ? Outcome{} : card.error());
            return;
        }
        const Result<Avatar> photo = photo_in(*card);
        const Result<Avatar> old_photo = photo_in(was->card);
        const auto end = [&account, before = was->card, done](const Outcome& outcome) {
            // The next attempt has to know it.
            if (outcome.cause() == Cause::retry) account.slots.make(former).card = before;
            done(outcome);
        };
        account.slots.drop(former);
        if (photo && old_photo && old_photo->base64 == photo->base64) {
            done({});
        } else if (photo && !photo->base64.empty()) {
            const auto published = [&account, old_photo, end](const Outcome& outcome) {
                if (outcome || outcome.cause() == Cause::retry) return end(outcome);
                put_away(account, old_photo, outcome, end);
            };
            personal_events::publish_avatar(account, *photo, published);
        } else {
            put_away(account, old_photo, photo ? Outcome{} : photo.error(), end);
        }
    });
}

}  // namespace

void avatar_changed(Account& account, const DataChange& data) {
    if (data.is_of_card_not_by(author)) {
        if (account.slots.get(former) == nullptr) {
            account.slots.make(former).card = std::string(data.before);
        }
        Passes::request(account, passes, to_avatar);
    } else if (data.is_of_node(ns::avatar_metadata)) {
        Passes::request(account, passes, metadata_to_card);
    } else if (data.is_of_node(ns::avatar_data)) {
        Passes::request(account, passes, data_to_card);
    }
}

}  // namespace causeway::conversions

namespace causeway {

constexpr std::array avatar_disco{ns::avatar_conversion};

extern const Feature avatar_conversion;
const Feature avatar_conversion{
    .name = "avatar_conversion", .xep = 398, .version = "1.0.0", .account_disco = avatar_disco};

}  // namespace causeway
