#include "gateway/features/archive/keeping.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/base/number.h"
#include "gateway/control/accounts.h"
#include "gateway/control/command.h"
#include "gateway/session/hub.h"

namespace causeway {
namespace {

namespace json = boost::json;

json::object answer_of(json::object answer, const ArchiveKeeping& keeping) {
    std::string age = "for as long as archive.keep_days says";
    std::string size = "as many bytes as archive.bytes_per_account says";
    if (keeping.days) {
        answer.emplace("days", *keeping.days);
        age = *keeping.days == 0 ? "for ever" : fmt::format("for {} days", *keeping.days);
    }
    if (keeping.bytes) {
        answer.emplace("bytes", *keeping.bytes);
        size = *keeping.bytes == 0 ? "of any size" : fmt::format("up to {} bytes", *keeping.bytes);
    }
    answer.emplace("age", age);
    answer.emplace("size", size);
    return answer;
}

struct Keep {
    Store& store;
    Executor& home;
    control::Reply reply;
    json::object naming;
    std::string owner;

    void write(const ArchiveKeeping& keeping) const {
        Batch batch;
        if (keeping.days || keeping.bytes) {
            batch.map_set(ArchiveKeeping::store, owner, ArchiveKeeping::key, keeping.text());
        } else {
            batch.map_erase(ArchiveKeeping::store, owner, ArchiveKeeping::key);
        }
        store.commit(std::move(batch), home, [self = *this, keeping](const Outcome& outcome) {
            if (!outcome) return self.reply(outcome);
            self.reply(json::value(answer_of(self.naming, keeping)));
        });
    }
};

}  // namespace

ArchiveKeeping ArchiveKeeping::read(std::string_view stored) {
    ArchiveKeeping keeping;
    const std::size_t space = stored.find(' ');
    if (space == std::string_view::npos) return keeping;
    keeping.days = read_number<std::uint32_t>(stored.substr(0, space));
    keeping.bytes = read_number<std::uint64_t>(stored.substr(space + 1));
    return keeping;
}

std::string ArchiveKeeping::text() const {
    const auto word = [](const auto& number) {
        return number ? std::to_string(*number) : std::string("-");
    };
    return word(days) + " " + word(bytes);
}

void keep_archive(const control::CommandRequest& request) {
    const auto account = control::account_of(request.text("jid"));
    if (!account) return request.reply(account.error());
    if (request.flag("default") && (request.has("days") || request.has("bytes"))) {
        return request.reply(
            Outcome::malformed("--default stands alone: it takes back what was decided"));
    }
    const Keep keep{.store = request.host.shared->store,
                    .home = *request.host.home,
                    .reply = request.reply,
                    .naming = request.naming("jid"),
                    .owner = std::string(account->bare())};
    const auto change = [days = request.number("days"),
                         bytes = request.number<std::uint64_t>("bytes"),
                         none = request.flag("default")](const ArchiveKeeping& now) {
        return none ? ArchiveKeeping{}
                    : ArchiveKeeping{.days = days ? days : now.days,
                                     .bytes = bytes ? bytes : now.bytes};
    };
    const bool asks = !request.has("days") && !request.has("bytes") && !request.flag("default");
    control::if_account(
        request.host.operations, keep.store, keep.home, *account,
        [reply = keep.reply](const Outcome& absent) { reply(absent); },
        [keep, change, asks] {
            keep.store.map_get(
                std::string(ArchiveKeeping::store), keep.owner, std::string(ArchiveKeeping::key),
                keep.home, [keep, change, asks](const Result<std::optional<std::string>>& stored) {
                    if (!stored) return keep.reply(stored.error());
                    const auto now = ArchiveKeeping::read(stored->value_or(""));
                    if (!asks) return keep.write(change(now));
                    keep.reply(json::value(answer_of(keep.naming, now)));
                });
        });
}

}  // namespace causeway
