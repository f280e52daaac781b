// Commands that work on one account, on its home shard, and answer from there. Nothing outside this
// folder includes it.
#pragma once

#include <functional>
#include <utility>

#include "gateway/control/accounts.h"
#include "gateway/control/answers.h"
#include "gateway/control/listing.h"
#include "gateway/features/access/operations.h"
#include "gateway/session/accounts.h"

namespace causeway::access {

/// An answer that may be given on any shard, and reaches the client from the control thread.
using Answer = std::function<void(Result<boost::json::value>)>;

inline Answer answer_from_shard(const control::CommandRequest& request) {
    return [reply = request.reply, home = request.host.home](Result<boost::json::value> result) {
        home->post([reply, result = std::move(result)] { reply(result); });
    };
}

inline Done answer_done(Answer answer, boost::json::object result) {
    return [answer = std::move(answer), result = std::move(result)](const Outcome& outcome) {
        answer(outcome ? Result<boost::json::value>(boost::json::value(result)) : outcome);
    };
}

/// Answers with a whole list, from any shard.
template <class Row>
void list_from_shard(const control::Reply& reply, Executor& home, control::Page<Row> page) {
    home.post([reply, page = std::move(page)] { control::list_whole(reply, page); });
}

/// Runs `act` on the account's home shard, once it is loaded and known to exist.
inline void with_account(const control::CommandRequest& request, const Jid& jid,
                         const Answer& answer, std::function<void(Account&)> act) {
    Shared& shared = *request.host.shared;
    Hub& hub = *shared.hubs[shared.shards.home_of(jid.bare())];
    hub.shard.post([&hub, jid, answer, act = std::move(act)] {
        Account& account = hub.accounts->get(jid.bare());
        account.when_loaded([&account, answer, act](const Outcome& loaded) {
            if (!loaded) return answer(loaded);
            if (!account.exists()) {
                return answer(control::no_account(*account.hub().config, account.jid()));
            }
            act(account);
        });
    });
}

/// The same for the account that the command names; nothing is done for a domain.
inline void with_named_account(const control::CommandRequest& request, const Answer& answer,
                               std::function<void(Account&)> act) {
    const auto jid = control::account_of(request.text("jid"));
    if (!jid) {
        request.reply(jid.error());
        return;
    }
    with_account(request, *jid, answer, std::move(act));
}

// ---- what commands take ----

inline constexpr auto account_param = control::jid_param("the account");
inline constexpr control::Param number_param{.name = "number",
                                             .type = control::ParamType::integer,
                                             .doc = "its number in the list",
                                             .at_most = 100'000};

}  // namespace causeway::access
