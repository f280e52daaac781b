// AdHocCommand: a command that a feature offers in the menus of clients (XEP-0050), as data. The
// engine (gateway/features/ad_hoc_commands.cc) lists the commands, holds the sessions, checks the
// actions and hands the submitted forms over; a command says only what comes next.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/xmpp/data_form.h"
#include "gateway/xmpp/errors.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

struct Hub;
class Account;
struct AdHocCommand;

/// Who asks for a command, and where.
struct AdHocCaller {
    Hub& hub;
    const Jid& who;    ///< full; local or of another server
    const Jid& to;     ///< the account's bare JID, or the domain
    Account* account;  ///< the account at `to`, loaded; nullptr for a domain
};

/// What comes next, as a command says it. Made by the functions below.
struct AdHocAnswer {
    enum class Kind : unsigned char {
        last_form,  ///< a form; its answer completes the command
        form,       ///< a form, after which another comes
        done,       ///< the command has ended
        failed,     ///< it has ended without doing what was asked
        invalid,    ///< the submitted form cannot be used; it may be submitted again
        refused,    ///< an error; the command has ended
    };
    Kind kind = Kind::done;
    std::string form = {};   ///< a whole form, canonical XML (FormBuilder); may be empty when done
    std::string text = {};   ///< for people: a note, or what is wrong
    StanzaError error = {};  ///< of `refused`

    /// Shows a form of type `form` and ends with what is submitted.
    static AdHocAnswer ask(std::string form) {
        return {.kind = Kind::last_form, .form = std::move(form)};
    }
    /// The same, and another form follows: the client shows "next" instead of "complete".
    static AdHocAnswer ask_more(std::string form) {
        return {.kind = Kind::form, .form = std::move(form)};
    }
    /// Done; `text` says what was done.
    static AdHocAnswer done(std::string text) { return {.text = std::move(text)}; }
    /// Done; `form` is a form of type `result`.
    static AdHocAnswer result(std::string form, std::string text = {}) {
        return {.form = std::move(form), .text = std::move(text)};
    }
    static AdHocAnswer failed(std::string why) {
        return {.kind = Kind::failed, .text = std::move(why)};
    }
    static AdHocAnswer invalid(std::string why) {
        return {.kind = Kind::invalid, .text = std::move(why)};
    }
    static AdHocAnswer refused(StanzaError error) {
        return {.kind = Kind::refused, .error = std::move(error)};
    }
};

/// One step of a command.
struct AdHocCall {
    AdHocCaller caller;  ///< valid during the call; copy `who` to use it later
    const AdHocCommand& command;
    /// The forms that were submitted, first to last; empty when the command begins. When the user
    /// goes back, the last is gone and the step before is asked for again: so a command keeps no
    /// state of its own, and changes something only after its last form. Valid during the call.
    std::span<const FormValues> forms;
    /// Gives the answer: once, now or later, on the same shard. The account stays loaded until
    /// then.
    std::function<void(AdHocAnswer)> answer;
};

struct AdHocCommand {
    enum class At : unsigned char {
        own,      ///< the requester's own account
        account,  ///< the account of another, for whom `allows` names
        domain,   ///< a served domain
    };
    std::string_view node;
    std::string_view name;  ///< for people; may depend on nothing
    At at = At::own;
    /// Who may see and execute it. May be nullptr for At::own (each session of the account) and for
    /// At::domain (the administrators of that domain).
    bool (*allows)(const AdHocCaller& caller) = nullptr;
    void (*run)(const AdHocCall& call) = nullptr;
};

}  // namespace causeway
