// See ad_hoc.h.
#include "gateway/features/access/ad_hoc.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/cut_text.h"
#include "gateway/base/log.h"
#include "gateway/base/number.h"
#include "gateway/features/access/operations.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

using access::Request;
using access::Requests;

constexpr std::array<std::string_view, 4> rule_actions{"add", "remove", "test", "clear"};
constexpr std::array<std::string_view, 2> view_actions{"set", "remove"};
constexpr std::array<std::string_view, 3> request_actions{"accept", "refuse", "report"};
constexpr std::array<std::string_view, 5> shows{"", "chat", "away", "xa", "dnd"};
constexpr std::array<std::string_view, 3> extents{"all", "show", "nothing"};

Account& account_of(const AdHocCall& call) { return *call.caller.account; }

/// What a change gives back to the client.
access::Done finish(std::function<void(AdHocAnswer)> tell, std::string text) {
    return [answer = std::move(tell), text = std::move(text)](const Outcome& outcome) {
        if (outcome) return answer(AdHocAnswer::done(text));
        const bool of_the_form =
            outcome.cause() == Cause::malformed || outcome.cause() == Cause::absent;
        answer(of_the_form ? AdHocAnswer::invalid(outcome.why())
                           : AdHocAnswer::failed(outcome.why()));
    };
}

access::Done finish(const AdHocCall& call, std::string text) {
    return finish(call.answer, std::move(text));
}

FormField action_field(std::vector<FormOption> options) {
    return {.name = "action",
            .type = FieldType::list_single,
            .label = "What to do",
            .values = {options.front().value},
            .options = std::move(options),
            .required = true};
}

// ---- rules ----

std::string rules_form(const Account& account) {
    FormBuilder form("form", ns::access);
    form.title("Access rules");
    form.instructions("The first rule that names somebody decides.");
    const AccessRules& rules = account.access().state().rules;
    std::vector<std::string> lines;
    for (const AccessRule& rule : rules.all()) {
        lines.push_back(fmt::format("{}. {}", rules.number_of(rule), rule.sentence()));
    }
    if (lines.empty()) lines.emplace_back("There are no rules: what is usual holds.");
    for (const std::string& line : lines) {
        form.field({.name = {}, .type = FieldType::fixed, .values = {line}});
    }
    form.field(action_field({{"add", "Add a rule"},
                             {"remove", "Remove a rule"},
                             {"test", "Test what somebody may do"},
                             {"clear", "Remove all rules"}}));
    return form.take();
}

FormField act_field() {
    return {.name = "act",
            .type = FieldType::list_single,
            .label = "What it is about",
            .values = {"subscribe"},
            .options = {{"subscribe", "Subscribing to my presence"},
                        {"see", "What is seen of my presence"},
                        {"write", "Sending me messages"},
                        {"read-archive", "Reading my archive"},
                        {"publish", "Publishing presence in my name"}},
            .required = true};
}

std::string add_form(const Account& account) {
    FormBuilder form("form", ns::access);
    form.title("Add an access rule");
    form.field({.name = "subject",
                .label = "Whom: jid:J, domain:D, domain:*.D, group:G, "
                         "subscription:both|to|from|none, anonymous or anyone",
                .required = true});
    form.field(act_field());
    std::vector<FormOption> answers{{"allow", "Yes (subscribe, write, read-archive, publish)"},
                                    {"deny", "No (subscribe, write, read-archive, publish)"},
                                    {"ask", "Ask me (subscribe)"},
                                    {"polite", "Seem to say yes, and show nothing (subscribe)"},
                                    {"hold", "Hold until I accept (write)"},
                                    {"whole", "Show all (see)"},
                                    {"nothing", "Show nothing (see)"}};
    for (const auto& [name, view] : account.access().state().views) {
        answers.push_back({name, fmt::format("Show {} (see)", view.words())});
    }
    form.field({.name = "answer",
                .type = FieldType::list_single,
                .label = "The answer",
                .values = {"allow"},
                .options = std::move(answers),
                .required = true});
    form.field({.name = "at", .label = "Its place in the list (empty: the last)"});
    return form.take();
}

/// The number with the rule itself: the list may be another one when the form comes back.
std::string option_of(const AccessRules& rules, const AccessRule& rule) {
    return fmt::format("{} {} {} {}", rules.number_of(rule), rule.subject.text(), name_of(rule.act),
                       rule.answer_text());
}

std::string remove_form(const Account& account) {
    FormBuilder form("form", ns::access);
    form.title("Remove an access rule");
    std::vector<FormOption> options;
    const AccessRules& rules = account.access().state().rules;
    for (const AccessRule& rule : rules.all()) {
        options.push_back({option_of(rules, rule), rule.sentence()});
    }
    form.field({.name = "number",
                .type = FieldType::list_single,
                .label = "Which rule",
                .options = std::move(options),
                .required = true});
    return form.take();
}

std::string test_form() {
    FormBuilder form("form", ns::access);
    form.title("Test an access rule");
    form.field({.name = "who",
                .type = FieldType::jid_single,
                .label = "Somebody's address",
                .required = true});
    form.field(act_field());
    return form.take();
}

std::string clear_form() {
    FormBuilder form("form", ns::access);
    form.title("Remove all access rules");
    form.field({.name = "sure",
                .type = FieldType::boolean,
                .label = "Remove all of them",
                .values = {"0"},
                .required = true});
    return form.take();
}

void show_rule_form(const AdHocCall& call, std::string_view action) {
    const Account& account = account_of(call);
    if (action == "add") return call.answer(AdHocAnswer::ask(add_form(account)));
    if (action == "test") return call.answer(AdHocAnswer::ask(test_form()));
    if (account.access().state().rules.empty()) {
        return call.answer(AdHocAnswer::failed("There are no rules."));
    }
    call.answer(AdHocAnswer::ask(action == "remove" ? remove_form(account) : clear_form()));
}

void add_rule(const AdHocCall& call, const FormReader& form) {
    const auto subject = form.text("subject"), act = form.text("act"), answer = form.text("answer"),
               at = form.text_or("at", "0");
    for (const auto* value : {&subject, &act, &answer, &at}) {
        if (!*value) return call.answer(AdHocAnswer::invalid(value->error().why()));
    }
    const auto place = read_number<std::size_t>(*at);
    if (!place) return call.answer(AdHocAnswer::invalid("The place is a number."));
    const auto rule = AccessRule::parse(*subject, *act, *answer);
    if (!rule) return call.answer(AdHocAnswer::invalid(rule.error().why()));
    Account& account = account_of(call);
    const auto added = [answer = call.answer, &account, place = *place,
                        sentence = rule->sentence()](const Outcome& outcome) {
        const std::string earlier = outcome ? access::told_before(account, place) : std::string{};
        finish(answer, earlier.empty()
                           ? fmt::format("Added: {}.", sentence)
                           : fmt::format("Added: {}. But {}.", sentence, earlier))(outcome);
    };
    access::add_rule(account, *rule, *place, added);
}

void remove_rule(const AdHocCall& call, const FormReader& form) {
    const auto chosen = form.text("number");
    if (!chosen) return call.answer(AdHocAnswer::invalid(chosen.error().why()));
    const AccessRules& rules = account_of(call).access().state().rules;
    for (const AccessRule& rule : rules.all()) {
        if (option_of(rules, rule) != *chosen) continue;
        access::remove_rule(account_of(call), rules.number_of(rule),
                            finish(call, "Removed: " + rule.sentence() + "."));
        return;
    }
    call.answer(AdHocAnswer::failed("That rule is not there any more: look at the list again."));
}

void test_rule(const AdHocCall& call, const FormReader& form) {
    const auto who = form.jid("who");
    const auto act = form.text("act");
    if (!who) return call.answer(AdHocAnswer::invalid(who.error().why()));
    const auto known = act ? read_act(*act) : std::nullopt;
    if (!known) return call.answer(AdHocAnswer::invalid("Choose what it is about."));
    const access::Explained told = access::explain(account_of(call), *who, *known);
    call.answer(AdHocAnswer::done(
        fmt::format("{}, {}: {} ({}).", who->full(), *act, told.answer, told.sentence)));
}

void clear_rules(const AdHocCall& call, const FormReader& form) {
    const auto sure = form.flag("sure", false);
    if (!sure) return call.answer(AdHocAnswer::invalid(sure.error().why()));
    if (!*sure) return call.answer(AdHocAnswer::done("Nothing was removed."));
    access::clear_rules(account_of(call), finish(call, "Removed all rules."));
}

void run_rules(const AdHocCall& call) {
    if (call.forms.empty()) {
        return call.answer(AdHocAnswer::ask_more(rules_form(account_of(call))));
    }
    const auto action = FormReader(call.forms.front()).one_of("action", rule_actions);
    if (!action) return call.answer(AdHocAnswer::invalid(action.error().why()));
    if (call.forms.size() == 1) return show_rule_form(call, *action);
    const FormReader form(call.forms[1]);
    if (*action == "add") return add_rule(call, form);
    if (*action == "remove") return remove_rule(call, form);
    if (*action == "test") return test_rule(call, form);
    clear_rules(call, form);
}

// ---- views ----

std::string views_form(const Account& account) {
    FormBuilder form("form", ns::access);
    form.title("Presence views");
    form.instructions("What contacts are shown. Access rules say who sees which.");
    for (const auto& [name, view] : account.access().state().views) {
        form.field({.name = {},
                    .type = FieldType::fixed,
                    .values = {fmt::format("{}: {}", name, view.words())}});
    }
    form.field(action_field({{"set", "Make or change a view"}, {"remove", "Remove a view"}}));
    return form.take();
}

FormField show_field(std::string_view label, std::string first, std::string first_label) {
    return {.name = "show",
            .type = FieldType::list_single,
            .label = label,
            .values = {first},
            .options = {{first, std::move(first_label)},
                        {"chat", "Free to chat"},
                        {"away", "Away"},
                        {"xa", "Away for long"},
                        {"dnd", "Do not disturb"}}};
}

std::string set_view_form() {
    FormBuilder form("form", ns::access);
    form.title("Make or change a view");
    form.field({.name = "name", .label = "Its name, one word", .required = true});
    form.field({.name = "extent",
                .type = FieldType::list_single,
                .label = "How much is shown",
                .values = {"all"},
                .options = {{"all", "All"}, {"show", "Show only"}, {"nothing", "Nothing"}},
                .required = true});
    FormField show = show_field("Show", "as-it-is", "As it is");
    show.options.push_back({"available", "Always available"});
    form.field(show);
    form.field({.name = "status", .label = "A status text instead of the real one"});
    return form.take();
}

std::string remove_view_form(const Account& account) {
    FormBuilder form("form", ns::access);
    form.title("Remove a view");
    std::vector<FormOption> options;
    for (const auto& [name, view] : account.access().state().views) options.push_back({name, name});
    form.field({.name = "name",
                .type = FieldType::list_single,
                .label = "Which view",
                .options = std::move(options),
                .required = true});
    return form.take();
}

void set_view(const AdHocCall& call, const FormReader& form) {
    const auto name = form.text("name"), extent = form.one_of("extent", extents),
               show = form.text_or("show", "as-it-is"), status = form.text_or("status", "");
    for (const auto* value : {&name, &extent, &show, &status}) {
        if (!*value) return call.answer(AdHocAnswer::invalid(value->error().why()));
    }
    PresenceView view{.name = *name, .show = {}, .status = {}};
    if (*extent == "show") view.extent = PresenceView::Extent::show_only;
    if (*extent == "nothing") view.extent = PresenceView::Extent::nothing;
    if (*show != "as-it-is") view.show = *show == "available" ? "" : *show;
    if (!status->empty()) view.status = *status;
    const std::string words = fmt::format("The view {} shows: {}.", *name, view.words());
    access::set_view(account_of(call), std::move(view), finish(call, words));
}

void run_views(const AdHocCall& call) {
    Account& account = account_of(call);
    if (call.forms.empty()) return call.answer(AdHocAnswer::ask_more(views_form(account)));
    const auto action = FormReader(call.forms.front()).one_of("action", view_actions);
    if (!action) return call.answer(AdHocAnswer::invalid(action.error().why()));
    if (call.forms.size() == 1) {
        const bool none = *action == "remove" && account.access().state().views.empty();
        if (none) return call.answer(AdHocAnswer::failed("There are no views."));
        return call.answer(
            AdHocAnswer::ask(*action == "set" ? set_view_form() : remove_view_form(account)));
    }
    const FormReader form(call.forms[1]);
    if (*action == "set") return set_view(call, form);
    const auto name = form.text("name");
    if (!name) return call.answer(AdHocAnswer::invalid(name.error().why()));
    access::remove_view(account, *name, finish(call, fmt::format("Removed the view {}.", *name)));
}

// ---- requests ----

std::string requests_form(const Requests& requests) {
    FormBuilder form("form", ns::access);
    form.title("What waits for you");
    std::vector<FormOption> options;
    for (const Request& request : requests) {
        const char* kind = request.kind == Request::Kind::message ? "Message" : "Subscription";
        options.push_back(
            {access::name_of(request),
             fmt::format("{} from {}{}{}", kind, request.from.bare(),
                         request.text.empty() ? "" : ": ", cut_text(request.text, 200))});
    }
    form.field({.name = "number",
                .type = FieldType::list_single,
                .label = "Which",
                .values = {options.front().value},
                .options = std::move(options),
                .required = true});
    form.field(
        action_field({{"accept", "Accept"}, {"refuse", "Refuse"}, {"report", "Block and report"}}));
    return form.take();
}

void run_requests(const AdHocCall& call) {
    if (call.forms.empty()) {
        access::list_requests(account_of(call),
                              [answer = call.answer](const Result<Requests>& requests) {
                                  if (!requests) {
                                      answer(AdHocAnswer::failed(requests.error().why()));
                                  } else if (requests->empty()) {
                                      answer(AdHocAnswer::done("Nothing waits."));
                                  } else {
                                      answer(AdHocAnswer::ask(requests_form(*requests)));
                                  }
                              });
        return;
    }
    const FormReader form(call.forms.front());
    const auto number = form.text("number"), action = form.one_of("action", request_actions);
    for (const auto* value : {&number, &action}) {
        if (!*value) return call.answer(AdHocAnswer::invalid(value->error().why()));
    }
    if (*action == "accept") {
        access::accept_request(account_of(call), *number, finish(call, "Accepted."));
    } else if (*action == "report") {
        access::report_request(account_of(call), *number, finish(call, "Blocked and reported."));
    } else {
        access::refuse_request(account_of(call), *number, finish(call, "Refused."));
    }
}

// ---- presence in the account's name ----

bool may_publish(const AdHocCaller& caller) {
    return caller.account->access().decide(caller.who, AccessAct::publish).allowed();
}

std::string publish_form(const Account& account) {
    FormBuilder form("form", ns::access);
    form.title(fmt::format("Presence of {}", account.jid().bare()));
    form.instructions("Without show and status, what was published is withdrawn.");
    form.field(show_field("Show", "", "None"));
    form.field({.name = "status", .label = "Status"});
    return form.take();
}

void run_publish(const AdHocCall& call) {
    Account& account = account_of(call);
    if (call.forms.empty()) return call.answer(AdHocAnswer::ask(publish_form(account)));
    const FormReader form(call.forms.front());
    const auto show = form.text_or("show", ""), status = form.text_or("status", "");
    for (const auto* value : {&show, &status}) {
        if (!*value) return call.answer(AdHocAnswer::invalid(value->error().why()));
    }
    if (std::ranges::find(shows, *show) == shows.end()) {
        return call.answer(AdHocAnswer::invalid("show is one of chat, away, xa and dnd."));
    }
    const std::string who(call.caller.who.bare());
    const bool withdraws = show->empty() && status->empty();
    CAUSEWAY_LOG(info, "access.published", {"jid", account.jid().bare()}, {"by", who});
    // A rule may be about one client of somebody.
    access::publish(
        account, {.show = *show, .status = *status, .by = std::string(call.caller.who.full())},
        [&account, who, withdraws,
         done = finish(call, withdraws ? "Withdrawn." : "Published.")](const Outcome& outcome) {
            if (outcome && who != account.jid().bare()) {
                access::tell_sessions(account,
                                      fmt::format("{} {} presence in your name.", who,
                                                  withdraws ? "withdrew the" : "published"));
            }
            done(outcome);
        });
}

}  // namespace

extern constinit const std::array<AdHocCommand, 5> access_menus{
    AdHocCommand{.node = "causeway:access",
                 .name = "Access rules",
                 .at = AdHocCommand::At::own,
                 .run = run_rules},
    AdHocCommand{.node = "causeway:views",
                 .name = "Presence views",
                 .at = AdHocCommand::At::own,
                 .run = run_views},
    AdHocCommand{.node = "causeway:requests",
                 .name = "Requests that wait",
                 .at = AdHocCommand::At::own,
                 .run = run_requests},
    AdHocCommand{.node = "causeway:publish",
                 .name = "Publish presence",
                 .at = AdHocCommand::At::own,
                 .run = run_publish},
    AdHocCommand{.node = "causeway:publish",
                 .name = "Publish presence",
                 .at = AdHocCommand::At::account,
                 .allows = may_publish,
                 .run = run_publish},
};

}  // namespace causeway
