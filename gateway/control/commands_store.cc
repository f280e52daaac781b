// The commands about the store as a whole: a copy of it, and a look at it; see commands.h.
#include <array>
#include <memory>
#include <utility>

#include "gateway/control/answers.h"
#include "gateway/control/commands.h"
#include "gateway/feature/feature.h"
#include "gateway/session/account_inbox.h"
#include "gateway/session/account_store.h"
#include "gateway/session/hub.h"
#include "gateway/session/roster.h"
#include "gateway/xmpp/packet.h"

namespace causeway::control {

namespace json = boost::json;

namespace {

constexpr std::uint64_t path_bytes = 4095;

/// The store; answers that there is none, in tests of other commands.
Store* store_for(const CommandRequest& request) {
    if (request.host.shared != nullptr) return &request.host.shared->store;
    request.reply(Outcome::refused("there is no store"));
    return nullptr;
}

/// A job that tells the client how far it is, and ends when the client does.
StoreJob job_for(const Reply& reply) {
    StoreJob job;
    job.progress = [reply](StoreProgress progress) {
        json::object params;
        params.emplace("done", progress.done);
        params.emplace("total", progress.total);
        reply.notify("progress", std::move(params));
    };
    reply.on_cancel([cancelled = job.cancelled] { *cancelled = true; });
    return job;
}

void back_up(const CommandRequest& request) {
    Store* const store = store_for(request);
    if (store == nullptr) return;
    const std::string file = request.text("file");
    store->backup(file, *request.host.home, job_for(request.reply),
                  [reply = request.reply, file](const Result<StoreBackup>& backup) {
                      if (!backup) {
                          reply(backup.error());
                          return;
                      }
                      json::object result;
                      result.emplace("file", file);
                      result.emplace("bytes", backup->bytes);
                      result.emplace("damage", backup->damage);
                      reply(json::value(std::move(result)));
                  });
}

json::array to_json(const std::vector<StoreSize>& sizes) {
    json::array rows;
    for (const StoreSize& size : sizes) {
        json::object row;
        row.emplace("name", size.name);
        row.emplace("owners", size.owners);
        row.emplace("rows", size.rows);
        row.emplace("bytes", size.bytes);
        rows.emplace_back(std::move(row));
    }
    return rows;
}

json::object to_json(const StoreReport& report) {
    json::array faults;
    for (const StoreFault& fault : report.faults) {
        json::object row;
        row.emplace("what", fault.what);
        row.emplace("advice", fault.advice);
        faults.emplace_back(std::move(row));
    }
    json::object result;
    result.emplace("sound", report.faults.empty());
    result.emplace("faults", std::move(faults));
    result.emplace("bytes", report.file_bytes);
    result.emplace("free_bytes", report.free_bytes);
    result.emplace("stores", to_json(report.stores));
    result.emplace("largest", to_json(report.largest));
    return result;
}

/// The stores in which only accounts may have anything.
std::vector<std::string> stores_of_accounts(const FeatureRegistry& features) {
    std::vector<std::string> names{std::string(Roster::store_name),
                                   std::string(AccountInbox::store_name)};
    for (const Feature* feature : features.features()) {
        for (const OwnedStore& store : feature->stores) {
            if (store.of_accounts) names.emplace_back(store.name);
        }
    }
    return names;
}

/// Archives and logs hold stanzas and nothing else.
bool is_readable(std::string_view body) {
    return Packet::visit_bytes(body, [](const Stanza&) {}).ok();
}

void check(const CommandRequest& request) {
    Store* const store = store_for(request);
    if (store == nullptr) return;
    store->check({.accounts = std::string(account_store::store_name),
                  .of_accounts = stores_of_accounts(request.host.shared->features),
                  .readable = is_readable},
                 *request.host.home, job_for(request.reply),
                 [reply = request.reply](const Result<StoreReport>& report) {
                     if (report) {
                         reply(json::value(to_json(*report)));
                     } else {
                         reply(report.error());
                     }
                 });
}

constexpr std::array backup_file{
    Param{"file", ParamType::path, true, "a new file, on the server's machine", path_bytes}};
constexpr std::array check_fields{
    Field{"store", "{sound?sound|not sound};{bytes:bytes};{free_bytes:bytes} of it free"},
    Field{.title = "fault", .text = "{what}: {advice}", .each = "faults"},
    Field{.title = "{name}",
          .text = "{rows:count} rows;{bytes:bytes};of {owners:count} owners",
          .each = "stores"},
    Field{
        .title = "largest", .text = "{name}  {rows:count} rows, {bytes:bytes}", .each = "largest"},
};

constexpr std::array commands{
    Command{.name = "backup",
            .params = backup_file,
            .doc = "copies the store into a new file while the server runs",
            .mutates = true,
            .run = back_up,
            .view = {.sentence = "{file} holds the store as it was when the backup began: "
                                 "{bytes:bytes}[. The store is damaged, and so is this copy "
                                 "({damage}): keep it beside the one before, and see causewayctl "
                                 "store check]",
                     .fault = "damage"}},
    Command{
        .name = "store.check",
        .doc = "reads all of the store: damage, what cannot be read or belongs to nobody, sizes",
        .run = check,
        .view = {.fields = check_fields, .fault = "faults"}},
};

}  // namespace

std::span<const Command> store_commands() { return commands; }

}  // namespace causeway::control
