// What the files of this feature share; nothing outside this folder includes it.
#pragma once

#include <functional>
#include <string>

#include "gateway/control/operations.h"
#include "gateway/feature/ad_hoc.h"
#include "gateway/session/hub.h"

namespace causeway::administration {

/// Most accounts that one form may name, and most rows of a list.
inline constexpr std::size_t accounts_limit = 100;
inline constexpr std::size_t rows_limit = 1000;

/// Runs `task` on the control thread, where the operations live.
void on_control(Hub& hub, std::function<void(control::Operations&)> task);
/// Gives the answer of a command from the control thread.
using Answer = std::function<void(AdHocAnswer)>;
Answer to_shard(const AdHocCall& call);

/// A failed operation as the errors of XEP-0133 §5.
AdHocAnswer refusal(const Outcome& outcome);
/// The address of an account of the domain that is administered.
Result<Jid> account_of(const AdHocCall& call, std::string_view field);
Result<std::vector<Jid>> accounts_of(const AdHocCall& call, std::string_view field, bool sessions);
/// Notes in the log who did what to which account.
void note(const AdHocCall& call, std::string_view account);

// accounts.cc
void add_user(const AdHocCall& call);
void change_password(const AdHocCall& call);
void delete_users(const AdHocCall& call);
void disable_users(const AdHocCall& call);
void enable_users(const AdHocCall& call);
void end_sessions(const AdHocCall& call);
void announce(const AdHocCall& call);

// lists.cc
void count_registered(const AdHocCall& call);
void count_disabled(const AdHocCall& call);
void count_online(const AdHocCall& call);
void list_registered(const AdHocCall& call);
void list_disabled(const AdHocCall& call);
void list_online(const AdHocCall& call);
void user_statistics(const AdHocCall& call);
void user_last_login(const AdHocCall& call);
void user_contacts(const AdHocCall& call);

}  // namespace causeway::administration
