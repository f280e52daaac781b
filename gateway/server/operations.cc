#include "gateway/server/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/control/accounts.h"

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

Result<Jid> ServerOperations::new_account_of(std::string_view text) const {
    auto jid = control::account_of(text);
    if (jid && !serves(jid->domain())) {
        return not_served(jid->domain(), Cause::refused);
    }
    return jid;
}

Outcome ServerOperations::not_served(std::string_view domain, Cause cause) const {
    return {cause, fmt::format("the domain {} is not served here, only {}", domain,
                               control::served_domains(*config_))};
}

Outcome ServerOperations::no_account(const Jid& account) const {
    return control::no_account(*config_, account);
}

bool ServerOperations::serves(std::string_view domain) const {
    return std::ranges::any_of(config_->domains,
                               [&](const DomainConfig& served) { return served.name == domain; });
}

void ServerOperations::if_account(const Jid& account, control::Done fail,
                                  std::function<void()> then) {
    control::if_account(*this, server_.shared().store, home_, account, std::move(fail),
                        std::move(then));
}

void ServerOperations::with_account_locked(
    std::string_view jid, control::Done done,
    std::function<void(const Jid& account, const control::Done& leave)> then) {
    const auto account = control::account_of(jid);
    if (!account) {
        done(account.error());
        return;
    }
    const std::string bare(account->bare());
    const control::Done leave = [this, bare, done = std::move(done)](const Outcome& outcome) {
        locks_.leave(bare);
        done(outcome);
    };
    locks_.enter(bare, [this, account = *account, leave, then = std::move(then)] {
        if_account(account, leave, [account, leave, then] { then(account, leave); });
    });
}

}  // namespace causeway
