#include "gateway/control/accounts.h"

#include <fmt/format.h>

#include <algorithm>
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

std::string served_domains(const Config& config) {
    constexpr std::size_t most = 5;
    std::string all;
    const std::size_t count = config.domains.size();
    for (std::size_t i = 0; i < std::min(count, most); ++i) {
        if (i > 0) all += i + 1 == count ? " and " : ", ";
        all += config.domains[i].name;
    }
    return count > most ? fmt::format("{} and {} more", all, count - most) : all;
}

Outcome no_account(const Config& config, const Jid& account) {
    std::string text = fmt::format("no account {}", account.bare());
    const bool served = std::ranges::any_of(config.domains, [&](const DomainConfig& domain) {
        return domain.name == account.domain();
    });
    if (!served) {
        text += fmt::format(": this server does not serve {}, only {}", account.domain(),
                            served_domains(config));
    }
    return Outcome::absent(std::move(text));
}

void if_account(const Operations& operations, Store& store, Executor& home, const Jid& account,
                Done fail, std::function<void()> then) {
    const std::string bare(account.bare());
    store.map_get(std::string(account_store::store_name), bare,
                  std::string(account_store::credentials_key), home,
                  [&operations, account, fail = std::move(fail),
                   then = std::move(then)](const Result<std::optional<std::string>>& found) {
                      if (!found) {
                          fail(found.error());
                      } else if (!found->has_value()) {
                          fail(operations.no_account(account));
                      } else {
                          then();
                      }
                  });
}

}  // namespace causeway::control
