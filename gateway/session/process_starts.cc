#include "gateway/session/process_starts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/base/number.h"
#include "gateway/session/hub.h"

namespace causeway::process_starts {
namespace {

constexpr std::string_view store = ArchiveMark::store;
constexpr std::string_view key = "starts";
/// Of a hub: what was read.
struct Known final : SlotState {
    std::vector<std::uint64_t> starts;
};
constexpr Slot<Known> known_slot{"process starts"};

/// A session outlives more ends of the process only if each comes before its time is over.
constexpr std::size_t at_most = 32;

std::vector<std::uint64_t> parse(std::string_view text) {
    std::vector<std::uint64_t> starts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (const auto start = read_number<std::uint64_t>(text.substr(0, end))) {
            starts.push_back(*start);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return starts;
}

}  // namespace

void read(Hub& hub, std::function<void(const std::vector<std::uint64_t>&)> then) {
    if (const Known* known = hub.slots.get(known_slot)) {
        then(known->starts);
        return;
    }
    hub.shared.store.map_get(
        std::string(store), {}, std::string(key), hub.shard,
        [&hub, then = std::move(then)](const Result<std::optional<std::string>>& text) {
            std::vector<std::uint64_t> starts;
            if (text && text->has_value()) starts = parse(**text);
            const std::uint64_t own = hub.shared.first_id;
            if (std::ranges::find(starts, own) == starts.end()) starts.push_back(own);
            std::ranges::sort(starts);
            if (text) hub.slots.make(known_slot).starts = starts;
            then(starts);
        });
}

void note(Hub& hub, std::function<void(const Outcome&)> then) {
    read(hub, [&hub, then = std::move(then)](const std::vector<std::uint64_t>& starts) {
        std::string text;
        for (std::size_t i = starts.size() - std::min(starts.size(), at_most); i < starts.size();
             ++i) {
            text += fmt::format("{}{}", text.empty() ? "" : " ", starts[i]);
        }
        Batch batch;
        batch.map_set(store, {}, key, std::move(text));
        hub.shared.store.commit(std::move(batch), hub.shard, then);
    });
}

std::uint64_t after(const std::vector<std::uint64_t>& starts, std::uint64_t start) {
    const auto next = std::ranges::upper_bound(starts, start);
    return next == starts.end() ? 0 : *next;
}

}  // namespace causeway::process_starts
