// XEP-0084 avatars for other features of this server, which have them in another form (XEP-0398):
// the picture stands in one node, what is said of it in another.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gateway/base/outcome.h"

namespace causeway {
class Account;
}

namespace causeway::personal_events {

struct Avatar {
    std::string type;    ///< of the picture, such as "image/png"
    std::string base64;  ///< the picture without white space; empty: the account has none
};

/// The type of a picture by its first bytes: PNG, JPEG, GIF or WebP; empty: none of them.
std::string_view type_of_picture(std::string_view bytes);

/// On the account's home, once it is loaded. Publishes both, unless the account's newest avatar is
/// that picture already. Malformed if it is no base64; else as publish_for().
void publish_avatar(Account& account, const Avatar& avatar,
                    std::function<void(const Outcome&)> done);
/// Says that the account has no avatar, if its newest is this one.
void withdraw_avatar(Account& account, const Avatar& avatar,
                     std::function<void(const Outcome&)> done);
/// The account's newest avatar, from the first picture of the metadata that is kept here and not at
/// a URL; an empty one, if it says that it has none. Absent: nothing is published. Refused: the
/// picture is not there, or not yet. Malformed: it is no base64, or another one than the metadata
/// names.
void read_avatar(Account& account, std::function<void(const Result<Avatar>&)> done);

}  // namespace causeway::personal_events
