#include "gateway/features/roster_commands.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/control/accounts.h"
#include "gateway/control/answers.h"
#include "gateway/control/listing.h"
#include "gateway/session/hub.h"
#include "gateway/session/roster.h"

namespace causeway {
namespace {

namespace json = boost::json;
using control::CommandRequest;
using control::Field;
using control::utf8;

/// A contact as the administrator sees it.
struct ContactRow {
    RosterItem item;
};

json::object to_json(const ContactRow& row) {
    const RosterItem& item = row.item;
    json::array groups;
    for (const std::string& group : item.groups) groups.emplace_back(utf8(group));
    return {{"jid", utf8(item.jid.bare())},          {"name", utf8(item.name)},
            {"groups", std::move(groups)},           {"subscription", utf8(item.state.name())},
            {"pending_out", item.state.pending_out}, {"pending_in", item.state.pending_in},
            {"approved", item.state.approved},       {"listed", item.listed}};
}

/// What the store has of an account's contacts; `then` is called on the control thread, and not
/// where the request has been answered with the reason why not.
void with_roster(const CommandRequest& request, std::function<void(const Roster&)> then) {
    const auto account = control::account_of(request.text("jid"));
    if (!account) {
        request.reply(account.error());
        return;
    }
    Store& store = request.host.shared->store;
    Executor& home = *request.host.home;
    control::if_account(
        request.host.operations, store, home, *account,
        [reply = request.reply](const Outcome& absent) { reply(absent); },
        [&store, &home, reply = request.reply, bare = std::string(account->bare()),
         then = std::move(then)] {
            store.map_list(std::string(Roster::store_name), bare, home,
                           [reply, bare, then](const Result<std::vector<MapEntry>>& entries) {
                               if (entries) {
                                   then(Roster::from_store(bare, *entries));
                               } else {
                                   reply(entries.error());
                               }
                           });
        });
}

/// The roster proper, which is bounded, as rows like every other list.
void show_roster(const CommandRequest& request) {
    with_roster(request, [reply = request.reply](const Roster& roster) {
        control::Page<ContactRow> page;
        for (const auto& [key, item] : roster.items()) {
            if (item.listed) page.rows.push_back({item});
        }
        control::list_whole(reply, std::move(page));
    });
}

/// Subscriptions between the accounts here and one other domain, found page by page in the rosters
/// of all of them.
class DomainSubscriptions : public std::enable_shared_from_this<DomainSubscriptions> {
public:
    /// Pairs that are told.
    static constexpr std::size_t limit = 10'000;

    DomainSubscriptions(Store& store, Executor& home, std::string domain, control::Reply reply)
        : store_(store), home_(home), domain_(std::move(domain)), reply_(std::move(reply)) {}

    void next() {
        store_.map_scan(std::string(Roster::store_name), owner_, key_, page, home_,
                        [self = shared_from_this()](const Result<std::vector<MapEntry>>& entries) {
                            self->take(entries);
                        });
    }

private:
    static constexpr std::size_t page = 1000;

    void take(const Result<std::vector<MapEntry>>& entries) {
        if (!entries) {
            reply_(entries.error());
            return;
        }
        for (const MapEntry& entry : *entries) {
            if (concerns(entry.key)) add(entry);
        }
        if (entries->size() < page || here_to_there_.size() + there_to_here_.size() >= limit) {
            finish(entries->size() == page);
            return;
        }
        owner_ = entries->back().owner;
        key_ = entries->back().key;
        if (!reply_.cancelled()) next();
    }

    /// The key of an item is the contact's address.
    [[nodiscard]] bool concerns(std::string_view contact) const {
        if (!contact.ends_with(domain_)) return false;
        contact.remove_suffix(domain_.size());
        return contact.empty() || contact.ends_with('@');
    }

    void add(const MapEntry& entry) {
        const Roster one = Roster::from_store(entry.owner, {entry});
        for (const auto& [key, item] : one.items()) {
            const json::object pair{{"here", utf8(entry.owner)}, {"there", utf8(item.jid.bare())}};
            if (item.state.to) here_to_there_.emplace_back(pair);
            if (item.state.from) there_to_here_.emplace_back(pair);
        }
    }

    void finish(bool more) {
        reply_(json::value(json::object{{"domain", utf8(domain_)},
                                        {"here_to_there", std::move(here_to_there_)},
                                        {"there_to_here", std::move(there_to_here_)},
                                        {"more", more}}));
    }

    Store& store_;
    Executor& home_;
    const std::string domain_;
    const control::Reply reply_;
    std::string owner_, key_;  ///< where the last page ended
    json::array here_to_there_, there_to_here_;
};

/// Contacts by what the subscription lets whom see.
void show_subscriptions(const CommandRequest& request) {
    if (request.has("domain") == request.has("jid")) {
        request.reply(Outcome::malformed(
            "name either an account, or a domain with --domain, such as --domain example.org"));
        return;
    }
    const std::string jid = request.text("jid");
    if (request.has("jid") && jid.find('@') == std::string::npos && prepare_domain(jid)) {
        request.reply(Outcome::malformed(fmt::format(
            "\"{}\" is not the address of an account, such as juliet@example.org; for a "
            "domain: subscriptions --domain {}",
            jid, jid)));
        return;
    }
    if (request.has("domain")) {
        const auto domain = prepare_domain(request.text("domain"));
        if (!domain) {
            request.reply(Outcome::malformed(fmt::format(
                "\"{}\" is not a domain: {}", request.text("domain"), domain.error().why())));
            return;
        }
        std::make_shared<DomainSubscriptions>(request.host.shared->store, *request.host.home,
                                              *domain, request.reply)
            ->next();
        return;
    }
    with_roster(request, [reply = request.reply, jid](const Roster& roster) {
        json::array subscribers, subscribed_to, pending_in, pending_out, approved;
        for (const auto& [key, item] : roster.items()) {
            const auto add_if = [&item = item](bool condition, json::array& list) {
                if (condition) list.emplace_back(utf8(item.jid.bare()));
            };
            add_if(item.state.from, subscribers);
            add_if(item.state.to, subscribed_to);
            add_if(item.state.pending_in, pending_in);
            add_if(item.state.pending_out, pending_out);
            add_if(item.state.approved, approved);
        }
        json::object lists{{"jid", utf8(jid)},
                           {"subscribers", std::move(subscribers)},
                           {"subscribed_to", std::move(subscribed_to)},
                           {"pending_in", std::move(pending_in)},
                           {"pending_out", std::move(pending_out)},
                           {"approved", std::move(approved)}};
        reply(json::value(std::move(lists)));
    });
}

constexpr std::array of_account{control::jid_param("the account")};
constexpr std::array of_account_or_domain{
    control::jid_param("the account", false),
    control::Param{.name = "domain",
                   .required = false,
                   .doc = "instead of an account: those between all accounts here and that domain",
                   .at_most = control::domain_bytes,
                   .option = true}};
constexpr std::array contact_row{
    Field{"JID", "{jid}"},
    Field{"NAME", "{name}"},
    Field{"SUBSCRIPTION", "{subscription}"},
    Field{"PENDING", "{pending_out?asked};{pending_in?asks};{approved?approved}"},
    Field{"GROUPS", "{groups:list}"},
};
constexpr std::array subscription_sheet{
    Field{.title = "account", .text = "{jid}", .when = "jid"},
    Field{"subscribed to it", "{}", "subscribers"},
    Field{"it is subscribed to", "{}", "subscribed_to"},
    Field{"ask it", "{}", "pending_in"},
    Field{"it asked", "{}", "pending_out"},
    Field{"approved in advance", "{}", "approved"},
    Field{.title = "domain", .text = "{domain}", .when = "domain"},
    Field{"subscribed there", "{here} to {there}", "here_to_there"},
    Field{"subscribed here", "{there} to {here}", "there_to_here"},
    Field{.title = "not shown", .text = "there are more", .when = "more"},
};
}  // namespace

extern constinit const std::array<control::Command, 2> roster_commands{
    control::Command{.name = "roster.show",
                     .params = of_account,
                     .doc = "the contacts of an account",
                     .streams = true,
                     .run = show_roster,
                     .view = {.fields = contact_row, .empty = "no contacts"}},
    control::Command{.name = "subscriptions",
                     .params = of_account_or_domain,
                     .doc = "who is subscribed to an account, and to whom it is subscribed; or who "
                            "here is to whom at another domain",
                     .run = show_subscriptions,
                     .view = {.fields = subscription_sheet}},
};

}  // namespace causeway
