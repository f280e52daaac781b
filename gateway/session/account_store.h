// Accounts as they stand in the store: who may log in. Passwords are kept as SCRAM keys and nothing
// else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/sasl/scram_keys.h"
#include "gateway/session/hub.h"

namespace causeway::account_store {

/// Store name and keys of an account's entries; the owner is the bare JID.
inline constexpr std::string_view store_name = "accounts";
inline constexpr std::string_view credentials_key = "credentials";
inline constexpr std::string_view disabled_key = "disabled";
inline constexpr std::string_view created_key = "created";

/// What the store has of an account.
struct Record {
    Credentials credentials;
    bool disabled = false;
    UnixMillis created = 0;
};

/// nullopt: there is no such account. The answer runs on the asking hub's shard.
void find(Hub& hub, std::string_view bare,
          std::function<void(Result<std::optional<Record>>)> answer);

/// From the entries of one owner.
Result<std::optional<Record>> from_entries(const std::vector<MapEntry>& entries);

/// Adds the writes that erase all that is stored for an account but who may log in.
void plan_clear(Batch& batch, const FeatureRegistry& features, std::string_view bare);

/// Adds the writes that make a new account, or replace its keys.
void plan(Batch& batch, std::string_view bare, const Credentials& credentials, UnixMillis created);

}  // namespace causeway::account_store
