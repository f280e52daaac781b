// How each answer looks to people; see views.h. One function for each answer, one row of `all`
// below for each method.
#include "tools/ctl/views.h"

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tools/ctl/fields.h"
#include "tools/ctl/text.h"

namespace causeway::ctl {

namespace json = boost::json;

namespace {

/// One column of a list: its heading and how a row fills it.
struct Column {
    const char* title;
    std::function<std::string(const Fields&)> cell;
    bool right = false;
};

Column text(const char* title, const char* name) {
    return {title, [name](const Fields& row) { return row.cell(name); }};
}
Column ago(const char* title, const char* name) {
    return {title, [name](const Fields& row) { return row.ago(name); }};
}
Column ahead(const char* title, const char* name) {
    return {title, [name](const Fields& row) { return row.ahead(name); }};
}
Column count(const char* title, const char* name) {
    return {title, [name](const Fields& row) { return row.count(name); }, true};
}
Column bytes(const char* title, const char* name) {
    return {title, [name](const Fields& row) { return row.bytes(name); }, true};
}
Column tls() {
    return {"TLS", [](const Fields& row) { return row.tls(); }};
}

std::string table(const std::vector<Column>& columns, const json::array& rows, const Fields& from,
                  const char* if_empty) {
    std::vector<Table::Column> headings;
    headings.reserve(columns.size());
    for (const Column& column : columns) {
        headings.push_back({column.title, column.right});
    }
    Table lines(std::move(headings));
    for (const json::value& row : rows) {
        std::vector<std::string> cells;
        cells.reserve(columns.size());
        for (const Column& column : columns) {
            cells.push_back(column.cell(from.of(row)));
        }
        lines.add(std::move(cells));
    }
    return lines.empty() ? std::string(if_empty) + "\n" : lines.render();
}

std::string sentence(std::string_view words) { return harmless(words) + "\n"; }

std::string expiry(const Fields& domain) {
    const std::int64_t at = domain.time("certificate_expires");
    if (at == 0) {
        return "no certificate";
    }
    const std::int64_t left = at - domain.now();
    return "certificate " +
           (left < 0 ? "EXPIRED " + age(-left) + " ago" : "expires in " + age(left)) + " (" +
           date(at) + ")";
}

void add_parts(Sheet& sheet, const Fields& status) {
    std::string name = "domains";
    for (const json::value& element : status.array("domains")) {
        const Fields domain = status.of(element);
        const std::string issuer = domain.text("certificate_issuer");
        sheet.add(std::exchange(name, ""), domain.text("name") + "  sessions " +
                                               domain.count("sessions") + ", " + expiry(domain) +
                                               (issuer.empty() ? "" : ", issued by " + issuer));
    }
    name = "listeners";
    for (const json::value& element : status.array("listeners")) {
        const Fields listener = status.of(element);
        sheet.add(std::exchange(name, ""), listener.text("address") + "  " + listener.text("kind"));
    }
}

std::string status(const Fields& status, const json::array&) {
    Sheet sheet;
    sheet.add("version", status.text("version"));
    sheet.add("up", age(status.time("now") - status.time("started")) +
                        (status.flag("draining") ? ", draining" : "") + ", process " +
                        std::to_string(status.number("process")) + ", shards " +
                        status.count("shards") + ", memory " + status.bytes("resident_bytes"));
    if (status.number("log_dropped") != 0) {
        sheet.add("log", status.count("log_dropped") + " events dropped: standard error is slow");
    }
    sheet.add("sessions", status.count("sessions") + ", detached " +
                              status.count("sessions_detached") + ", negotiating " +
                              status.count("connections_negotiating"));
    sheet.add("peers", "inbound " + status.count("peers_inbound") + ", outbound " +
                           status.count("peers_outbound") + ", connecting " +
                           status.count("peers_connecting"));
    sheet.add("queues", status.count("queued_stanzas") + " stanzas (" +
                            status.bytes("queued_bytes") + ") for " +
                            status.count("queued_domains") + " domains");
    add_parts(sheet, status);
    return sheet.render();
}

std::string users(const Fields& all, const json::array& rows) {
    const Column state{"STATE", [](const Fields& row) {
                           return std::string(row.flag("disabled") ? "disabled" : "enabled");
                       }};
    return table({text("JID", "jid"), state, ago("AGE", "created")}, rows, all, "no accounts");
}

std::string user(const Fields& user, const json::array&) {
    Sheet sheet;
    sheet.add("account", user.text("jid"));
    sheet.add("state", user.flag("disabled") ? "disabled" : "enabled");
    sheet.add("created", user.time("created") == 0
                             ? "-"
                             : date(user.time("created")) + ", " + user.ago("created") + " ago");
    sheet.add("keys", user.joined("mechanisms") + ", " + user.count("iterations") + " iterations");
    sheet.add("sessions", user.count("sessions"));
    sheet.add("contacts", user.count("contacts"));
    sheet.add("offline",
              user.count("offline_stanzas") + " stanzas, " + user.bytes("offline_bytes"));
    return sheet.render();
}

std::string sessions(const Fields& all, const json::array& rows) {
    const Column priority{"PRIORITY",
                          [](const Fields& row) { return row.signed_number("priority"); }, true};
    return table({text("JID", "jid"), text("RESOURCE", "resource"), text("STATE", "state"),
                  priority, text("TRANSPORT", "transport"), tls(), text("ADDRESS", "address"),
                  ago("SINCE", "since"), count("UNACKED", "unacked")},
                 rows, all, "no sessions");
}

std::string contact_state(const Fields& row) {
    std::string state;
    const auto add = [&](const char* flag, const char* words) {
        if (row.flag(flag)) {
            state += (state.empty() ? "" : ", ") + std::string(words);
        }
    };
    add("pending_out", "asked");
    add("pending_in", "asks");
    add("approved", "approved");
    return state.empty() ? "-" : state;
}

std::string roster(const Fields& all, const json::array& rows) {
    const Column groups{"GROUPS", [](const Fields& row) { return row.joined("groups"); }};
    return table({text("JID", "jid"),
                  text("NAME", "name"),
                  text("SUBSCRIPTION", "subscription"),
                  {"PENDING", contact_state},
                  groups},
                 rows, all, "no contacts");
}

std::string subscriptions(const Fields& answer, const json::array&) {
    static constexpr std::array<std::pair<const char*, const char*>, 5> lists{
        {{"subscribers", "subscribed to it"},
         {"subscribed_to", "it is subscribed to"},
         {"pending_in", "ask it"},
         {"pending_out", "it asked"},
         {"approved", "approved in advance"}}};
    Sheet sheet;
    sheet.add("account", answer.text("jid"));
    for (const auto& [member, title] : lists) {
        std::string name = title;
        for (const json::value& contact : answer.array(member)) {
            const json::string* jid = contact.if_string();
            sheet.add(std::exchange(name, ""), jid == nullptr ? "" : std::string(jid->c_str()));
        }
        if (!name.empty()) {
            sheet.add(name, "-");
        }
    }
    return sheet.render();
}

std::string peers(const Fields& all, const json::array& rows) {
    return table({text("DOMAIN", "domain"), text("LOCAL", "local"), text("DIRECTION", "direction"),
                  text("STATE", "state"), text("AUTHENTICATION", "authentication"), tls(),
                  text("TARGET", "target"), text("ADDRESS", "address"), ago("SINCE", "since"),
                  count("QUEUED", "queued"), text("LAST ERROR", "last_error")},
                 rows, all, "no peers");
}

void add_link(Sheet& sheet, const Fields& link) {
    sheet.add(link.text("direction"),
              link.text("state") + " for " + link.ago("since") + ", as " + link.text("local"));
    sheet.add("  authentication", link.cell("authentication"));
    sheet.add("  TLS", link.tls());
    sheet.add("  target", link.cell("target"));
    sheet.add("  address", link.cell("address"));
    sheet.add("  queued", link.count("queued"));
    if (link.time("next_retry") != 0) {
        sheet.add("  next try", link.ahead("next_retry"));
    }
    if (!link.text("last_error").empty()) {
        const bool timed = link.time("last_error_at") != 0;
        sheet.add("  last error", link.text("last_error") +
                                      (timed ? " (" + link.ago("last_error_at") + " ago)" : ""));
    }
}

void add_target(Sheet& sheet, std::string name, const Fields& target) {
    std::string words = target.text("host") + ":" + std::to_string(target.number("port")) +
                        (target.flag("direct_tls") ? " direct TLS" : " STARTTLS") + ", priority " +
                        std::to_string(target.number("priority")) + ", weight " +
                        std::to_string(target.number("weight")) + ", " + target.joined("addresses");
    const std::string error = target.text("last_error");
    sheet.add(std::move(name), words + (error.empty() ? "" : ": " + error));
}

std::string peer(const Fields& peer, const json::array&) {
    Sheet sheet;
    sheet.add("domain", peer.text("domain"));
    for (const json::value& link : peer.array("links")) {
        add_link(sheet, peer.of(link));
    }
    std::string name = "targets";
    for (const json::value& target : peer.array("targets")) {
        add_target(sheet, std::exchange(name, ""), peer.of(target));
    }
    const Fields queue = peer.member("queue");
    sheet.add("queue", queue.number("stanzas") == 0
                           ? "empty"
                           : queue.count("stanzas") + " stanzas, " + queue.bytes("bytes") +
                                 ", oldest " + queue.ago("oldest") + ", next try " +
                                 queue.ahead("next_retry"));
    return sheet.render();
}

std::string queues(const Fields& all, const json::array& rows) {
    return table({text("DOMAIN", "domain"), count("STANZAS", "stanzas"), bytes("SIZE", "bytes"),
                  ago("OLDEST", "oldest"), count("ATTEMPTS", "attempts"),
                  ahead("NEXT TRY", "next_retry"), text("LAST ERROR", "last_error")},
                 rows, all, "nothing is queued");
}

std::string queue(const Fields& all, const json::array& rows) {
    const Column id{"ID", [](const Fields& row) { return std::to_string(row.number("id")); }, true};
    return table(
        {id, text("FROM", "from"), text("TO", "to"), text("KIND", "kind"), ago("AGE", "at"),
         ahead("EXPIRES", "expires"), count("ATTEMPTS", "attempts"), bytes("SIZE", "bytes")},
        rows, all, "nothing is queued");
}

std::string changes(const Fields& answer, const json::array&) {
    return table({text("OPTION", "option"), text("APPLIES", "applies")}, answer.array("changes"),
                 answer, "read again, nothing changed");
}

std::string parameters(const Fields& command) {
    std::string out;
    for (const json::value& element : command.array("params")) {
        const Fields param = command.of(element);
        const std::string name = param.text("name");
        out += (out.empty() ? "" : " ") + (param.flag("required") ? name : "[" + name + "]");
    }
    return out.empty() ? "-" : out;
}

std::string help(const Fields& answer, const json::array&) {
    return table({text("METHOD", "name"), {"PARAMETERS", parameters}, text("DOES", "doc")},
                 answer.array("commands"), answer, "no methods");
}

/// A change says what it did; `named` is the member that says to what.
template <const char* before, const char* named, const char* after>
std::string done(const Fields& answer, const json::array&) {
    return sentence(before + answer.text(named) + after);
}

std::string peer_closed(const Fields& answer, const json::array&) {
    return sentence("closed streams with " + answer.text("domain") + ": " + answer.count("closed"));
}

std::string queue_dropped(const Fields& answer, const json::array&) {
    return sentence("dropped stanzas for " + answer.text("domain") + ": " +
                    answer.count("dropped"));
}

constexpr char jid[] = "jid";
constexpr char domain[] = "domain";
constexpr char level[] = "level";
constexpr char added[] = "added ";
constexpr char password_set[] = "password set for ";
constexpr char removed[] = "removed ";
constexpr char disabled[] = "disabled ";
constexpr char enabled[] = "enabled ";
constexpr char ended[] = "ended ";
constexpr char trying[] = "trying ";
constexpr char log_level[] = "log level ";
constexpr char now_word[] = " now";
constexpr char nothing[] = "";

struct View {
    std::string_view method;
    std::string (*show)(const Fields& result, const json::array& rows);
};

constexpr std::array all{
    View{"help", help},
    View{"log.level", done<log_level, level, nothing>},
    View{"peer.close", peer_closed},
    View{"peer.list", peers},
    View{"peer.retry", done<trying, domain, now_word>},
    View{"peer.show", peer},
    View{"queue.drop", queue_dropped},
    View{"queue.list", queues},
    View{"queue.show", queue},
    View{"reload", changes},
    View{"roster.show", roster},
    View{"session.kill", done<ended, jid, nothing>},
    View{"session.list", sessions},
    View{"status", status},
    View{"subscriptions", subscriptions},
    View{"user.add", done<added, jid, nothing>},
    View{"user.disable", done<disabled, jid, nothing>},
    View{"user.enable", done<enabled, jid, nothing>},
    View{"user.list", users},
    View{"user.passwd", done<password_set, jid, nothing>},
    View{"user.remove", done<removed, jid, nothing>},
    View{"user.show", user},
};

}  // namespace

std::string view(const Shown& shown) {
    const Fields result(shown.result, shown.now);
    for (const View& candidate : all) {
        if (candidate.method == shown.method) {
            return candidate.show(result, shown.rows);
        }
    }
    return json::serialize(shown.result) + "\n";
}

}  // namespace causeway::ctl
