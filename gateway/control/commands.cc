// The verbs that every server has; see commands.h. Each function below adds the rows of one noun.
// A handler reads parameters that the table has checked, calls one operation and shapes its answer.
#include "gateway/control/commands.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/control/listing.h"
#include "gateway/control/rows.h"

namespace causeway::control {

namespace json = boost::json;

namespace {

/// An address has at most three parts of 1023 bytes and two separators (RFC 7622 §3.1).
constexpr std::uint64_t jid_bytes = 3071;
constexpr std::uint64_t domain_bytes = 1023;
constexpr std::uint64_t password_bytes = 1023;
/// Beyond this a login would take seconds of processor time.
constexpr std::uint64_t most_iterations = 10'000'000;
constexpr std::uint64_t accounts_per_request = 1000;
constexpr std::uint64_t longest_drain_seconds = 86'400;

Param text(std::string name, std::uint64_t at_most, std::string doc, bool required = true) {
    return {std::move(name), ParamType::string, required, std::move(doc), at_most};
}

Param jid(std::string doc, bool required = true) {
    return text("jid", jid_bytes, std::move(doc), required);
}

Param remote_domain() { return text("domain", domain_bytes, "the remote domain"); }

Param password() { return text("password", password_bytes, "the password"); }

Param iterations() {
    return {"iterations", ParamType::integer, false,
            "iterations of the stored SCRAM keys; 0 or left out: the configured number",
            most_iterations};
}

std::string string_of(const json::value& value) {
    const json::string& string = value.get_string();
    return {string.data(), string.size()};
}

/// The parameter's value; empty if it is optional and was left out.
std::string string_of(const json::object& params, std::string_view name) {
    const json::value* value = params.if_contains({name.data(), name.size()});
    return value == nullptr ? std::string() : string_of(*value);
}

std::optional<std::uint32_t> number_of(const json::object& params, std::string_view name) {
    const json::value* value = params.if_contains({name.data(), name.size()});
    if (value == nullptr) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value->get_int64());
}

/// Answers `result` when the operation is done, or its failure.
Done answer_with(Reply reply, json::object result) {
    return [reply = std::move(reply), result = std::move(result)](const Outcome& outcome) {
        if (outcome.ok()) {
            reply(json::value(result));
        } else {
            reply(outcome);
        }
    };
}

/// Answers the JSON form of what the operation answers.
template <class T>
Answer<T> answer_row(Reply reply) {
    return [reply = std::move(reply)](const Result<T>& result) {
        if (result) {
            reply(json::value(to_json(*result)));
        } else {
            reply(result.error());
        }
    };
}

/// Answers `result` with the number that the operation answers as `member`.
Answer<std::uint64_t> answer_count(Reply reply, json::object result, std::string member) {
    return [reply = std::move(reply), result = std::move(result),
            member = std::move(member)](const Result<std::uint64_t>& count) {
        if (!count) {
            reply(count.error());
            return;
        }
        json::object object = result;
        object.emplace(member, *count);
        reply(json::value(std::move(object)));
    };
}

/// Adds rows until one fails, and remembers that failure.
class Adder {
public:
    explicit Adder(CommandTable& table) : table_(table) {}

    /// A command that only looks.
    void look(std::string name, std::vector<Param> params, std::string doc, Command::Handler run) {
        add({std::move(name), std::move(params), std::move(doc), false, false, std::move(run)});
    }
    /// A command that looks, and answers with "rows" notifications.
    void list(std::string name, std::vector<Param> params, std::string doc, Command::Handler run) {
        add({std::move(name), std::move(params), std::move(doc), false, true, std::move(run)});
    }
    /// A command that changes something.
    void change(std::string name, std::vector<Param> params, std::string doc,
                Command::Handler run) {
        add({std::move(name), std::move(params), std::move(doc), true, false, std::move(run)});
    }
    [[nodiscard]] const Outcome& outcome() const { return outcome_; }

private:
    void add(Command command) {
        if (outcome_.ok()) {
            outcome_ = table_.add(std::move(command));
        }
    }
    CommandTable& table_;
    Outcome outcome_;
};

NewAccount account_of(const json::object& params) {
    return {string_of(params, "jid"), string_of(params, "password")};
}

json::object naming(const json::object& params, std::string_view name) {
    const json::string_view key(name.data(), name.size());
    json::object object;
    object.emplace(key, params.at(key));
    return object;
}

void add_users(const json::object& params, Reply reply, Operations& operations) {
    std::vector<NewAccount> accounts;
    const json::array& given = params.at("accounts").get_array();
    accounts.reserve(given.size());
    for (const json::value& account : given) {
        const json::array& pair = account.get_array();
        accounts.push_back({string_of(pair[0]), string_of(pair[1])});
    }
    operations.add_users(std::move(accounts), number_of(params, "iterations").value_or(0),
                         answer_row<BulkResult>(std::move(reply)));
}

void add_user_changes(Adder& to, Operations& operations) {
    to.change("user.add", {jid("the new account"), password(), iterations()}, "adds an account",
              [&operations](const json::object& params, Reply reply) {
                  operations.add_user(account_of(params),
                                      number_of(params, "iterations").value_or(0),
                                      answer_with(std::move(reply), naming(params, "jid")));
              });
    to.change("user.add_bulk",
              {{"accounts", ParamType::accounts, true, "the new accounts, each [jid, password]",
                accounts_per_request},
               iterations()},
              "adds many accounts, each on its own",
              [&operations](const json::object& params, Reply reply) {
                  add_users(params, std::move(reply), operations);
              });
    to.change(
        "user.passwd", {jid("the account"), password(), iterations()},
        "sets the password of an account", [&operations](const json::object& params, Reply reply) {
            operations.set_password(account_of(params), number_of(params, "iterations").value_or(0),
                                    answer_with(std::move(reply), naming(params, "jid")));
        });
    to.change("user.remove", {jid("the account")},
              "removes an account and everything stored for it",
              [&operations](const json::object& params, Reply reply) {
                  operations.remove_user(string_of(params, "jid"),
                                         answer_with(std::move(reply), naming(params, "jid")));
              });
    for (const bool disabled : {true, false}) {
        to.change(disabled ? "user.disable" : "user.enable", {jid("the account")},
                  disabled ? "ends an account's sessions and lets it log in no more"
                           : "lets a disabled account log in again",
                  [&operations, disabled](const json::object& params, Reply reply) {
                      json::object result = naming(params, "jid");
                      result.emplace("disabled", disabled);
                      operations.set_user_disabled(
                          string_of(params, "jid"), disabled,
                          answer_with(std::move(reply), std::move(result)));
                  });
    }
}

void add_user_views(Adder& to, Operations& operations) {
    to.list("user.list", {text("domain", domain_bytes, "only this domain's", false)},
            "accounts, by address", [&operations](const json::object& params, Reply reply) {
                list<UserRow>(std::move(reply),
                              [&operations, domain = string_of(params, "domain")](
                                  PageRequest page, Answer<Page<UserRow>> answer) {
                                  operations.list_users(domain, std::move(page), std::move(answer));
                              });
            });
    to.look("user.show", {jid("the account")}, "one account",
            [&operations](const json::object& params, Reply reply) {
                operations.show_user(string_of(params, "jid"),
                                     answer_row<UserDetail>(std::move(reply)));
            });
}

void add_sessions(Adder& to, Operations& operations) {
    to.list("session.list", {jid("only this account's, or this one session", false)},
            "sessions of clients", [&operations](const json::object& params, Reply reply) {
                list<SessionRow>(
                    std::move(reply), [&operations, jid = string_of(params, "jid")](
                                          PageRequest page, Answer<Page<SessionRow>> answer) {
                        operations.list_sessions(jid, std::move(page), std::move(answer));
                    });
            });
    to.change("session.kill", {jid("the session, as a full JID")}, "ends a session for good",
              [&operations](const json::object& params, Reply reply) {
                  operations.kill_session(string_of(params, "jid"),
                                          answer_with(std::move(reply), naming(params, "jid")));
              });
}

bool receives_from_contact(const ContactRow& contact) {
    return contact.subscription == "to" || contact.subscription == "both";
}

bool sends_to_contact(const ContactRow& contact) {
    return contact.subscription == "from" || contact.subscription == "both";
}

/// The contacts' addresses, sorted by what the subscription lets whom see.
json::object subscriptions_of(std::string_view jid, const std::vector<ContactRow>& contacts) {
    json::array subscribers;
    json::array subscribed_to;
    json::array pending_in;
    json::array pending_out;
    json::array approved;
    for (const ContactRow& contact : contacts) {
        const auto add_if = [&contact](bool condition, json::array& list) {
            if (condition) {
                list.emplace_back(utf8(contact.jid));
            }
        };
        add_if(sends_to_contact(contact), subscribers);
        add_if(receives_from_contact(contact), subscribed_to);
        add_if(contact.pending_in, pending_in);
        add_if(contact.pending_out, pending_out);
        add_if(contact.approved, approved);
    }
    return {{"jid", utf8(jid)},
            {"subscribers", std::move(subscribers)},
            {"subscribed_to", std::move(subscribed_to)},
            {"pending_in", std::move(pending_in)},
            {"pending_out", std::move(pending_out)},
            {"approved", std::move(approved)}};
}

/// The roster proper, which is bounded, as rows like every other list.
void show_roster(std::string jid, Reply reply, Operations& operations) {
    list<ContactRow>(std::move(reply), [&operations, jid = std::move(jid)](
                                           const PageRequest&, Answer<Page<ContactRow>> answer) {
        operations.list_contacts(
            jid, [answer = std::move(answer)](Result<std::vector<ContactRow>> contacts) {
                if (!contacts) {
                    answer(contacts.error());
                    return;
                }
                std::erase_if(*contacts, [](const ContactRow& row) { return !row.listed; });
                answer(Page<ContactRow>{std::move(*contacts), {}});
            });
    });
}

void add_contacts(Adder& to, Operations& operations) {
    to.list("roster.show", {jid("the account")}, "the contacts of an account",
            [&operations](const json::object& params, Reply reply) {
                show_roster(string_of(params, "jid"), std::move(reply), operations);
            });
    to.look("subscriptions", {jid("the account")},
            "who is subscribed to an account, and to whom it is subscribed",
            [&operations](const json::object& params, Reply reply) {
                std::string jid = string_of(params, "jid");
                operations.list_contacts(jid, [jid, reply = std::move(reply)](
                                                  const Result<std::vector<ContactRow>>& contacts) {
                    if (contacts) {
                        reply(json::value(subscriptions_of(jid, *contacts)));
                    } else {
                        reply(contacts.error());
                    }
                });
            });
}

void add_peers(Adder& to, Operations& operations) {
    to.list("peer.list", {}, "streams with other servers, and attempts at them",
            [&operations](const json::object&, Reply reply) {
                list<PeerRow>(std::move(reply),
                              [&operations](PageRequest page, Answer<Page<PeerRow>> answer) {
                                  operations.list_peers(std::move(page), std::move(answer));
                              });
            });
    to.look("peer.show", {remote_domain()}, "all that is known of one remote domain",
            [&operations](const json::object& params, Reply reply) {
                operations.show_peer(string_of(params, "domain"),
                                     answer_row<PeerDetail>(std::move(reply)));
            });
    to.change("peer.close", {remote_domain()}, "closes every stream with a domain",
              [&operations](const json::object& params, Reply reply) {
                  operations.close_peer(
                      string_of(params, "domain"),
                      answer_count(std::move(reply), naming(params, "domain"), "closed"));
              });
    to.change("peer.retry", {remote_domain()}, "tries to reach a domain now",
              [&operations](const json::object& params, Reply reply) {
                  operations.retry_peer(string_of(params, "domain"),
                                        answer_with(std::move(reply), naming(params, "domain")));
              });
}

void show_queue(const std::string& domain, Reply reply, Operations& operations) {
    list<QueuedStanza>(
        std::move(reply),
        [&operations, domain](PageRequest page, Answer<Page<QueuedStanza>> answer) {
            operations.show_queue(domain, std::move(page), std::move(answer));
        },
        Outcome::absent("nothing is queued for " + domain));
}

void add_queues(Adder& to, Operations& operations) {
    to.list("queue.list", {}, "domains for which stanzas wait",
            [&operations](const json::object&, Reply reply) {
                list<QueueRow>(std::move(reply),
                               [&operations](PageRequest page, Answer<Page<QueueRow>> answer) {
                                   operations.list_queues(std::move(page), std::move(answer));
                               });
            });
    to.list("queue.show", {remote_domain()}, "the stanzas that wait for a domain, oldest first",
            [&operations](const json::object& params, Reply reply) {
                show_queue(string_of(params, "domain"), std::move(reply), operations);
            });
    to.change("queue.drop", {remote_domain()},
              "drops the stanzas that wait for a domain, without errors to their senders",
              [&operations](const json::object& params, Reply reply) {
                  operations.drop_queue(
                      string_of(params, "domain"),
                      answer_count(std::move(reply), naming(params, "domain"), "dropped"));
              });
}

void reload(Reply reply, Operations& operations) {
    operations.reload([reply = std::move(reply)](const Result<std::vector<ReloadChange>>& changes) {
        if (!changes) {
            reply(changes.error());
            return;
        }
        json::object result;
        result.emplace("changes", to_json(*changes));
        reply(json::value(std::move(result)));
    });
}

void add_server(Adder& to, Operations& operations) {
    to.look("status", {}, "the server at a glance",
            [&operations](const json::object&, Reply reply) {
                operations.status(answer_row<Status>(std::move(reply)));
            });
    to.change(
        "reload", {}, "reads configuration and certificates again, says what it changed",
        [&operations](const json::object&, Reply reply) { reload(std::move(reply), operations); });
    to.change("log.level", {text("level", 16, "error, warn, info or debug")},
              "sets how much is logged", [&operations](const json::object& params, Reply reply) {
                  operations.set_log_level(string_of(params, "level"),
                                           answer_with(std::move(reply), naming(params, "level")));
              });
    to.change("shutdown",
              {{"drain", ParamType::integer, false,
                "seconds to let streams end in order; left out: the configured time",
                longest_drain_seconds}},
              "ends the server; the connection closes once it is down",
              [&operations](const json::object& params, Reply reply) {
                  json::object result;
                  result.emplace("draining", true);
                  operations.shutdown(number_of(params, "drain"),
                                      answer_with(std::move(reply), std::move(result)));
              });
}

}  // namespace

Outcome add_commands(CommandTable& table, Operations& operations) {
    Adder to(table);
    add_server(to, operations);
    add_user_changes(to, operations);
    add_user_views(to, operations);
    add_sessions(to, operations);
    add_contacts(to, operations);
    add_peers(to, operations);
    add_queues(to, operations);
    return to.outcome();
}

}  // namespace causeway::control
