// ServerTable, how many streams there are: of other servers to us, and of ours to them. Those that
// are needed least end first, in good order, and are opened again when there is something to say.
#include <sys/resource.h>

#include <algorithm>
#include <string_view>

#include "gateway/base/log.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

/// Of the descriptors that the process may have, each direction takes one in three at most: what is
/// left is for clients, who cannot come again at a better time.
constexpr std::size_t parts = 3;

std::size_t descriptors() {
    rlimit limit{};
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/// What bounds them, for who reads the log: that is to be raised, if so many are wanted.
std::string_view bound_of(const Limits& limits) {
    return descriptors() / parts < limits.server_streams ? "a third of the open files"
                                                         : "limits.server_streams";
}

}  // namespace

/// Each shard grants its part of what the process may have, in each direction.
std::size_t ServerTable::most_streams() const {
    const std::size_t in_all = std::min(hub_.limits().server_streams, descriptors() / parts);
    return std::max<std::size_t>(1, in_all / hub_.shared.shards.count());
}

/// Several at once, so that not all have to be looked at for each new one.
void ServerTable::end_most_silent() {
    const std::size_t most = most_streams();
    std::vector<IncomingStream*> all;
    for (auto& [remote, its] : links_) {
        its->each_incoming([&](IncomingStream& stream) {
            if (stream.stream().usable()) all.push_back(&stream);
        });
    }
    if (all.size() <= most) return;  // those beyond are being closed
    const auto ending = static_cast<std::ptrdiff_t>(all.size() - most + most / 100);
    std::ranges::nth_element(all, all.begin() + ending - 1, {},
                             [](IncomingStream* stream) { return stream->stream().heard(); });
    all.resize(static_cast<std::size_t>(ending));
    CAUSEWAY_LOG(warn, "s2s.too_many_streams", {"streams", most}, {"ended", all.size()},
                 {"bound", bound_of(hub_.limits())});
    for (IncomingStream* stream : all) stream->end_unused();
}

Outcome ServerTable::room_for_stream() {
    const std::size_t most = most_streams();
    // One hold is the table's own.
    if (static_cast<std::size_t>(opened_.use_count()) <= most) return {};
    end_longest_unused(most);
    // Those that end are still there for a moment.
    const std::size_t at_all = most + std::max<std::size_t>(most / 4, 16);
    if (static_cast<std::size_t>(opened_.use_count()) <= at_all) return {};
    return Outcome::retry("this server has too many streams to others at the moment");
}

/// Several at once, as with those of other servers.
void ServerTable::end_longest_unused(std::size_t most) {
    std::size_t staying = 0;
    std::vector<RemotePair*> unused;
    each_pair([&](RemotePair& pair) {
        if (pair.has_own_stream()) ++staying;
        if (pair.may_rest()) unused.push_back(&pair);
    });
    if (staying < most || unused.empty()) return;  // those beyond are being closed
    const std::size_t wanted = staying - most + 1 + most / 100;
    const auto ending = static_cast<std::ptrdiff_t>(std::min(wanted, unused.size()));
    std::ranges::nth_element(unused, unused.begin() + ending - 1, {},
                             [](const RemotePair* pair) { return pair->last_used(); });
    unused.resize(static_cast<std::size_t>(ending));
    CAUSEWAY_LOG(warn, "s2s.too_many_own_streams", {"streams", most}, {"ended", unused.size()},
                 {"bound", bound_of(hub_.limits())});
    for (RemotePair* pair : unused) (void)pair->close();
}

}  // namespace causeway
