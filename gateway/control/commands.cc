// The commands about the process as a whole; see commands.h. A handler reads parameters that the
// table has checked, calls one operation and shapes its answer.
#include "gateway/control/commands.h"

#include <array>
#include <utility>
#include <vector>

#include "gateway/control/answers.h"
#include "gateway/control/rows.h"

namespace causeway::control {

namespace json = boost::json;

namespace {

constexpr std::uint64_t longest_drain_seconds = 86'400;

void status(const CommandRequest& request) {
    request.host.operations.status(answer_row<Status>(request.reply));
}

void reload(const CommandRequest& request) {
    request.host.operations.reload(
        [reply = request.reply](const Result<std::vector<ReloadChange>>& changes) {
            if (!changes) {
                reply(changes.error());
                return;
            }
            json::object result;
            result.emplace("changes", to_json(*changes));
            reply(json::value(std::move(result)));
        });
}

void set_log_level(const CommandRequest& request) {
    request.host.operations.set_log_level(request.text("level"),
                                          answer_with(request.reply, request.naming("level")));
}

void shut_down(const CommandRequest& request) {
    json::object result;
    result.emplace("draining", true);
    request.host.operations.shutdown(request.number("drain"),
                                     answer_with(request.reply, std::move(result)));
}

constexpr std::array status_fields{
    Field{"version", "{version}"},
    Field{"up",
          "{started:ago};{draining?draining};process {process:number};shards {shards:count};"
          "memory {resident_bytes:bytes}"},
    Field{.title = "log",
          .text = "{log_dropped:count} events dropped: standard error is slow",
          .when = "log_dropped"},
    Field{.title = "store",
          .text = "the last commit FAILED: {store_failure};{store_failed:count} since the start",
          .when = "store_failure"},
    Field{"sessions",
          "{sessions:count};detached {sessions_detached:count};"
          "negotiating {connections_negotiating:count}"},
    Field{"peers",
          "inbound {peers_inbound:count};outbound {peers_outbound:count};"
          "connecting {peers_connecting:count}"},
    Field{
        "queues",
        "{queued_stanzas:count} stanzas ({queued_bytes:bytes}) for {queued_domains:count} domains"},
    Field{.title = "domains",
          .text = "{name}  sessions {sessions:count};{certificate_expires!no certificate};"
                  "certificate {certificate_expires:expiry};issued by {certificate_issuer}",
          .each = "domains"},
    Field{.title = "listeners", .text = "{address}  {kind}", .each = "listeners"},
};
constexpr std::array changed_option{Field{"OPTION", "{option}"}, Field{"APPLIES", "{applies}"}};
constexpr std::array level{
    Param{"level", ParamType::string, true, "error, warn, info or debug", 16}};
constexpr std::array drain{Param{.name = "drain",
                                 .type = ParamType::integer,
                                 .required = false,
                                 .doc = "seconds to let streams end in order; left out: the "
                                        "configured time",
                                 .at_most = longest_drain_seconds,
                                 .option = true}};

constexpr std::array commands{
    Command{.name = "status",
            .doc = "the server at a glance",
            .run = status,
            .view = {.fields = status_fields}},
    Command{.name = "reload",
            .doc = "reads configuration and certificates again, says what it changed",
            .mutates = true,
            .run = reload,
            .view = {.fields = changed_option,
                     .rows = "changes",
                     .empty = "read again, nothing changed"}},
    Command{.name = "log.level",
            .params = level,
            .doc = "sets how much is logged",
            .mutates = true,
            .run = set_log_level,
            .view = {.sentence = "log level {level}"}},
    Command{.name = "shutdown",
            .params = drain,
            .doc = "ends the server; the connection closes once it is down",
            .mutates = true,
            .run = shut_down,
            .view = {.sentence = "draining"}},
};

}  // namespace

std::span<const Command> process_commands() { return commands; }

Outcome add_engine_commands(CommandTable& table) {
    for (const auto rows :
         {process_commands(), user_commands(), peer_commands(), store_commands()}) {
        if (Outcome added = table.add(rows); !added) {
            return added;
        }
    }
    return {};
}

}  // namespace causeway::control
