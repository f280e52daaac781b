// Verbs that count and list accounts, and show one.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/features/administration/administration.h"
#include "gateway/features/last_activity.h"
#include "gateway/session/roster.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::administration {
namespace {

using control::Operations;
using control::Page;

/// The accounts that a verb is about, found page by page on the control thread.
class Search : public std::enable_shared_from_this<Search> {
public:
    enum class Of : unsigned char { registered, disabled, online };
    struct Found {
        std::size_t count = 0;
        std::vector<std::string> first;  ///< as many as were asked for
    };
    using Then = std::function<void(const Result<Found>&)>;

    Search(Of of, Operations& operations, std::string domain, std::size_t most, Then then)
        : of_(of),
          operations_(operations),
          domain_(std::move(domain)),
          most_(most),
          then_(std::move(then)) {}

    void next(std::string after = {}) {
        if (of_ == Of::online) {
            operations_.list_sessions(
                {}, {.after = std::move(after)},
                [self = shared_from_this()](const auto& page) { self->take_sessions(page); });
        } else {
            operations_.list_users(
                domain_, {.after = std::move(after)},
                [self = shared_from_this()](const auto& page) { self->take_users(page); });
        }
    }

private:
    void take_users(const Result<Page<control::UserRow>>& page) {
        if (!page) return then_(page.error());
        for (const control::UserRow& row : page->rows) {
            if (of_ == Of::registered || row.disabled) take(row.jid);
        }
        go_on(page->next);
    }

    void take_sessions(const Result<Page<control::SessionRow>>& page) {
        if (!page) return then_(page.error());
        // A page is a shard, and all sessions of an account are on one, side by side.
        std::string_view last;
        for (const control::SessionRow& row : page->rows) {
            if (row.jid != last && row.jid.ends_with("@" + domain_)) take(row.jid);
            last = row.jid;
        }
        go_on(page->next);
    }

    void take(const std::string& jid) {
        ++found_.count;
        if (found_.first.size() < most_) found_.first.push_back(jid);
    }

    void go_on(const std::string& after) {
        if (after.empty()) {
            then_(found_);
        } else {
            next(after);
        }
    }

    const Of of_;
    Operations& operations_;
    const std::string domain_;
    const std::size_t most_;
    const Then then_;
    Found found_;
};

struct Verb {
    Search::Of of;
    std::string_view title;
    std::string_view field;  ///< of the result
};

void search(const AdHocCall& call, Search::Of of, std::size_t most, Search::Then then) {
    on_control(call.caller.hub, [of, domain = std::string(call.caller.to.domain()), most,
                                 then = std::move(then)](Operations& operations) {
        std::make_shared<Search>(of, operations, domain, most, then)->next();
    });
}

void count(const AdHocCall& call, const Verb& verb) {
    search(call, verb.of, 0, [verb, answer = to_shard(call)](const Result<Search::Found>& found) {
        if (!found) return answer(refusal(found.error()));
        FormBuilder form("result", ns::admin);
        form.title(verb.title);
        form.field(
            {.name = verb.field, .label = verb.title, .values = {fmt::format("{}", found->count)}});
        answer(AdHocAnswer::result(form.take()));
    });
}

std::string how_many_form(std::string_view title) {
    FormBuilder form("form", ns::admin);
    form.title(title);
    form.field({.name = "max_items",
                .type = FieldType::list_single,
                .label = "Most accounts to show",
                .values = {"100"},
                .options = {{"25", {}}, {"100", {}}, {"200", {}}, {"1000", {}}, {"none", {}}}});
    return form.take();
}

void list(const AdHocCall& call, const Verb& verb) {
    if (call.forms.empty()) {
        call.answer(AdHocAnswer::ask(how_many_form(verb.title)));
        return;
    }
    const auto wanted = FormReader(call.forms.front()).text_or("max_items", "none");
    std::size_t most = rows_limit;
    if (wanted && *wanted != "none") {
        const auto [end, error] =
            std::from_chars(wanted->data(), wanted->data() + wanted->size(), most);
        if (error != std::errc{} || end != wanted->data() + wanted->size() || most == 0) {
            call.answer(AdHocAnswer::invalid("The field \"max_items\" is a number, or \"none\"."));
            return;
        }
    }
    most = std::min(most, rows_limit);
    search(call, verb.of, most,
           [verb, answer = to_shard(call)](const Result<Search::Found>& found) {
               if (!found) return answer(refusal(found.error()));
               FormBuilder form("result", ns::admin);
               form.title(verb.title);
               form.field({.name = verb.field,
                           .type = FieldType::jid_multi,
                           .label = verb.title,
                           .values = found->first});
               const bool all = found->first.size() == found->count;
               answer(AdHocAnswer::result(form.take(),
                                          all ? std::string{}
                                              : fmt::format("These are the first {} of {}.",
                                                            found->first.size(), found->count)));
           });
}

std::string statistics_of(const control::UserDetail& user,
                          const std::vector<control::SessionRow>& sessions) {
    std::set<std::string> addresses;
    std::vector<std::string> resources;
    for (const control::SessionRow& session : sessions) {
        resources.push_back(session.resource);
        if (!session.address.empty()) addresses.insert(session.address);
    }
    FormBuilder form("result", ns::admin);
    form.title("A user");
    form.field({.name = "accountjid",
                .type = FieldType::jid_single,
                .label = "Account",
                .values = {user.user.jid}});
    form.field({.name = "ipaddresses",
                .type = FieldType::text_multi,
                .label = "Connected from",
                .values = {addresses.begin(), addresses.end()}});
    form.field(
        {.name = "rostersize", .label = "Contacts", .values = {fmt::format("{}", user.contacts)}});
    form.field({.name = "onlineresources",
                .type = FieldType::text_multi,
                .label = "Sessions",
                .values = resources});
    form.field({.name = "disabled",
                .type = FieldType::boolean,
                .label = "Disabled",
                .values = {user.user.disabled ? "true" : "false"}});
    form.field({.name = "offline_messages",
                .label = "Messages that wait",
                .values = {fmt::format("{}", user.offline_stanzas)}});
    return form.take();
}

constexpr Verb all_users{Search::Of::registered, "Registered users", "registereduserjids"};
constexpr Verb all_disabled{Search::Of::disabled, "Disabled users", "disableduserjids"};
constexpr Verb all_online{Search::Of::online, "Users online", "onlineuserjids"};

/// Of one account, which is asked for first.
using Show = void (*)(Hub& hub, const control::UserDetail& user,
                      const std::vector<control::SessionRow>& sessions, const Answer& answer);

/// The field with its address. It is one for several in two of the commands (XEP-0133 §4.7, §4.8),
/// which take one all the same, as other servers do.
struct AccountField {
    std::string_view name;
    FieldType type;
};
constexpr AccountField for_one{"accountjid", FieldType::jid_single};
constexpr AccountField for_several{"accountjids", FieldType::jid_multi};

/// By whichever of the two fields: other servers have them the other way round, and so do programs
/// that fill in a form without having read it. Without either, `own` is the one that is missing.
Result<Jid> asked_for(const AdHocCall& call, AccountField own) {
    const AccountField other = own.name == for_one.name ? for_several : for_one;
    return account_of(call, call.forms.front().contains(other.name) ? other.name : own.name);
}

void show_user(const AdHocCall& call, std::string_view title, AccountField field, Show show) {
    if (call.forms.empty()) {
        FormBuilder form("form", ns::admin);
        form.title(title);
        form.field(
            {.name = field.name, .type = field.type, .label = "The account", .required = true});
        call.answer(AdHocAnswer::ask(form.take()));
        return;
    }
    const auto jid = asked_for(call, field);
    if (!jid) {
        call.answer(AdHocAnswer::invalid(jid.error().why()));
        return;
    }
    Hub& hub = call.caller.hub;
    on_control(hub, [&hub, show, jid = std::string(jid->bare()),
                     answer = to_shard(call)](Operations& operations) {
        operations.show_user(jid, [&operations, &hub, show, jid, answer](const auto& user) {
            if (!user) return answer(refusal(user.error()));
            operations.list_sessions(jid, {}, [&hub, show, user = *user, answer](const auto& page) {
                if (!page) return answer(refusal(page.error()));
                show(hub, user, page->rows, answer);
            });
        });
    });
}

void show_statistics(Hub&, const control::UserDetail& user,
                     const std::vector<control::SessionRow>& sessions, const Answer& answer) {
    answer(AdHocAnswer::result(statistics_of(user, sessions)));
}

AdHocAnswer last_login(const std::string& jid, UnixMillis at) {
    FormBuilder form("result", ns::admin);
    form.title("When a user was online last");
    form.field(
        {.name = for_several.name, .type = for_several.type, .label = "Account", .values = {jid}});
    form.field({.name = "lastlogin", .label = "Online last", .values = {format_date_time(at)}});
    return AdHocAnswer::result(form.take());
}

/// Online now: since when. Otherwise when it was last available.
void show_last_login(Hub& hub, const control::UserDetail& user,
                     const std::vector<control::SessionRow>& sessions, const Answer& answer) {
    const std::string& jid = user.user.jid;
    if (!sessions.empty()) {
        answer(last_login(jid, std::ranges::max(sessions, {}, &control::SessionRow::since).since));
        return;
    }
    find_last_activity(hub.shared.store, *hub.shared.control, jid,
                       [jid, answer](const Result<std::optional<UnixMillis>>& at) {
                           if (!at) {
                               answer(refusal(at.error()));
                           } else if (!at->has_value()) {
                               answer(AdHocAnswer::done(jid + " has not been online yet."));
                           } else {
                               answer(last_login(jid, **at));
                           }
                       });
}

void add_values(XmlBuilder& xml, std::string_view name, std::string_view type,
                std::string_view label, const std::vector<std::string>& values) {
    xml.open("field").attribute("var", name).attribute("type", type).attribute("label", label);
    for (const std::string& value : values) xml.element("value", value);
    xml.close();
}

/// As a roster (XEP-0133 §4.7), and as lines for clients that show nothing but fields.
AdHocAnswer contacts_of(const std::string& jid, const Roster& roster) {
    std::vector<std::string> lines;
    XmlBuilder items;
    items.open("query", ns::roster);
    for (const auto& [key, item] : roster.items()) {
        if (!item.listed || lines.size() == rows_limit) continue;
        lines.push_back(fmt::format("{}, subscription {}", item.jid.bare(), item.state.name()));
        append_item(items, item);
    }
    XmlBuilder xml;
    open_form(xml, "result", ns::admin);
    add_values(xml, for_several.name, "jid-multi", "Account", {jid});
    add_values(xml, "contacts", "text-multi", "Contacts", lines);
    xml.raw(items.take());
    return AdHocAnswer::result(xml.take(), lines.size() == roster.listed_count()
                                               ? std::string{}
                                               : fmt::format("These are the first {} of {}.",
                                                             lines.size(), roster.listed_count()));
}

void show_contacts(Hub& hub, const control::UserDetail& user,
                   const std::vector<control::SessionRow>&, const Answer& answer) {
    const std::string& jid = user.user.jid;
    hub.shared.store.map_list(std::string(Roster::store_name), jid, *hub.shared.control,
                              [jid, answer](const Result<std::vector<MapEntry>>& entries) {
                                  answer(entries
                                             ? contacts_of(jid, Roster::from_store(jid, *entries))
                                             : refusal(entries.error()));
                              });
}

}  // namespace

void count_registered(const AdHocCall& call) {
    count(call, {Search::Of::registered, "Number of registered users", "registeredusersnum"});
}
void count_disabled(const AdHocCall& call) {
    count(call, {Search::Of::disabled, "Number of disabled users", "disabledusersnum"});
}
void count_online(const AdHocCall& call) {
    count(call, {Search::Of::online, "Number of users online", "onlineusersnum"});
}
void list_registered(const AdHocCall& call) { list(call, all_users); }
void list_disabled(const AdHocCall& call) { list(call, all_disabled); }
void list_online(const AdHocCall& call) { list(call, all_online); }

void user_statistics(const AdHocCall& call) {
    show_user(call, "Show a user", for_one, show_statistics);
}
void user_last_login(const AdHocCall& call) {
    show_user(call, "Show when a user was online last", for_several, show_last_login);
}
void user_contacts(const AdHocCall& call) {
    show_user(call, "Show a user's contacts", for_several, show_contacts);
}

}  // namespace causeway::administration
