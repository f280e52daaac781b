#include "gateway/server/trace_commands.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "gateway/control/accounts.h"
#include "gateway/control/answers.h"
#include "gateway/control/rows.h"
#include "gateway/server/why.h"

namespace causeway {
namespace {

namespace json = boost::json;
using control::Command;
using control::CommandRequest;
using control::Field;
using control::Param;
using control::ParamType;
using control::Reply;
using control::utf8;
using control::utf8_or_null;

/// As `queue show` has it: "message chat".
std::string kind_of(const TraceLine& line) {
    std::string kind(to_string(line.kind));
    if (const std::string_view type = to_string(line.type); !type.empty()) {
        kind += ' ';
        kind += type;
    }
    return kind;
}

/// As text, as it stands in a stanza: it has more digits than some readers of JSON keep.
json::value id_or_null(std::uint64_t id) {
    return id == 0 ? json::value(nullptr) : json::value(fmt::format("{}", id));
}

json::value time_or_null(UnixMillis at) { return at == 0 ? json::value(nullptr) : json::value(at); }

json::object to_json(const TraceLine& line) {
    json::object object;
    object.emplace("at", line.at);
    object.emplace("stage", to_string(line.stage));
    object.emplace("verdict", to_string(line.verdict));
    object.emplace("kind", kind_of(line));
    object.emplace("id", utf8_or_null(line.id));
    object.emplace("stanza_id", id_or_null(line.stanza_id));
    object.emplace("from", utf8_or_null(line.from));
    object.emplace("to", utf8_or_null(line.to));
    object.emplace("where", utf8_or_null(line.where));
    object.emplace("reason", utf8_or_null(line.reason));
    return object;
}

// ---- trace ----

/// One that looks on. Belongs to the control thread; the shards hold on to it until they have heard
/// of its end. Each has one batch under way at most, so a slow reader costs nothing but events.
class LiveTrace : public std::enable_shared_from_this<LiveTrace> {
public:
    LiveTrace(Shared& shared, Executor& home, Reply reply)
        : shared_(shared), home_(home), reply_(std::move(reply)) {}

    void start(const TraceFilter& filter) {
        reply_.on_cancel([self = shared_from_this()] { self->stop(); });
        for (Hub* hub : shared_.hubs) {
            hub->shard.post([self = shared_from_this(), hub, filter] {
                hub->trace.watch(self.get(), filter, [self, hub](Trace::Batch batch) {
                    const auto kept = std::make_shared<Trace::Batch>(std::move(batch));
                    self->home_.post([self, hub, kept] { self->show(*hub, *kept); });
                });
            });
        }
    }

private:
    void show(Hub& hub, const Trace::Batch& batch) {
        if (over_) return;
        json::array rows;
        for (const TraceLine& line : batch.lines) {
            json::object row = to_json(line);
            row.emplace("lost", nullptr);
            rows.emplace_back(std::move(row));
        }
        const std::uint64_t lost = batch.lost + std::exchange(lost_, 0);
        if (lost != 0) rows.back().as_object()["lost"] = lost;
        const std::size_t count = rows.size();
        json::object params;
        params.emplace("rows", std::move(rows));
        if (reply_.notify("rows", std::move(params))) {
            shown_ += count;
        } else {
            lost_ = lost + count;
        }
        // The next ones when there is room for them; until then the shard counts what it drops.
        reply_.when_writable([self = shared_from_this(), &hub] {
            hub.shard.post([self, &hub] { hub.trace.taken(self.get()); });
        });
    }

    void stop() {
        over_ = true;
        for (Hub* hub : shared_.hubs) {
            hub->shard.post([self = shared_from_this(), hub] { hub->trace.unwatch(self.get()); });
        }
        json::object result;
        result.emplace("count", shown_);
        reply_(json::value(std::move(result)));
    }

    Shared& shared_;
    Executor& home_;
    const Reply reply_;
    std::uint64_t shown_ = 0;
    std::uint64_t lost_ = 0;
    bool over_ = false;
};

void trace(const CommandRequest& request) {
    const auto address = control::address_of(request.text("address"));
    if (!address) return request.reply(address.error());
    std::make_shared<LiveTrace>(*request.host.shared, *request.host.home, request.reply)
        ->start({*address});
}

// ---- why ----

json::value to_json(const std::optional<StanzaStory::Stored>& stored) {
    if (!stored) return nullptr;
    json::object object;
    object.emplace("since", stored->since);
    object.emplace("expires", time_or_null(stored->until));
    return object;
}

json::value to_json(const std::optional<StanzaStory::Link>& link) {
    if (!link) return nullptr;
    json::object object;
    object.emplace("state", link->state);
    object.emplace("last_error", utf8_or_null(link->last_error));
    object.emplace("next_retry", time_or_null(link->next_retry));
    return object;
}

json::object to_json(const WhyAnswer& answer) {
    const StanzaStory& story = answer.story;
    json::array events;
    for (const TraceLine& line : story.events) events.emplace_back(to_json(line));
    json::array archived;
    for (const StanzaStory::Archived& one : story.archived) {
        json::object object;
        object.emplace("owner", utf8(one.owner));
        object.emplace("stanza_id", fmt::format("{}", one.id));
        object.emplace("at", one.at);
        archived.emplace_back(std::move(object));
    }
    json::object object;
    object.emplace("id", utf8_or_null(answer.id));
    object.emplace("stanza_id", id_or_null(answer.stanza_id));
    object.emplace("from", utf8_or_null(story.from));
    object.emplace("to", utf8_or_null(story.to));
    object.emplace("events", std::move(events));
    object.emplace("offline", to_json(story.offline));
    object.emplace("queue", to_json(story.queued));
    object.emplace("link", to_json(story.link));
    object.emplace("archived", std::move(archived));
    object.emplace("others", answer.others);
    object.emplace("explanation", utf8(answer.sentence));
    return object;
}

void explain_one(const CommandRequest& request) {
    why(*request.host.shared, *request.host.home,
        {.id = request.text("id"), .from = request.text("from"), .to = request.text("to")},
        [reply = request.reply](const Result<WhyAnswer>& answer) {
            if (answer) {
                reply(json::value(to_json(*answer)));
            } else {
                reply(answer.error());
            }
        });
}

// ---- as data ----

constexpr std::uint64_t longest_id = 1024;

constexpr std::array trace_params{Param{"address", ParamType::string, true,
                                        "a domain, an account or a session, here or elsewhere",
                                        control::jid_bytes}};
constexpr std::array why_params{
    Param{"id", ParamType::string, true,
          "the message's id, as its client gave it or as the stanza-id that its recipient sees",
          longest_id},
    Param{.name = "from",
          .required = false,
          .doc = "its sender, if others use the same id",
          .at_most = control::jid_bytes,
          .option = true},
    Param{.name = "to",
          .required = false,
          .doc = "its recipient, likewise",
          .at_most = control::jid_bytes,
          .option = true}};

constexpr std::array why_fields{
    Field{"message", "[{id} ][from {from} ][to {to}]"},
    Field{.title = "stanza-id", .text = "{stanza_id}", .when = "stanza_id"},
    Field{.title = "{at:clock}",
          .text = "{kind}: {stage} {verdict}[ ({where})][: {reason}]",
          .each = "events"},
    Field{.title = "archive of {owner}", .text = "{stanza_id}", .each = "archived"},
    Field{.title = "others",
          .text = "{others:count} more with that id: --from and --to choose",
          .when = "others"},
    Field{"so", "{explanation}"},
};

constexpr std::array commands{
    Command{.name = "trace",
            .params = trace_params,
            .doc = "shows what is decided about stanzas from and to an address, until interrupted",
            .streams = true,
            .run = trace,
            .view = {.sentence = "{at:clock}  {kind}[ {id}][ from {from}][ to {to}]: "
                                 "{stage} {verdict}[ ({where})][: {reason}]"
                                 "[  ({lost:count} more were lost: they came too fast)]",
                     .live = true}},
    Command{.name = "why",
            .params = why_params,
            .doc = "what became of a message, and what happens next",
            .run = explain_one,
            .view = {.fields = why_fields}},
};

}  // namespace

std::span<const Command> trace_commands() { return commands; }

}  // namespace causeway
