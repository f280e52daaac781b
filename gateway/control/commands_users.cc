// The commands about accounts and their sessions; see commands.h.
#include <array>
#include <utility>
#include <vector>

#include "gateway/control/answers.h"
#include "gateway/control/commands.h"
#include "gateway/control/listing.h"
#include "gateway/control/rows.h"
#include "gateway/sasl/scram_keys.h"

namespace causeway::control {

namespace json = boost::json;

namespace {

constexpr std::uint64_t accounts_per_request = 1000;

NewAccount account_of(const CommandRequest& request) {
    return {request.text("jid"), request.text("password")};
}

void add_user(const CommandRequest& request) {
    request.host.operations.add_user(account_of(request), request.number("iterations").value_or(0),
                                     answer_with(request.reply, request.naming("jid")));
}

std::string string_of(const json::value& value) {
    const json::string& string = value.get_string();
    return {string.data(), string.size()};
}

void add_users(const CommandRequest& request) {
    std::vector<NewAccount> accounts;
    const json::array& given = request.params.at("accounts").get_array();
    accounts.reserve(given.size());
    for (const json::value& account : given) {
        const json::array& pair = account.get_array();
        accounts.push_back({string_of(pair[0]), string_of(pair[1])});
    }
    request.host.operations.add_users(std::move(accounts), request.number("iterations").value_or(0),
                                      answer_row<BulkResult>(request.reply));
}

void set_password(const CommandRequest& request) {
    request.host.operations.set_password(account_of(request),
                                         request.number("iterations").value_or(0),
                                         answer_with(request.reply, request.naming("jid")));
}

void remove_user(const CommandRequest& request) {
    request.host.operations.remove_user(request.text("jid"),
                                        answer_with(request.reply, request.naming("jid")));
}

template <bool disabled>
void set_disabled(const CommandRequest& request) {
    json::object result = request.naming("jid");
    result.emplace("disabled", disabled);
    request.host.operations.set_user_disabled(request.text("jid"), disabled,
                                              answer_with(request.reply, std::move(result)));
}

void list_users(const CommandRequest& request) {
    list<UserRow>(request.reply,
                  [&operations = request.host.operations, domain = request.text("domain")](
                      PageRequest page, Answer<Page<UserRow>> answer) {
                      operations.list_users(domain, std::move(page), std::move(answer));
                  });
}

void show_user(const CommandRequest& request) {
    request.host.operations.show_user(request.text("jid"), answer_row<UserDetail>(request.reply));
}

void list_sessions(const CommandRequest& request) {
    list<SessionRow>(request.reply,
                     [&operations = request.host.operations, jid = request.text("jid")](
                         PageRequest page, Answer<Page<SessionRow>> answer) {
                         operations.list_sessions(jid, std::move(page), std::move(answer));
                     });
}

void kill_session(const CommandRequest& request) {
    request.host.operations.kill_session(request.text("jid"),
                                         answer_with(request.reply, request.naming("jid")));
}

constexpr Param password{"password", ParamType::password, true, "the password", max_new_password};
constexpr Param iterations{.name = "iterations",
                           .type = ParamType::integer,
                           .required = false,
                           .doc = "iterations of the stored SCRAM keys; 0 or left out: 10000",
                           .at_most = maximum_scram_iterations,
                           .option = true};
constexpr std::array new_account{jid_param("the new account"), password, iterations};
constexpr std::array new_accounts{
    Param{"accounts", ParamType::accounts, true, "the new accounts, each [jid, password]",
          accounts_per_request},
    iterations};
constexpr std::array new_password{jid_param("the account"), password, iterations};
constexpr std::array account{jid_param("the account")};
constexpr std::array of_domain{domain_param("only this domain's", false)};
constexpr std::array of_account{jid_param("only this account's, or this one session", false)};
constexpr std::array session{jid_param("the session, as a full JID")};

constexpr std::array user_row{Field{"JID", "{jid}"}, Field{"STATE", "{disabled?disabled|enabled}"},
                              Field{"AGE", "{created:ago}"}};
constexpr std::array user_sheet{
    Field{"account", "{jid}"},
    Field{"state", "{disabled?disabled|enabled}"},
    Field{"created", "{created:date};{created:ago} ago"},
    Field{"keys", "{mechanisms:list};{iterations:count} iterations"},
    Field{"sessions", "{sessions:count}"},
    Field{"contacts", "{contacts:count}"},
    Field{"offline", "{offline_stanzas:count} stanzas;{offline_bytes:bytes}"},
    Field{.title = "{title}", .text = "{text}", .each = "facts"},
};
constexpr std::array session_row{
    Field{"JID", "{jid}"},
    Field{"RESOURCE", "{resource}"},
    Field{"STATE", "{state}"},
    Field{"PRIORITY", "{priority:number}"},
    Field{"TRANSPORT", "{transport}"},
    Field{"TLS", "{tls.version} {tls.cipher}"},
    Field{"ADDRESS", "{address}"},
    Field{"SINCE", "{since:ago}"},
    Field{"UNACKED", "{unacked:count}"},
};

constexpr std::array commands{
    Command{.name = "user.add",
            .params = new_account,
            .doc = "adds an account",
            .mutates = true,
            .run = add_user,
            .view = {.sentence = "added {jid}"}},
    Command{.name = "user.add_bulk",
            .params = new_accounts,
            .doc = "adds many accounts, each on its own",
            .mutates = true,
            .run = add_users},
    Command{.name = "user.passwd",
            .params = new_password,
            .doc = "sets the password of an account",
            .mutates = true,
            .run = set_password,
            .view = {.sentence = "password set for {jid}"}},
    Command{.name = "user.remove",
            .params = account,
            .doc = "removes an account and everything stored for it",
            .mutates = true,
            .run = remove_user,
            .view = {.sentence = "removed {jid}"}},
    Command{.name = "user.disable",
            .params = account,
            .doc = "ends an account's sessions and lets it log in no more",
            .mutates = true,
            .run = set_disabled<true>,
            .view = {.sentence = "disabled {jid}"}},
    Command{.name = "user.enable",
            .params = account,
            .doc = "lets a disabled account log in again",
            .mutates = true,
            .run = set_disabled<false>,
            .view = {.sentence = "enabled {jid}"}},
    Command{.name = "user.list",
            .params = of_domain,
            .doc = "accounts, by address",
            .streams = true,
            .run = list_users,
            .view = {.fields = user_row, .empty = "no accounts"}},
    Command{.name = "user.show",
            .params = account,
            .doc = "one account",
            .run = show_user,
            .view = {.fields = user_sheet}},
    Command{.name = "session.list",
            .params = of_account,
            .doc = "sessions of clients",
            .streams = true,
            .run = list_sessions,
            .view = {.fields = session_row, .empty = "no sessions"}},
    Command{.name = "session.kill",
            .params = session,
            .doc = "ends a session for good",
            .mutates = true,
            .run = kill_session,
            .view = {.sentence = "ended {jid}"}},
};

}  // namespace

std::span<const Command> user_commands() { return commands; }

}  // namespace causeway::control
