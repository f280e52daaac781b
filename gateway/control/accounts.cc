#include "gateway/control/accounts.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "gateway/session/account_store.h"

namespace causeway::control {

Result<Jid> address_of(std::string_view text) {
    auto jid = Jid::parse(text);
    if (jid) return jid;
    return Outcome::malformed(fmt::format("\"{}\" is not an address: {}", text, jid.error().why()));
}

Result<Jid> account_of(std::string_view text) {
    auto jid = address_of(text);
    if (!jid) return jid;
    if (!jid->has_local() || jid->has_resource()) {
        return Outcome::malformed(fmt::format(
            "\"{}\" is not the address of an account, such as juliet@example.org", text));
    }
    return jid;
}

void if_account(Store& store, Executor& home, const Jid& account, Done fail,
                std::function<void()> then) {
    const std::string bare(account.bare());
    store.map_get(std::string(account_store::store_name), bare,
                  std::string(account_store::credentials_key), home,
                  [bare, fail = std::move(fail),
                   then = std::move(then)](const Result<std::optional<std::string>>& found) {
                      if (!found) {
                          fail(found.error());
                      } else if (!found->has_value()) {
                          fail(Outcome::absent(fmt::format("no account {}", bare)));
                      } else {
                          then();
                      }
                  });
}

}  // namespace causeway::control
