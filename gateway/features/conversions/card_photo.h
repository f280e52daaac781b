// The photo in a vcard-temp card (XEP-0054), as the avatar that it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/features/personal_events/avatar.h"

namespace causeway::conversions {

/// The photo in a card. An empty one, if the card has none. Malformed: it is no base64, or only a
/// link to a picture, or it is not known what kind of picture it is.
Result<personal_events::Avatar> photo_in(const std::string& card);

/// Whether the card has a link as its photo, or beside it.
bool has_linked_photo(const std::string& card);

/// The card with that photo and no other; an empty one: without. `card` may be empty.
std::string with_photo(const std::string& card, const personal_events::Avatar& photo);

/// A photo as the URI that it is in vCard4 (RFC 2397); empty: it is no picture. `data` is base64.
std::string photo_uri(std::string_view type, std::string_view data);
/// What such a URI begins with.
inline constexpr std::string_view data_scheme = "data:";
/// Type and base64 of such a URI.
std::pair<std::string_view, std::string_view> split_photo(std::string_view photo);

}  // namespace causeway::conversions
