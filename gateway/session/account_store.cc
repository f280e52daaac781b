#include "gateway/session/account_store.h"

#include <fmt/format.h>

#include <cstdlib>

#include "gateway/session/account_inbox.h"
#include "gateway/session/roster.h"

namespace causeway::account_store {

Result<std::optional<Record>> from_entries(const std::vector<MapEntry>& entries) {
    Record account;
    bool found = false;
    for (const MapEntry& entry : entries) {
        if (entry.key == credentials_key) {
            auto credentials = Credentials::parse(entry.value);
            if (!credentials) return credentials.error();
            account.credentials = std::move(*credentials);
            found = true;
        } else if (entry.key == disabled_key) {
            account.disabled = true;
        } else if (entry.key == created_key) {
            account.created = std::strtoll(entry.value.c_str(), nullptr, 10);
        }
    }
    if (!found) return std::optional<Record>{};
    return std::optional<Record>(std::move(account));
}

void find(Hub& hub, std::string_view bare,
          std::function<void(Result<std::optional<Record>>)> answer) {
    hub.shared.store.map_list(std::string(store_name), std::string(bare), hub.shard,
                              [answer = std::move(answer)](Result<std::vector<MapEntry>> entries) {
                                  if (!entries) {
                                      answer(entries.error());
                                  } else {
                                      answer(from_entries(*entries));
                                  }
                              });
}

void plan_clear(Batch& batch, const FeatureRegistry& features, std::string_view bare) {
    batch.map_clear(Roster::store_name, bare);
    batch.log_clear(AccountInbox::store_name, bare);
    for (const Feature* feature : features.features()) {
        for (const OwnedStore& store : feature->stores) {
            if (!store.of_accounts) continue;
            switch (store.shape) {
                case OwnedStore::Shape::map: batch.map_clear(store.name, bare); break;
                case OwnedStore::Shape::log: batch.log_clear(store.name, bare); break;
                case OwnedStore::Shape::archive: batch.archive_clear(bare); break;
            }
        }
    }
}

void plan(Batch& batch, std::string_view bare, const Credentials& credentials, UnixMillis created) {
    batch.map_set(store_name, bare, credentials_key, credentials.serialise());
    if (created != 0) batch.map_set(store_name, bare, created_key, fmt::format("{}", created));
}

}  // namespace causeway::account_store
