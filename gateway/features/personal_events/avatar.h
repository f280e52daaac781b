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

/// On the account's home, once it is loaded. Publishes both, unless the account's newest avatar is
/// that picture already. Malformed if it is no base64; else as publish_for().
void publish_avatar(Account& account, const Avatar& avatar,
                    std::function<void(const Outcome&)> done);
/// The account's newest avatar; nullopt: it has published none, or that it has none.
void read_avatar(Account& account, std::function<void(const std::optional<Avatar>&)> done);

}  // namespace causeway::personal_events
