// How long an archive is kept: by age and by size, as the domain's options say, or the
// administrator for one account (keeping.h). Looked at once an hour, in small steps with pauses
// between them, so that what is stored, asked and routed meanwhile hardly waits. One shard does it
// for all.
#include <algorithm>
#include <memory>
#include <unordered_map>

#include "gateway/base/log.h"
#include "gateway/features/archive/archive.h"
#include "gateway/features/archive/keeping.h"
#include "gateway/session/hub.h"

namespace causeway::archive {
namespace {

constexpr Duration interval = std::chrono::hours(1);
/// A message that is on its way is listed after a second (Ledger::list_after).
constexpr Duration settled_after{60'000};
/// Owners that are looked at with one question, and rows that one step removes.
constexpr std::size_t owners_at_once = 100;
constexpr std::size_t rows_at_once = 12;
/// The pause after a step, as a multiple of what the step took: on a server of one core the
/// writer's thread has a small part of it.
constexpr int pause_for_step = 4;

/// Accounts of whose archives an administrator has decided; what is beyond goes by the options.
constexpr std::size_t decided_most = 100'000;
constexpr std::size_t decided_at_once = 1000;

/// One look at all archives. The hub has it as long as it runs.
class Round final : public std::enable_shared_from_this<Round>, private TimerTarget {
public:
    explicit Round(Hub& hub) : hub_(hub) {}

    [[nodiscard]] bool over() const { return over_; }

    void start() {
        hub_.shared.store.map_scan(
            std::string(ArchiveKeeping::store), decided_after_, std::string(ArchiveKeeping::key),
            decided_at_once, hub_.shard,
            [self = shared_from_this()](Result<std::vector<MapEntry>> entries) {
                // Without them it could be too little that is kept: the next round tries again.
                self->over_ = !entries;
                if (entries) self->take_decided(std::move(*entries));
            });
    }

private:
    void take_decided(std::vector<MapEntry> entries) {
        const bool more = entries.size() >= decided_at_once;
        if (more) decided_after_ = entries.back().owner;
        for (const MapEntry& entry : entries) {
            decided_.emplace(entry.owner, ArchiveKeeping::read(entry.value));
        }
        if (more && decided_.size() < decided_most) return start();
        next_owners();
    }

    void next_owners() {
        hub_.shared.store.archive_totals(
            after_, owners_at_once, hub_.shard,
            [self = shared_from_this()](Result<std::vector<ArchiveTotals>> totals) {
                if (!totals || totals->empty()) {
                    self->sweep();
                    return;
                }
                self->after_ = totals->back().owner;
                self->owners_ = std::move(*totals);
                self->next_owner();
            });
    }

    [[nodiscard]] ArchiveKeeping decided_of(const std::string& owner) const {
        const auto found = decided_.find(owner);
        return found == decided_.end() ? ArchiveKeeping{} : found->second;
    }

    /// Rows older than that id are over for the owner.
    [[nodiscard]] std::uint64_t cutoff(std::int64_t days) const {
        if (days == 0) return 0;
        const UnixMillis at = hub_.clock().wall() - days * 86'400'000;
        return at <= 0 ? 0 : id_distance(Duration{at});
    }

    /// What came before that is listed or done with.
    [[nodiscard]] UnixMillis settled_at() const {
        return std::max<UnixMillis>(hub_.clock().wall() - settled_after.count(), 1);
    }

    /// No more of them than come to the bytes that are too many, if each had as many as the others:
    /// what fits stays.
    [[nodiscard]] static std::size_t rows_over(const ArchiveTotals& total, std::uint64_t most) {
        const std::uint64_t each =
            std::max<std::uint64_t>(total.bytes / std::max<std::uint64_t>(total.rows, 1), 1);
        return std::clamp<std::uint64_t>((total.bytes - most) / each, 1, rows_at_once);
    }

    void next_owner() {
        while (!owners_.empty()) {
            const ArchiveTotals& total = owners_.back();
            const auto owner = Jid::parse(total.owner);
            const std::string_view domain = owner ? owner->domain() : std::string_view{};
            const ArchiveKeeping decided = decided_of(total.owner);
            const std::int64_t most = decided.bytes
                                          ? static_cast<std::int64_t>(*decided.bytes)
                                          : bytes_per_account.integer(*hub_.config, domain);
            const std::uint64_t over =
                cutoff(decided.days ? std::int64_t{*decided.days}
                                    : keep_days.integer(*hub_.config, domain));
            const bool too_old = total.oldest != 0 && total.oldest < over;
            const bool too_large = most > 0 && total.bytes > static_cast<std::uint64_t>(most);
            // What is on its way and not listed yet has its body in the archive alone.
            const std::uint64_t before =
                std::min(too_old ? over : ArchiveQuery::last, id_distance(Duration{settled_at()}));
            if ((too_old || too_large) && total.oldest < before) {
                trim_step(
                    total.owner, before,
                    too_old ? rows_at_once : rows_over(total, static_cast<std::uint64_t>(most)));
                return;
            }
            owners_.pop_back();
        }
        next_owners();
    }

    /// Removes a few of the oldest rows, and looks again.
    void trim_step(const std::string& owner, std::uint64_t before, std::size_t rows) {
        Batch batch;
        batch.archive_trim(owner, before, rows);
        step_began_ = hub_.clock().now();
        hub_.shared.store.commit(
            std::move(batch), hub_.shard, [self = shared_from_this()](const Outcome& trimmed) {
                if (!trimmed) {
                    CAUSEWAY_LOG(error, "archive.not_trimmed", {"cause", trimmed.why()});
                    self->over_ = true;  // the next round tries again
                    return;
                }
                self->pause();
            });
    }

    void pause() {
        const Duration took = hub_.clock().now() - step_began_;
        hub_.shard.timers().arm(timer_, pause_for_step * took, *this, 0);
    }
    void on_timer(std::uint32_t) override { sweeping_ ? sweep() : look_again(); }

    void look_again() {
        hub_.shared.store.archive_total(
            owners_.back().owner, hub_.shard,
            [self = shared_from_this()](const Result<ArchiveTotals>& total) {
                self->over_ = !total;
                if (!total) return;
                self->owners_.back() = *total;
                self->next_owner();
            });
    }

    void sweep() {
        sweeping_ = true;
        hub_.shared.store.archive_unswept(
            hub_.shard, [self = shared_from_this()](const Result<std::uint64_t>& rows) {
                self->over_ = !rows || *rows == 0;
                if (self->over_) return;
                Batch batch;
                batch.archive_sweep(rows_at_once);
                self->step_began_ = self->hub_.clock().now();
                self->hub_.shared.store.commit(std::move(batch), self->hub_.shard,
                                               [self](const Outcome& swept) {
                                                   self->over_ = !swept;
                                                   if (swept) self->pause();
                                               });
            });
    }

    Hub& hub_;
    bool over_ = false;
    bool sweeping_ = false;  ///< all owners have been looked at
    TimePoint step_began_{};
    Timer timer_;
    std::unordered_map<std::string, ArchiveKeeping> decided_;
    std::string decided_after_;
    std::string after_;
    std::vector<ArchiveTotals> owners_;
};

/// Of the shard that does it.
struct Rounds final : SlotState {
    std::shared_ptr<Round> current;
    std::optional<TimePoint> began;  ///< the last one
};
constexpr Slot<Rounds> rounds_slot{"archive-rounds"};

}  // namespace

void trim(const Life& life) {
    Hub& hub = life.hub;
    // What the run before left unlisted is listed first.
    if (hub.shard.index() != 0 || hub.shared.archive_mark.recovering()) return;
    Rounds& rounds = hub.slots.make(rounds_slot);
    const TimePoint now = hub.clock().now();
    if (rounds.current != nullptr && rounds.current->over()) rounds.current.reset();
    if (rounds.current != nullptr || (rounds.began && now - *rounds.began < interval)) return;
    rounds.began = now;
    rounds.current = std::make_shared<Round>(hub);
    rounds.current->start();
}

}  // namespace causeway::archive
