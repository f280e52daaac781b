#include "gateway/server/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/session/account_store.h"

namespace causeway {

ServerOperations::ServerOperations(Server& server, Executor& home,
                                   std::shared_ptr<const Config> config,
                                   std::shared_ptr<const TlsSnapshot> tls, Lifecycle lifecycle)
    : server_(server),
      home_(home),
      config_(std::move(config)),
      tls_(std::move(tls)),
      lifecycle_(std::move(lifecycle)),
      changes_(server, home, locks_) {}

Result<Jid> ServerOperations::account_of(std::string_view text) {
    auto jid = Jid::parse(text);
    if (!jid) {
        return Outcome::malformed(
            fmt::format("\"{}\" is not an address: {}", text, jid.error().why()));
    }
    if (!jid->has_local() || jid->has_resource()) {
        return Outcome::malformed(fmt::format(
            "\"{}\" is not the address of an account, such as juliet@example.org", text));
    }
    return jid;
}

Result<Jid> ServerOperations::new_account_of(std::string_view text) const {
    auto jid = account_of(text);
    if (jid && !serves(jid->domain())) {
        return Outcome::refused(fmt::format("the domain {} is not served here", jid->domain()));
    }
    return jid;
}

bool ServerOperations::serves(std::string_view domain) const {
    return std::ranges::any_of(config_->domains,
                               [&](const DomainConfig& served) { return served.name == domain; });
}

void ServerOperations::if_account(const Jid& account, control::Done fail,
                                  std::function<void()> then) {
    const std::string bare(account.bare());
    server_.shared().store.map_get(
        std::string(account_store::store_name), bare, std::string(account_store::credentials_key),
        home_,
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

}  // namespace causeway
