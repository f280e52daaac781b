// XEP-0398 User Avatar to vCard-Based Avatars Conversion: an avatar that a client publishes
// (XEP-0084) becomes the photo of the account's card, whose hash stands in the account's presence
// (XEP-0153), and a photo that a client sets becomes an avatar.
//
// A change makes a pass, in which the picture that is there now is put into the other place, if
// that has another one. What this conversion puts there makes none, so that nothing goes in circles
// and nobody is told twice; nor does a change of the card that leaves its photo as it was. A
// picture that is no base64, is not of the hash that it is published under, or is larger than the
// other place takes, changes nothing there; nor does an avatar that not all contacts may see, since
// they see the card.
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

void to_card(Account& account, const Passes::Done& done) {
    if (!contacts_see_avatar(account)) {
        done({});
        return;
    }
    personal_events::read_avatar(account, [&account, done](const Result<Avatar>& avatar) {
        const bool gone = !avatar && avatar.error().cause() == Cause::absent;
        if (!avatar && !gone) {
            // What is published first may be either of the two.
            done(avatar.error().cause() == Cause::retry ? Outcome{} : avatar.error());
            return;
        }
        const auto change = [next = gone ? Avatar{} : *avatar](
                                const std::string& card) -> std::optional<std::string> {
            const Result<Avatar> photo = photo_in(card);
            if (photo && photo->base64 == next.base64) return std::nullopt;
            return with_photo(card, next);
        };
        edit_card(account, author, change, done);
    });
}

void to_avatar(Account& account, const Passes::Done& done) {
    std::string before;
    if (Former* was = account.slots.get(former)) before = std::move(was->card);
    account.slots.drop(former);
    read_card(account, [&account, before, done](const Result<std::string>& card) {
        const Result<Avatar> photo = card ? photo_in(*card) : card.error();
        const Result<Avatar> old_photo = photo_in(before);
        if (!photo) {
            done(photo.error());
        } else if (old_photo && old_photo->base64 == photo->base64) {
            done({});
        } else if (!photo->base64.empty()) {
            personal_events::publish_avatar(account, *photo, done);
        } else if (old_photo) {
            personal_events::withdraw_avatar(account, *old_photo, done);
        } else {
            done({});
        }
    });
}

}  // namespace

void avatar_changed(Account& account, const DataChange& data) {
    if (data.place == DataChange::Place::card) {
        if (data.by == author) return;
        if (account.slots.get(former) == nullptr) {
            account.slots.make(former).card = std::string(data.before);
        }
        Passes::request(account, passes, to_avatar);
    } else if (data.place == DataChange::Place::node &&
               (data.name == ns::avatar_metadata || data.name == ns::avatar_data)) {
        Passes::request(account, passes, to_card);
    }
}

}  // namespace causeway::conversions

namespace causeway {

constexpr std::array avatar_disco{ns::avatar_conversion};

extern const Feature avatar_conversion;
const Feature avatar_conversion{
    .name = "avatar_conversion", .xep = 398, .version = "1.0.0", .account_disco = avatar_disco};

}  // namespace causeway
