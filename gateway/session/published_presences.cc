#include "gateway/session/published_presences.h"

#include <memory>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/accounts.h"

namespace causeway {
namespace {

/// Accounts with published presence that are looked at.
constexpr std::size_t most = 100'000;

struct Round : std::enable_shared_from_this<Round> {
    Round(Hub& its_hub, std::set<std::string> its_domains, std::set<std::string> its_known,
          std::function<void(Account&)> its_visit)
        : hub(its_hub),
          domains(std::move(its_domains)),
          known(std::move(its_known)),
          visit(std::move(its_visit)) {}

    void begin() {
        for (const std::string_view key : AccountAccess::published_keys) {
            hub.shared.store.map_holders(
                std::string(AccountAccess::store_name), std::string(key), most, hub.shard,
                [self = shared_from_this()](const Result<std::vector<MapEntry>>& holders) {
                    self->answered(holders);
                });
        }
    }

    void answered(const Result<std::vector<MapEntry>>& holders) {
        if (!holders) {
            CAUSEWAY_LOG(error, "published_presences.unreadable", {"cause", holders.error().why()});
        } else {
            for (const MapEntry& entry : *holders) take(entry);
        }
        if (--unanswered == 0) next();
    }

    void take(const MapEntry& entry) {
        const auto owner = Jid::parse(entry.owner);
        if (entry.value.empty() || !owner || !domains.contains(std::string(owner->domain())) ||
            &hub.home_of(entry.owner) != &hub || known.contains(entry.owner)) {
            return;
        }
        left.insert(entry.owner);
    }

    void next() {
        while (!left.empty()) {
            Account& account = hub.accounts->get(left.extract(left.begin()).value());
            const bool waits = !account.loaded();
            account.when_loaded(
                [self = shared_from_this(), &account, waits](const Outcome& loaded) {
                    if (loaded && account.exists()) self->visit(account);
                    if (waits) self->next();
                });
            if (waits) return;
        }
    }

    Hub& hub;
    std::set<std::string> domains, known, left;
    std::function<void(Account&)> visit;
    std::size_t unanswered = AccountAccess::published_keys.size();
};

}  // namespace

void visit_published_presences(Hub& hub, std::set<std::string> domains, std::set<std::string> known,
                               std::function<void(Account&)> visit) {
    std::make_shared<Round>(hub, std::move(domains), std::move(known), std::move(visit))->begin();
}

}  // namespace causeway
