// Expiry: gives up what waited too long in Log stores whose rows are stanzas, and tells the
// senders. One outcome for each row: it is erased first, and only when that is durable its sender
// gets one error. A row that is on its way to a recipient is left alone. Rows go in small batches,
// one after the other, as fast as the store takes them; an erase that fails is tried again a minute
// later.
//
// One Expiry looks for all shards. What a row needs happens on the shard where its owner is at
// home: only there is it known what is on its way, and since the LifetimeClock never goes back, a
// row that is over is not sent by anybody any more.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/timer_wheel.h"
#include "gateway/session/hub.h"

namespace causeway {

/// A Log store whose rows are Packets that expire.
struct ExpiringStore {
    std::string_view name;
    TraceStage stage = TraceStage::offline;  ///< under which the trace tells of it
    /// The name by whose home shard everything about that owner happens (Hub::home_of).
    std::string_view (*home_of)(std::string_view owner) = nullptr;
    /// On that shard: these rows of the owner are gone for good. The error that their senders get.
    StanzaError (*gone)(Hub& home, std::string_view owner, std::size_t rows,
                        std::size_t bytes) = nullptr;
};

/// Offline messages and what waits for other domains.
std::span<const ExpiringStore> expiring_stores();

class Expiry final : private TimerTarget {
public:
    static constexpr std::size_t batch_rows = 200;
    /// Rows of one batch that may be passed over, being on their way, before it is given up for
    /// now.
    static constexpr std::size_t passed_over_limit = 5000;
    /// Between two looks, unless remote_queue_seconds is less.
    static constexpr Duration interval{60'000};
    /// How often the LifetimeClock is remembered, unless the wall clock was set.
    static constexpr Duration mark_interval = std::chrono::hours(1);

    /// `hub` is that of the shard it lives on; `stores` outlive it.
    explicit Expiry(Hub& hub, std::span<const ExpiringStore> stores = expiring_stores());
    ~Expiry();

    /// Looks now, and from then on at intervals. On its shard.
    void start();

private:
    using Rows = std::vector<std::pair<std::string, LogRow>>;
    /// What became of a batch, or of a home's part of it.
    struct Tally {
        std::size_t erased = 0;
        std::size_t passed_over = 0;
        bool failed = false;
    };
    using Done = std::function<void(const Tally&)>;
    struct Looking {
        const ExpiringStore* store = nullptr;
        bool busy = false;
        std::size_t passed_over = 0;  ///< by the batch before
    };
    struct Round;

    void on_timer(std::uint32_t which) override;
    void look();
    void next_batch(Looking& looking);
    void give_out(Looking& looking, Rows rows, bool more);
    void tallied(Looking& looking, const Tally& tally, bool more);
    void remember_clock();
    static void erase_at_home(Hub& home, const ExpiringStore& store, Rows rows, const Done& done);
    static void tell_senders(Hub& home, const ExpiringStore& store, const Rows& rows);

    Hub& hub_;
    std::vector<Looking> looking_;
    LifetimeClock::Mark remembered_;
    Timer timer_;
};

}  // namespace causeway
