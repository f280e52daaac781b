// XEP-0050 Ad-Hoc Commands: the engine behind Feature::ad_hoc. It lists the commands in service
// discovery, each only to those that may execute it, and leads a session from form to form.
//
// A session belongs to the full address that began it, on the shard where its requests arrive: the
// account's home, or for a domain the home of whoever asks. It ends when the command does, when it
// is canceled, when its requester logs out, or some minutes after its last step. The sessions of
// one address are bounded (ad_hoc_sessions.h); the oldest makes room.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "gateway/features/ad_hoc_sessions.h"
#include "gateway/features/administrators.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

using At = AdHocCommand::At;
using Kind = AdHocAnswer::Kind;

/// Forms that one session may have submitted, and their fields and values.
constexpr std::size_t forms_each = 16;
constexpr std::size_t fields_each = 256;

constexpr Metric completed{.name = "ad_hoc_commands_completed",
                           .help = "Ad-hoc commands that were carried out."};
constexpr std::array metrics{&completed};

// ---- which commands there are ----

bool allowed(const AdHocCommand& command, const AdHocCaller& caller) {
    if (command.allows != nullptr) return command.allows(caller);
    switch (command.at) {
        case At::own: return true;
        case At::domain: return is_administrator(caller.hub, caller.who, caller.to.domain());
        case At::account: break;
    }
    return false;
}

/// Where `caller` asks.
At place_of(const AdHocCaller& caller) {
    if (caller.account == nullptr) return At::domain;
    return caller.who.bare() == caller.to.bare() ? At::own : At::account;
}

template <class Visit>
void each_allowed(const AdHocCaller& caller, const Visit& visit) {
    const At at = place_of(caller);
    for (const Feature* feature : caller.hub.shared.features.features()) {
        for (const AdHocCommand& command : feature->ad_hoc) {
            if (command.at == at && allowed(command, caller)) visit(command);
        }
    }
}

const AdHocCommand* find(const AdHocCaller& caller, std::string_view node) {
    const AdHocCommand* found = nullptr;
    each_allowed(caller, [&](const AdHocCommand& command) {
        if (command.node == node && found == nullptr) found = &command;
    });
    return found;
}

/// Whether anybody may execute such a command at that place.
bool exists(const Hub& hub, At at, std::string_view node) {
    return std::ranges::any_of(hub.shared.features.features(), [&](const Feature* feature) {
        return std::ranges::any_of(feature->ad_hoc, [&](const AdHocCommand& command) {
            return command.at == at && command.node == node;
        });
    });
}

// ---- service discovery ----

AdHocCaller caller_of(const DiscoQuery& query) {
    return {query.hub, query.from, query.to, query.account};
}

void tell_info(const DiscoQuery& query, DiscoInfo& info) {
    if (query.node.empty()) return;
    if (query.node == ns::ad_hoc) {
        info.found = true;
        info.identities.push_back({"automation", "command-list", "Commands"});
        info.features.emplace_back(ns::ad_hoc);
        return;
    }
    const AdHocCommand* command = find(caller_of(query), query.node);
    if (command == nullptr) return;
    info.found = true;
    info.identities.push_back({"automation", "command-node", command->name});
    info.features.emplace_back(ns::ad_hoc);
    info.features.emplace_back(ns::data_forms);
}

void tell_items(const DiscoQuery& query, DiscoItems& items) {
    if (query.node != ns::ad_hoc) return;
    items.found = true;
    each_allowed(caller_of(query), [&](const AdHocCommand& command) {
        items.items.push_back(
            {std::string(query.to.full()), std::string(command.node), std::string(command.name)});
    });
}

// ---- sessions ----

using Session = AdHocSession;
using Sessions = AdHocSessions;
constexpr Slot<Sessions> slot{"ad-hoc commands"};

// ---- answers ----

StanzaError bad_request(std::string_view detail, std::string text) {
    return {.condition = StanzaCondition::bad_request,
            .text = std::move(text),
            .detail = detail,
            .detail_ns = ns::ad_hoc};
}

StanzaError expired(std::string text) {
    return {.condition = StanzaCondition::not_allowed,
            .text = std::move(text),
            .detail = "session-expired",
            .detail_ns = ns::ad_hoc};
}

/// An error of a session that was named: some clients know by that which of theirs it is. The form,
/// which may hold a password, is not sent back.
void refuse(const IqReturn& back, const AdHocCommand& command, std::string_view id,
            const StanzaError& error) {
    std::string inner = XmlBuilder()
                            .open("command", ns::ad_hoc)
                            .attribute("node", command.node)
                            .attribute("sessionid", id)
                            .take();
    append_error(inner, error);
    back.hub.routing->route(
        Packet::make(StanzaKind::iq, StanzaType::error, back.from, back.to, back.id, inner));
}

XmlBuilder open_command(std::string_view node, std::string_view id, std::string_view status) {
    XmlBuilder xml;
    xml.open("command", ns::ad_hoc)
        .attribute("node", node)
        .attribute("sessionid", id)
        .attribute("status", status);
    return xml;
}

std::string executing(const Session& session, std::string_view id, const AdHocAnswer& answer) {
    const std::string_view onwards =
        session.state == Session::State::asks_last ? "complete" : "next";
    XmlBuilder xml = open_command(session.command->node, id, "executing");
    xml.open("actions").attribute("execute", onwards);
    if (!session.forms.empty()) xml.empty("prev");
    xml.empty(onwards).close();
    if (!answer.text.empty()) xml.element("note", answer.text);
    xml.raw(answer.form);
    return xml.take();
}

std::string ended(const AdHocCommand& command, std::string_view id, const AdHocAnswer& answer) {
    XmlBuilder xml = open_command(command.node, id, "completed");
    if (!answer.text.empty()) {
        xml.open("note").attribute("type", answer.kind == Kind::failed ? "error" : "info");
        xml.text(answer.text).close();
    }
    xml.raw(answer.form);
    return xml.take();
}

/// The command has answered a step.
void finish_step(const IqReturn& back, const AdHocCommand& command, const std::string& id,
                 const AdHocAnswer& answer) {
    Sessions& sessions = back.hub.slots.make(slot);
    Session* session = sessions.find(id);
    if (session == nullptr) {
        // Its requester logged out meanwhile, or began too many others.
        refuse(back, command, id, expired("This session of the command has ended."));
        return;
    }
    session->deadline = back.hub.clock().now() + Sessions::lifetime;
    switch (answer.kind) {
        case Kind::form:
        case Kind::last_form:
            session->state =
                answer.kind == Kind::last_form ? Session::State::asks_last : Session::State::asks;
            back.result(executing(*session, id, answer));
            return;
        case Kind::done: back.hub.metrics.add(completed); [[fallthrough]];
        case Kind::failed: back.result(ended(command, id, answer)); break;
        case Kind::refused: refuse(back, command, id, answer.error); break;
        case Kind::invalid:
            refuse(back, command, id, bad_request("bad-payload", answer.text));
            if (!session->forms.empty()) {
                session->forms.pop_back();
                return;
            }
            break;
    }
    sessions.end(id);
}

// ---- requests ----

enum class Action : unsigned char { execute, cancel, prev, next, complete };
constexpr std::array<std::string_view, 5> action_names{"execute", "cancel", "prev", "next",
                                                       "complete"};

std::optional<Action> action_of(const Element& command) {
    const std::string_view name = command.attribute("action");
    if (name.empty()) return Action::execute;
    const auto* const found = std::ranges::find(action_names, name);
    if (found == action_names.end()) return {};
    return static_cast<Action>(found - action_names.begin());
}

/// Hands the submitted forms to the command.
void run(const IqRequest& request, const std::string& id, Session& session) {
    const Session::State before = session.state;
    session.state = Session::State::running;
    Account* const account = request.account;
    if (account != nullptr) account->begin_question();
    const auto answer = [back = IqReturn(request), &command = *session.command, id, account,
                         before](const AdHocAnswer& given) {
        if (given.kind == Kind::invalid) {
            Session* const still = back.hub.slots.make(slot).find(id);
            if (still != nullptr) still->state = before;
        }
        finish_step(back, command, id, given);
        if (account != nullptr) account->end_question();
    };
    // A copy: the session may end before the command has answered.
    const std::vector<FormValues> forms = session.forms;
    session.command->run({.caller = {request.hub, request.stanza.from, request.stanza.to, account},
                          .command = *session.command,
                          .forms = forms,
                          .answer = answer});
}

/// What is wrong with that step, if anything; otherwise the session is ready to run.
std::optional<StanzaError> step(const IqRequest& request, Session& session, Action action) {
    if (session.state == Session::State::running) {
        return StanzaError{.condition = StanzaCondition::unexpected_request,
                           .text = "The step before is still under way; try again."};
    }
    if (action == Action::prev) {
        if (session.forms.empty()) return bad_request("bad-action", "This is the first form.");
        session.forms.pop_back();
        return {};
    }
    const Action other =
        session.state == Session::State::asks_last ? Action::next : Action::complete;
    if (action == other) {
        return bad_request("bad-action",
                           fmt::format("This form does not take the action \"{}\".",
                                       action_names[static_cast<std::size_t>(action)]));
    }
    const Element* form = request.payload.child(ns::data_forms, "x");
    if (form == nullptr) {
        return bad_request("bad-payload", "The command waits for a form (jabber:x:data).");
    }
    if (session.forms.size() >= forms_each) {
        return StanzaError{.condition = StanzaCondition::policy_violation,
                           .text = "The command has had too many forms; begin again."};
    }
    auto values = read_submission(*form, request.stanza.arena, fields_each);
    if (!values) return bad_request("bad-payload", values.error().why());
    session.forms.push_back(std::move(*values));
    return {};
}

void begin(const IqRequest& request, const AdHocCommand& command, const AdHocCaller& caller,
           Action action) {
    const IqReturn back(request);
    if (action != Action::execute) {
        back.error(bad_request("bad-action", "A command begins with the action \"execute\"."));
        return;
    }
    Sessions& sessions = request.hub.slots.make(slot);
    const std::string id = sessions.begin(command, caller);
    if (id.empty()) {
        back.error({.condition = StanzaCondition::resource_constraint,
                    .text = "Too many commands are under way; try again later."});
        return;
    }
    Session& session = *sessions.find(id);
    session.deadline = request.hub.clock().now() + Sessions::lifetime;
    run(request, id, session);
}

/// A form of that type says that the user gave up (XEP-0004 §3.1), whatever the action.
bool gives_up(const Element& command) {
    const Element* form = command.child(ns::data_forms, "x");
    return form != nullptr && form->attribute("type") == "cancel";
}

void go_on(const IqRequest& request, const AdHocCommand& command, Action action) {
    const IqReturn back(request);
    Sessions& sessions = request.hub.slots.make(slot);
    const std::string id(request.payload.attribute("sessionid"));
    Session* session = sessions.find(id);
    if (session == nullptr || session->who != back.to || session->to != back.from ||
        session->command != &command) {
        refuse(back, command, id,
               bad_request("bad-sessionid", "There is no such session of this command."));
        return;
    }
    if (session->deadline < request.hub.clock().now()) {
        sessions.end(id);
        refuse(back, command, id, expired("The session of this command has expired; begin again."));
        return;
    }
    if (action == Action::cancel || (action != Action::prev && gives_up(request.payload))) {
        back.result(open_command(command.node, id, "canceled").take());
        sessions.end(id);
        return;
    }
    if (const auto error = step(request, *session, action)) {
        refuse(back, command, id, *error);
        return;
    }
    run(request, id, *session);
}

void answer(const IqRequest& request) {
    const IqReturn back(request);
    const AdHocCaller caller{request.hub, request.stanza.from, request.stanza.to, request.account};
    const std::string_view node = request.payload.attribute("node");
    const AdHocCommand* command = find(caller, node);
    if (command == nullptr) {
        const At at = place_of(caller);
        // Another's account answers as one that does not exist.
        StanzaError error{.condition = StanzaCondition::service_unavailable, .text = {}};
        if (at != At::account) {
            error = exists(request.hub, at, node)
                        ? StanzaError{.condition = StanzaCondition::forbidden,
                                      .text = "This command is for administrators."}
                        : StanzaError{.condition = StanzaCondition::item_not_found,
                                      .text = "There is no such command here."};
        } else if (caller.account != nullptr && caller.account->may_be_asked_by(caller.who)) {
            error = {.condition = StanzaCondition::forbidden,
                     .text = "This account does not let you do that."};
        }
        back.error(error);
        return;
    }
    const auto action = action_of(request.payload);
    if (!action) {
        back.error(bad_request("malformed-action",
                               "An action is execute, next, prev, complete or cancel."));
    } else if (request.payload.attribute("sessionid").empty()) {
        begin(request, *command, caller, *action);
    } else {
        go_on(request, *command, *action);
    }
}

void session_gone(const Life& life) {
    if (Sessions* sessions = life.hub.slots.get(slot)) {
        sessions->end_all_of(life.session->jid().full());
    }
}

void sweep(const Life& life) {
    if (Sessions* sessions = life.hub.slots.get(slot)) sessions->sweep(life.hub.clock().now());
}

constexpr std::array handlers{
    IqHandler{StanzaType::set, ns::ad_hoc, "command", IqTarget::server, answer},
    IqHandler{StanzaType::set, ns::ad_hoc, "command", IqTarget::account, answer},
};
constexpr std::array disco_features{ns::ad_hoc};
constexpr std::array sources{
    DiscoSource{.of = DiscoSource::Of::server, .info = tell_info, .items = tell_items},
    DiscoSource{.of = DiscoSource::Of::account, .info = tell_info, .items = tell_items},
};
constexpr std::array life{LifeHook{LifeEvent::session_gone, session_gone},
                          LifeHook{LifeEvent::tick, sweep}};

}  // namespace

extern const Feature ad_hoc_commands;
const Feature ad_hoc_commands{.name = "ad_hoc_commands",
                              .xep = 50,
                              .version = "1.2",
                              .server_disco = disco_features,
                              .account_disco = disco_features,
                              .iq = handlers,
                              .disco = sources,
                              .points = {.life = life},
                              .metrics = metrics};

}  // namespace causeway
