// Presence views, and what waits for the owner, as verbs of the control socket.
#include <array>
#include <string>
#include <utility>

#include "gateway/features/access/on_account.h"

namespace causeway {
namespace {

namespace json = boost::json;
using access::account_param;
using access::Answer;
using access::answer_done;
using access::answer_from_shard;
using access::number_param;
using access::Request;
using access::Requests;
using access::with_named_account;
using control::CommandRequest;
using control::Field;
using control::Param;
using control::ParamType;
using control::utf8;

// ---- views ----

struct ViewRow {
    PresenceView view;
};

json::object to_json(const ViewRow& row) {
    return {{"name", utf8(row.view.name)}, {"shows", utf8(row.view.words())}};
}

void set_view(const CommandRequest& request) {
    PresenceView view{.name = request.text("name"), .show = {}, .status = {}};
    if (request.flag("only-show")) view.extent = PresenceView::Extent::show_only;
    if (request.flag("nothing")) view.extent = PresenceView::Extent::nothing;
    if (request.has("show")) view.show = request.text("show");
    if (view.show == "available") view.show = "";
    if (request.has("status")) view.status = request.text("status");
    const Answer answer = answer_from_shard(request);
    json::object result = request.naming("jid");
    result.emplace("name", utf8(view.name));
    result.emplace("shows", utf8(view.words()));
    with_named_account(request, answer, [answer, view, result](Account& account) {
        access::set_view(account, view, answer_done(answer, result));
    });
}

void list_views(const CommandRequest& request) {
    with_named_account(request, answer_from_shard(request),
                       [reply = request.reply, home = request.host.home](Account& account) {
                           control::Page<ViewRow> page;
                           page.rows.push_back({PresenceView::whole()});
                           page.rows.push_back({PresenceView::none()});
                           for (const auto& [name, view] : account.access().state().views) {
                               page.rows.push_back({view});
                           }
                           access::list_from_shard(reply, *home, std::move(page));
                       });
}

void remove_view(const CommandRequest& request) {
    const Answer answer = answer_from_shard(request);
    json::object result = request.naming("jid");
    const std::string name = request.text("name");
    result.emplace("name", utf8(name));
    with_named_account(request, answer, [answer, name, result](Account& account) {
        access::remove_view(account, name, answer_done(answer, result));
    });
}

// ---- requests ----

struct RequestRow {
    std::size_t number;
    Request request;
};

json::object to_json(const RequestRow& row) {
    json::object object{
        {"number", row.number},
        {"kind", row.request.kind == Request::Kind::message ? "message" : "subscription"},
        {"from", utf8(row.request.from.full())},
        {"text", utf8(row.request.text)}};
    if (row.request.at != 0) object.emplace("at", row.request.at);
    return object;
}

void list_requests(const CommandRequest& request) {
    const Answer answer = answer_from_shard(request);
    with_named_account(request, answer,
                       [answer, reply = request.reply, home = request.host.home](Account& account) {
                           access::list_requests(
                               account, [answer, reply, home](Result<Requests> requests) {
                                   if (!requests) return answer(requests.error());
                                   control::Page<RequestRow> page;
                                   for (Request& one : *requests) {
                                       page.rows.push_back({page.rows.size() + 1, std::move(one)});
                                   }
                                   access::list_from_shard(reply, *home, std::move(page));
                               });
                       });
}

void decide_request(const CommandRequest& request,
                    void (*decide)(Account&, std::string, access::Done)) {
    const Answer answer = answer_from_shard(request);
    const std::size_t number = request.number("number").value_or(0);
    json::object result = request.naming("jid");
    result.emplace("number", number);
    with_named_account(request, answer, [answer, number, result, decide](Account& account) {
        decide(account, std::to_string(number), answer_done(answer, result));
    });
}

void accept_request(const CommandRequest& request) {
    decide_request(request, access::accept_request);
}
void refuse_request(const CommandRequest& request) {
    decide_request(request, access::refuse_request);
}
void report_request(const CommandRequest& request) {
    decide_request(request, access::report_request);
}

// ---- the table ----

constexpr std::array of_account{account_param};
constexpr Param view_name{
    .name = "name", .doc = "the name of the view", .at_most = PresenceView::longest_name};
constexpr std::array view_params{account_param,
                                 view_name,
                                 Param{.name = "show",
                                       .required = false,
                                       .doc = "always this: away, chat, dnd, xa or available",
                                       .at_most = 16,
                                       .option = true},
                                 Param{.name = "status",
                                       .required = false,
                                       .doc = "always this text",
                                       .at_most = PresenceView::longest_status,
                                       .option = true},
                                 Param{.name = "only-show",
                                       .type = ParamType::flag,
                                       .required = false,
                                       .doc = "nothing but show",
                                       .option = true},
                                 Param{.name = "nothing",
                                       .type = ParamType::flag,
                                       .required = false,
                                       .doc = "as if the account were away always",
                                       .option = true}};
constexpr std::array view_of_account{account_param, view_name};
constexpr std::array request_params{account_param, number_param};

constexpr std::array view_fields{Field{"VIEW", "{name}"}, Field{"SHOWS", "{shows}"}};
constexpr std::array request_fields{Field{"", "{number}"}, Field{"WHAT", "{kind}"},
                                    Field{"FROM", "{from}"}, Field{"TIME", "{at:date}"},
                                    Field{"TEXT", "{text}"}};
constexpr std::array commands{
    control::Command{.name = "view.set",
                     .params = view_params,
                     .doc = "makes or changes a presence view",
                     .mutates = true,
                     .run = set_view,
                     .view = {.sentence = "the view {name} of {jid}: {shows}"}},
    control::Command{.name = "view.list",
                     .params = of_account,
                     .doc = "the presence views of an account",
                     .streams = true,
                     .run = list_views,
                     .view = {.fields = view_fields}},
    control::Command{.name = "view.remove",
                     .params = view_of_account,
                     .doc = "removes a presence view that no rule names",
                     .mutates = true,
                     .run = remove_view,
                     .view = {.sentence = "the view {name} of {jid} is removed"}},
    control::Command{.name = "requests.list",
                     .params = of_account,
                     .doc = "what waits for the owner of an account: subscriptions and messages",
                     .streams = true,
                     .run = list_requests,
                     .view = {.fields = request_fields, .empty = "nothing waits"}},
    control::Command{.name = "requests.accept",
                     .params = request_params,
                     .doc = "approves a subscription, or delivers the messages of a sender",
                     .mutates = true,
                     .run = accept_request,
                     .view = {.sentence = "request {number} of {jid} is accepted"}},
    control::Command{.name = "requests.refuse",
                     .params = request_params,
                     .doc = "refuses a subscription, or drops a message",
                     .mutates = true,
                     .run = refuse_request,
                     .view = {.sentence = "request {number} of {jid} is refused"}},
    control::Command{.name = "requests.report",
                     .params = request_params,
                     .doc = "blocks and reports a sender, and refuses all that waits of it",
                     .mutates = true,
                     .run = report_request,
                     .view = {.sentence = "request {number} of {jid} is refused and reported, and "
                                          "its sender blocked"}},
};

}  // namespace

extern const Feature presence_views;
const Feature presence_views{.name = "presence_views", .commands = commands};

}  // namespace causeway
