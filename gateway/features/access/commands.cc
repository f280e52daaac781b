// See commands.h. Each goes to the home shard of the account, or works on the rules of a domain.
#include "gateway/features/access/commands.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/control/listing.h"
#include "gateway/features/access/on_account.h"

namespace causeway {
namespace {

namespace json = boost::json;
using access::account_param;
using access::Answer;
using access::answer_done;
using access::answer_from_shard;
using access::number_param;
using access::with_account;
using access::with_named_account;
using control::CommandRequest;
using control::Field;
using control::Param;
using control::ParamType;
using control::Reply;
using control::utf8;

/// What a command is about: an account, or a domain here.
struct Subject {
    Jid jid;
    [[nodiscard]] bool is_domain() const { return !jid.has_local(); }
};

std::optional<Subject> subject_of(const CommandRequest& request) {
    const std::string text = request.text("jid");
    if (text.find('@') != std::string::npos) {
        auto account = control::account_of(text);
        if (account) return Subject{*account};
        request.reply(account.error());
        return std::nullopt;
    }
    auto domain = Jid::parse(text);
    if (!domain || domain->has_resource()) {
        request.reply(Outcome::malformed("\"" + text + "\" is neither an account nor a domain"));
        return std::nullopt;
    }
    return Subject{*domain};
}

/// Runs `act` on the first shard, where changes of a domain's rules come one after the other.
void with_domain(const CommandRequest& request, const Jid& domain, const Answer& answer,
                 std::function<void(Hub&, const std::string&)> act) {
    Hub& hub = *request.host.shared->hubs.front();
    hub.shard.post([&hub, name = std::string(domain.domain()), answer, act = std::move(act)] {
        if (hub.serves(name)) return act(hub, name);
        answer(Outcome::absent(fmt::format("no domain {} is served here, only {}", name,
                                           control::served_domains(*hub.config))));
    });
}

void change_domain(const CommandRequest& request, const Jid& domain, const Answer& answer,
                   access::EditRules edit, std::string what, json::object result) {
    with_domain(request, domain, answer,
                [edit = std::move(edit), what = std::move(what), answer,
                 result = std::move(result)](Hub& hub, const std::string& name) {
                    access::change_domain(hub, name, edit, what, answer_done(answer, result));
                });
}

// ---- rules ----

/// What an administrator changed stands in the log, and the owner's clients hear of it.
void tell_owner(Account& account, const std::string& text) {
    CAUSEWAY_LOG(info, "access.changed", {"jid", account.jid().bare()}, {"what", text});
    access::tell_sessions(account, text);
}

struct RuleRow {
    std::size_t number;
    AccessRule rule;
};

json::object to_json(const RuleRow& row) {
    return {{"number", row.number},
            {"sentence", utf8(row.rule.sentence())},
            {"subject", utf8(row.rule.subject.text())},
            {"act", name_of(row.rule.act)},
            {"answer", utf8(row.rule.answer_text())},
            {"waived", row.rule.waived}};
}

void list_rules(const Reply& reply, Executor& home, const AccessRules& rules) {
    control::Page<RuleRow> page;
    for (const AccessRule& rule : rules.all()) {
        page.rows.push_back({rules.number_of(rule), rule});
    }
    access::list_from_shard(reply, home, std::move(page));
}

void list(const CommandRequest& request) {
    const auto subject = subject_of(request);
    if (!subject) return;
    Executor& home = *request.host.home;
    if (!subject->is_domain()) {
        with_account(request, subject->jid, answer_from_shard(request),
                     [reply = request.reply, &home](Account& account) {
                         list_rules(reply, home, account.access().state().rules);
                     });
        return;
    }
    const Answer answer = answer_from_shard(request);
    with_domain(request, subject->jid, answer,
                [answer, reply = request.reply, &home](Hub& hub, const std::string& domain) {
                    hub.domain_access.when_known(
                        domain, [&hub, &home, answer, reply, domain](const Outcome& known) {
                            if (!known) return answer(known);
                            list_rules(reply, home, hub.domain_access.rules(domain));
                        });
                });
}

/// What is said of a rule that another one leaves without effect.
json::object with_earlier(json::object result, const std::string& earlier) {
    if (!earlier.empty()) result.emplace("earlier", utf8(earlier));
    return result;
}

void add_to_domain(const CommandRequest& request, const Jid& domain, AccessRule rule,
                   const json::object& result) {
    if (Outcome outcome = access::check_domain_rule(rule); !outcome) {
        return request.reply(outcome);
    }
    rule.since = request.host.shared->clock.wall();
    const std::size_t at = request.number("at").value_or(0);
    const Answer answer = answer_from_shard(request);
    const auto earlier = std::make_shared<std::string>();
    with_domain(request, domain, answer,
                [rule, at, answer, result, earlier](Hub& hub, const std::string& name) {
                    access::change_domain(
                        hub, name,
                        [rule, at, earlier, name](AccessRules& rules, std::size_t most) {
                            const Outcome outcome = access::insert_rule(rules, rule, at, most);
                            if (outcome) *earlier = access::told_before(rules, at, name);
                            return outcome;
                        },
                        fmt::format("An administrator added the access rule of {}: {}.", name,
                                    rule.sentence()),
                        [answer, result, earlier](const Outcome& outcome) {
                            answer_done(answer, with_earlier(result, *earlier))(outcome);
                        });
                });
}

void add_to_account(const CommandRequest& request, const Jid& jid, const AccessRule& rule,
                    const json::object& result) {
    if (rule.waived) {
        return request.reply(Outcome::malformed("only a rule of a domain can be waived"));
    }
    const std::size_t at = request.number("at").value_or(0);
    const Answer answer = answer_from_shard(request);
    with_account(request, jid, answer, [rule, at, answer, result](Account& account) {
        access::add_rule(
            account, rule, at, [&account, at, answer, result, rule](const Outcome& outcome) {
                if (!outcome) return answer(outcome);
                tell_owner(account,
                           "An administrator added the access rule: " + rule.sentence() + ".");
                answer(json::value(with_earlier(result, access::told_before(account, at))));
            });
    });
}

void add(const CommandRequest& request) {
    const auto subject = subject_of(request);
    if (!subject) return;
    auto rule =
        AccessRule::parse(request.text("subject"), request.text("act"), request.text("answer"));
    if (!rule) return request.reply(rule.error());
    rule->waived = request.flag("waive");
    json::object result = request.naming("jid");
    result.emplace("sentence", utf8(rule->sentence()));
    if (subject->is_domain()) {
        add_to_domain(request, subject->jid, *rule, result);
    } else {
        add_to_account(request, subject->jid, *rule, result);
    }
}

void remove(const CommandRequest& request) {
    const auto subject = subject_of(request);
    if (!subject) return;
    const std::size_t number = request.number("number").value_or(0);
    const Answer answer = answer_from_shard(request);
    json::object result = request.naming("jid");
    result.emplace("number", number);
    if (subject->is_domain()) {
        change_domain(
            request, subject->jid, answer,
            [number](AccessRules& rules, std::size_t) {
                return rules.remove(number)
                           ? Outcome{}
                           : Outcome::absent(fmt::format("there is no rule {}: the list has {}",
                                                         number, rules.all().size()));
            },
            fmt::format("An administrator removed access rule {} of {}.", number,
                        subject->jid.domain()),
            std::move(result));
        return;
    }
    with_account(
        request, subject->jid, answer,
        [number, answer, result = std::move(result)](Account& account) {
            access::remove_rule(
                account, number, [&account, number, answer, result](const Outcome& outcome) {
                    if (outcome) {
                        tell_owner(account,
                                   fmt::format("An administrator removed access rule {}.", number));
                    }
                    answer_done(answer, result)(outcome);
                });
        });
}

void clear(const CommandRequest& request) {
    const auto subject = subject_of(request);
    if (!subject) return;
    const Answer answer = answer_from_shard(request);
    const json::object result = request.naming("jid");
    if (subject->is_domain()) {
        with_domain(request, subject->jid, answer,
                    [answer, result](Hub& hub, const std::string& name) {
                        access::clear_domain(hub, name, answer_done(answer, result));
                    });
        return;
    }
    with_account(request, subject->jid, answer, [answer, result](Account& account) {
        access::clear_rules(account, [&account, answer, result](const Outcome& outcome) {
            if (outcome) {
                tell_owner(account, "An administrator removed all access rules.");
            }
            answer_done(answer, result)(outcome);
        });
    });
}

void test(const CommandRequest& request) {
    const auto who = control::address_of(request.text("who"));
    if (!who) return request.reply(who.error());
    const auto act = read_act(request.text("act"));
    if (!act) {
        return request.reply(
            Outcome::malformed("an act is one of subscribe, see, write, read-archive and publish"));
    }
    const Answer answer = answer_from_shard(request);
    with_named_account(request, answer, [answer, who = *who, act = *act](Account& account) {
        const access::Explained told = access::explain(account, who, act);
        answer(json::value(json::object{{"jid", utf8(account.jid().bare())},
                                        {"who", utf8(who.full())},
                                        {"act", name_of(act)},
                                        {"answer", utf8(told.answer)},
                                        {"reason", utf8(told.sentence)}}));
    });
}

// ---- the table ----

constexpr auto account_or_domain =
    control::jid_param("an account, or a domain here for all of its accounts");
constexpr std::array of_either{account_or_domain};
constexpr std::array add_params{
    account_or_domain,
    Param{.name = "subject",
          .doc = "jid:J, domain:D, domain:*.D, group:G, subscription:both|to|from|none, anonymous "
                 "or anyone",
          .at_most = control::jid_bytes},
    Param{.name = "act", .doc = "subscribe, see, write, read-archive or publish", .at_most = 16},
    Param{.name = "answer",
          .doc = "subscribe: allow, ask, deny, polite; see: a view; write: allow, hold, deny; "
                 "read-archive and publish: allow, deny",
          .at_most = PresenceView::longest_name},
    Param{.name = "at",
          .type = ParamType::integer,
          .required = false,
          .doc = "its place in the list (the last)",
          .at_most = 100'000,
          .option = true},
    Param{.name = "waive",
          .type = ParamType::flag,
          .required = false,
          .doc = "of a domain: a rule of an account may say otherwise",
          .option = true}};
constexpr std::array remove_params{account_or_domain, number_param};
constexpr std::array test_params{
    account_param, Param{.name = "who", .doc = "somebody's address", .at_most = control::jid_bytes},
    Param{.name = "act", .doc = "subscribe, see, write, read-archive or publish", .at_most = 16}};
constexpr std::array rule_fields{Field{"", "{number}"}, Field{"RULE", "{sentence}"},
                                 Field{"WRITTEN", "{subject} {act} {answer}[ {waived?--waive}]"}};

}  // namespace

extern constinit const std::array<control::Command, 5> access_commands{
    control::Command{.name = "access.list",
                     .params = of_either,
                     .doc = "the access rules, in the order in which they are looked at",
                     .streams = true,
                     .run = list,
                     .view = {.fields = rule_fields, .empty = "no rules: what is usual holds"}},
    control::Command{.name = "access.add",
                     .params = add_params,
                     .doc = "adds an access rule",
                     .mutates = true,
                     .run = add,
                     .view = {.sentence = "{jid}: {sentence}[ ({earlier})]"}},
    control::Command{.name = "access.remove",
                     .params = remove_params,
                     .doc = "removes an access rule",
                     .mutates = true,
                     .run = remove,
                     .view = {.sentence = "rule {number} of {jid} is removed"}},
    control::Command{.name = "access.clear",
                     .params = of_either,
                     .doc = "removes all access rules",
                     .mutates = true,
                     .run = clear,
                     .view = {.sentence = "{jid} has no access rules any more"}},
    control::Command{.name = "access.test",
                     .params = test_params,
                     .doc = "what somebody may do, and which rule says so",
                     .run = test,
                     .view = {.sentence = "{who}, {act}: {answer} ({reason})"}},
};

}  // namespace causeway
