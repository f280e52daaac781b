// XEP-0133 Service Administration: the common verbs of an administrator as ad-hoc commands of the
// domain, carried out by the same operations as causewayctl's. Who may: domain.administrators.
#include "gateway/features/administration/administration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/base/log.h"
#include "gateway/feature/feature.h"
#include "gateway/features/administrators.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

std::optional<std::string> refuse_no_account(std::string_view text) {
    const auto jid = Jid::parse(text);
    if (jid && jid->has_local() && !jid->has_resource()) return std::nullopt;
    return "is not the address of an account, such as admin@example.org";
}

constexpr FeatureOption administrators{
    .key = "domain.administrators",
    .kind = FeatureOption::Kind::list,
    .form = "a list of accounts, here or elsewhere",
    .example = R"(["admin@example.org"])",
    .doc =
        "Who may administer this domain from a client (XEP-0133): add, remove, disable and list "
        "its accounts, set their passwords, end their sessions, and send announcements.",
    .check = refuse_no_account};
constexpr std::array options{&administrators};

using At = AdHocCommand::At;
namespace verbs = administration;

constexpr std::array<AdHocCommand, 16> commands{{
    {"http://jabber.org/protocol/admin#add-user", "Add a user", At::domain, nullptr,
     verbs::add_user},
    {"http://jabber.org/protocol/admin#delete-user", "Delete users", At::domain, nullptr,
     verbs::delete_users},
    {"http://jabber.org/protocol/admin#disable-user", "Disable users", At::domain, nullptr,
     verbs::disable_users},
    {"http://jabber.org/protocol/admin#reenable-user", "Enable users again", At::domain, nullptr,
     verbs::enable_users},
    {"http://jabber.org/protocol/admin#end-user-session", "End sessions of users", At::domain,
     nullptr, verbs::end_sessions},
    {"http://jabber.org/protocol/admin#change-user-password", "Change a user's password",
     At::domain, nullptr, verbs::change_password},
    {"http://jabber.org/protocol/admin#user-stats", "Show a user", At::domain, nullptr,
     verbs::user_statistics},
    {"http://jabber.org/protocol/admin#get-user-lastlogin", "Show when a user was online last",
     At::domain, nullptr, verbs::user_last_login},
    {"http://jabber.org/protocol/admin#get-user-roster", "Show a user's contacts", At::domain,
     nullptr, verbs::user_contacts},
    {"http://jabber.org/protocol/admin#get-registered-users-num", "Count the users", At::domain,
     nullptr, verbs::count_registered},
    {"http://jabber.org/protocol/admin#get-disabled-users-num", "Count the disabled users",
     At::domain, nullptr, verbs::count_disabled},
    {"http://jabber.org/protocol/admin#get-online-users-num", "Count the users online", At::domain,
     nullptr, verbs::count_online},
    {"http://jabber.org/protocol/admin#get-registered-users-list", "List the users", At::domain,
     nullptr, verbs::list_registered},
    {"http://jabber.org/protocol/admin#get-disabled-users-list", "List the disabled users",
     At::domain, nullptr, verbs::list_disabled},
    {"http://jabber.org/protocol/admin#get-online-users-list", "List the users online", At::domain,
     nullptr, verbs::list_online},
    {"http://jabber.org/protocol/admin#announce", "Send an announcement to the users online",
     At::domain, nullptr, verbs::announce},
}};

}  // namespace

bool is_administrator(const Hub& hub, const Jid& who, std::string_view domain) {
    if (!who.has_local() || hub.target_of(domain).kind != Target::Kind::accounts) return false;
    const auto listed = administrators.list(*hub.config, domain);
    return std::ranges::any_of(listed, [&](const std::string& text) {
        const auto jid = Jid::parse(text);
        return jid && jid->bare() == who.bare();
    });
}

bool is_administrator(const Hub& hub, const Jid& who) {
    return std::ranges::any_of(hub.config->domains, [&](const DomainConfig& domain) {
        return is_administrator(hub, who, domain.name);
    });
}

namespace administration {

void on_control(Hub& hub, std::function<void(control::Operations&)> task) {
    hub.shared.control->post(
        [&operations = *hub.shared.operations, task = std::move(task)] { task(operations); });
}

Answer to_shard(const AdHocCall& call) {
    return [&hub = call.caller.hub, answer = call.answer](AdHocAnswer given) {
        hub.shard.post([answer, given = std::move(given)] { answer(given); });
    };
}

AdHocAnswer refusal(const Outcome& outcome) {
    StanzaError error{.condition = StanzaCondition::not_acceptable, .text = outcome.why()};
    switch (outcome.cause()) {
        case Cause::absent: error.condition = StanzaCondition::item_not_found; break;
        case Cause::refused: error.condition = StanzaCondition::conflict; break;
        case Cause::policy: error.condition = StanzaCondition::not_allowed; break;
        case Cause::retry: error.condition = StanzaCondition::resource_constraint; break;
        default: break;
    }
    return AdHocAnswer::refused(std::move(error));
}

Result<Jid> account_of(const AdHocCall& call, std::string_view field) {
    auto jid = FormReader(call.forms.front()).jid(field);
    if (!jid) return jid;
    if (!jid->has_local() || jid->has_resource() || jid->domain() != call.caller.to.domain()) {
        return Outcome::malformed(
            fmt::format("\"{}\" is not an account of {}.", jid->full(), call.caller.to.domain()));
    }
    return jid;
}

Result<std::vector<Jid>> accounts_of(const AdHocCall& call, std::string_view field, bool sessions) {
    auto jids = FormReader(call.forms.front()).jids(field, accounts_limit);
    if (!jids) return jids;
    for (const Jid& jid : *jids) {
        if (jid.has_local() && (sessions || !jid.has_resource()) &&
            jid.domain() == call.caller.to.domain()) {
            continue;
        }
        return Outcome::malformed(
            fmt::format("\"{}\" is not an account of {}.", jid.full(), call.caller.to.domain()));
    }
    return jids;
}

void note(const AdHocCall& call, std::string_view account) {
    CAUSEWAY_LOG(info, "administration.command", {"by", call.caller.who.bare()},
                 {"command", call.command.name}, {"account", account});
}

}  // namespace administration

extern const Feature admin_commands;
const Feature admin_commands{
    .name = "admin_commands", .xep = 133, .version = "1.2", .options = options, .ad_hoc = commands};

}  // namespace causeway
