// Verbs that change accounts, and announcements.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <memory>
#include <utility>

#include "gateway/base/random.h"
#include "gateway/features/administration/administration.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::administration {
namespace {

using control::Done;
using control::Operations;

/// A verb that does the same to each of several accounts.
struct Verb {
    std::string_view title;
    std::string_view label;  ///< of the field
    std::string_view past;   ///< "Removed"
    void (*act)(Operations& operations, const std::string& jid, Done done);
    bool sessions = false;  ///< takes full addresses as well
};

std::string form_of(const Verb& verb) {
    FormBuilder form("form", ns::admin);
    form.title(verb.title);
    form.field({.name = "accountjids",
                .type = FieldType::jid_multi,
                .label = verb.label,
                .required = true});
    return form.take();
}

/// One account after the other, on the control thread; each by itself.
class Several : public std::enable_shared_from_this<Several> {
public:
    Several(const Verb& verb, Operations& operations, std::vector<Jid> accounts, Answer answer)
        : verb_(verb),
          operations_(operations),
          accounts_(std::move(accounts)),
          answer_(std::move(answer)) {}

    void next() {
        if (at_ == accounts_.size()) {
            answer_(sum());
            return;
        }
        const std::string jid(accounts_[at_++].full());
        verb_.act(operations_, jid, [self = shared_from_this(), jid](const Outcome& outcome) {
            if (outcome) {
                self->done_.push_back(jid);
            } else {
                self->failures_.push_back(fmt::format("{}: {}", jid, outcome.why()));
            }
            self->next();
        });
    }

private:
    [[nodiscard]] AdHocAnswer sum() const {
        std::string text;
        if (!done_.empty()) text = fmt::format("{} {}.", verb_.past, fmt::join(done_, ", "));
        if (failures_.empty()) return AdHocAnswer::done(text);
        for (const std::string& failure : failures_) {
            text += fmt::format("{}{}.", text.empty() ? "" : "\n", failure);
        }
        return AdHocAnswer::failed(text);
    }

    const Verb& verb_;
    Operations& operations_;
    const std::vector<Jid> accounts_;
    const Answer answer_;
    std::size_t at_ = 0;
    std::vector<std::string> done_, failures_;
};

void run(const AdHocCall& call, const Verb& verb) {
    if (call.forms.empty()) {
        call.answer(AdHocAnswer::ask(form_of(verb)));
        return;
    }
    auto accounts = accounts_of(call, "accountjids", verb.sessions);
    if (!accounts) {
        call.answer(AdHocAnswer::invalid(accounts.error().why()));
        return;
    }
    for (const Jid& account : *accounts) note(call, account.full());
    on_control(call.caller.hub, [&verb, accounts = std::move(*accounts),
                                 answer = to_shard(call)](Operations& operations) {
        std::make_shared<Several>(verb, operations, accounts, answer)->next();
    });
}

/// Ends those sessions one after the other.
void end_each(Operations& operations, std::vector<std::string> sessions, const Done& done) {
    if (sessions.empty()) {
        done({});
        return;
    }
    const std::string last = std::move(sessions.back());
    sessions.pop_back();
    operations.kill_session(
        last, [&operations, sessions = std::move(sessions), done](const Outcome& outcome) mutable {
            // One that has gone meanwhile is no failure.
            if (!outcome && outcome.cause() != Cause::absent) {
                done(outcome);
            } else {
                end_each(operations, std::move(sessions), done);
            }
        });
}

constexpr Verb deletion{"Delete users", "The accounts to delete, with all that is stored for them",
                        "Deleted", [](Operations& operations, const std::string& jid, Done done) {
                            operations.remove_user(jid, std::move(done));
                        }};
constexpr Verb disabling{"Disable users", "The accounts to disable", "Disabled",
                         [](Operations& operations, const std::string& jid, Done done) {
                             operations.set_user_disabled(jid, true, std::move(done));
                         }};
constexpr Verb enabling{"Enable users again", "The accounts to enable", "Enabled",
                        [](Operations& operations, const std::string& jid, Done done) {
                            operations.set_user_disabled(jid, false, std::move(done));
                        }};
constexpr Verb ending{
    "End sessions of users", "The accounts, or single sessions of them", "Ended the sessions of",
    [](Operations& operations, const std::string& jid, Done done) {
        operations.list_sessions(jid, {}, [&operations, done = std::move(done)](const auto& page) {
            if (!page) {
                done(page.error());
                return;
            }
            std::vector<std::string> sessions;
            for (const control::SessionRow& row : page->rows) {
                sessions.push_back(fmt::format("{}/{}", row.jid, row.resource));
            }
            end_each(operations, std::move(sessions), done);
        });
    },
    true};

/// The password of a form, if it was typed twice alike where it was asked for twice.
Result<std::string> password_of(const FormReader& form) {
    auto password = form.text("password");
    if (!password) return password;
    const auto repeated = form.text_or("password-verify", *password);
    if (!repeated) return repeated;
    if (*repeated != *password) return Outcome::malformed("The two passwords are not the same.");
    return password;
}

std::string account_form(std::string_view title, bool twice) {
    FormBuilder form("form", ns::admin);
    form.title(title);
    form.field({.name = "accountjid",
                .type = FieldType::jid_single,
                .label = "The account",
                .required = true});
    form.field({.name = "password",
                .type = FieldType::text_private,
                .label = "The password",
                .required = true});
    if (twice) {
        form.field({.name = "password-verify",
                    .type = FieldType::text_private,
                    .label = "The password again",
                    .required = true});
    }
    return form.take();
}

using Change = void (Operations::*)(control::NewAccount account, std::uint32_t iterations,
                                    Done done);

void change(const AdHocCall& call, Change what, std::string_view past) {
    const auto jid = account_of(call, "accountjid");
    const auto password = password_of(FormReader(call.forms.front()));
    if (!jid || !password) {
        call.answer(AdHocAnswer::invalid(jid ? password.error().why() : jid.error().why()));
        return;
    }
    note(call, jid->bare());
    on_control(call.caller.hub, [what, jid = std::string(jid->bare()), password = *password, past,
                                 answer = to_shard(call)](Operations& operations) {
        (operations.*what)({jid, password}, 0, [=](const Outcome& outcome) {
            answer(outcome ? AdHocAnswer::done(fmt::format("{} {}.", past, jid))
                           : refusal(outcome));
        });
    });
}

std::string announcement_form() {
    FormBuilder form("form", ns::admin);
    form.title("Send an announcement to the users online");
    form.field({.name = "subject", .label = "Subject"});
    form.field({.name = "announcement",
                .type = FieldType::text_multi,
                .label = "Announcement",
                .required = true});
    return form.take();
}

/// To every account of the domain that is online at that shard.
void send_to_all(Hub& hub, const Jid& domain, std::string_view inner) {
    std::vector<Jid> online;
    hub.accounts->each_online([&](Account& account) {
        if (account.jid().domain() == domain.domain()) online.push_back(account.jid());
    });
    for (const Jid& jid : online) {
        hub.routing->route(Packet::make(StanzaKind::message, StanzaType::headline, domain, jid,
                                        random_token(), inner));
    }
}

}  // namespace

void delete_users(const AdHocCall& call) { run(call, deletion); }
void disable_users(const AdHocCall& call) { run(call, disabling); }
void enable_users(const AdHocCall& call) { run(call, enabling); }
void end_sessions(const AdHocCall& call) { run(call, ending); }

void add_user(const AdHocCall& call) {
    if (call.forms.empty()) {
        call.answer(AdHocAnswer::ask(account_form("Add a user", true)));
    } else {
        change(call, &Operations::add_user, "Added");
    }
}

void change_password(const AdHocCall& call) {
    if (call.forms.empty()) {
        call.answer(AdHocAnswer::ask(account_form("Change a user's password", false)));
    } else {
        change(call, &Operations::set_password, "Changed the password of");
    }
}

void announce(const AdHocCall& call) {
    if (call.forms.empty()) {
        call.answer(AdHocAnswer::ask(announcement_form()));
        return;
    }
    const FormReader form(call.forms.front());
    const auto subject = form.text_or("subject", {});
    const std::string body = form.lines("announcement");
    if (!subject || body.empty()) {
        call.answer(AdHocAnswer::invalid(subject ? "The form needs the field \"announcement\"."
                                                 : subject.error().why()));
        return;
    }
    note(call, {});
    XmlBuilder inner;
    if (!subject->empty()) inner.element("subject", *subject);
    inner.element("body", body);
    const std::string text = inner.take();
    const Jid domain = call.caller.to;
    for (Hub* hub : call.caller.hub.shared.hubs) {
        call.caller.hub.at(*hub, [hub, domain, text] { send_to_all(*hub, domain, text); });
    }
    call.answer(AdHocAnswer::done("The announcement is on its way to the users online."));
}

}  // namespace causeway::administration
