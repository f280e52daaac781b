// Ledger: the messages of one shard whose outcome is still open. Each has exactly one of these
// ends: the recipient's stream acknowledged it, it stands in the store, or its sender got an error.
// A message handed to a recipient that acknowledges waits for that before it is written to disk, as
// long as this recipient usually takes, so that most never are; a message with nobody to take it is
// stored at once. Everything due is committed as one batch per turn. Rows that are done with are
// erased with the next such batch, or by themselves after a while.
//
// A message that its owner's archive keeps (Packet::archived) is stored in any case, and nobody
// hears that it is safe before it is. It gets no row in the Log store as long as its recipient may
// still acknowledge it: only what waits for a session, or has been on its way for a second, is
// listed there, by a row without a body. So that a crash forgets nothing, the ledger remembers in
// the store up to which id everything is either done with or listed (the archive mark); what stands
// in the archive above that mark is listed when the process starts (archive_recovery.h).
//
// A message that only an archive is still to have, and for which nobody waits, is no longer an
// entry here once it has been given to the store: the batch comes back if it fails, and what of it
// belongs to no entry is tried again.
//
//   hold()     the message is on its way to a recipient that will acknowledge
//   keep()     nobody takes it now: store it
//   record()   a message that an account sent: for its own archive
//   adopt()    a row of the store is on its way to a recipient
//   confirm()  the recipient has it: settle, forget the row
//   release()  the recipient is gone and did not confirm: the row stays for the next one
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory_resource>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/base/timer_wheel.h"
#include "gateway/feature/acknowledgement.h"
#include "gateway/session/acknowledgement_pace.h"
#include "gateway/session/archive_mark.h"
#include "gateway/session/commit_order.h"
#include "gateway/session/done_rows.h"
#include "gateway/session/ledger_state.h"
#include "gateway/shard/shard.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/packet.h"

namespace causeway {

struct Hub;

/// Where a message is kept when it must be.
struct StoreKey {
    std::string_view store;  ///< a constant, such as "offline"
    std::string owner;
    UnixMillis expires = 0;
};

class Ledger final : private TimerTarget, private Flushable {
public:
    /// How long the erasure of a row may wait for another commit to go with.
    static constexpr Duration erase_within{1000};
    /// Rows that wait so; one more makes them go at once.
    static constexpr std::size_t erase_at_once = 1000;
    /// Rows whose erasure failed and is tried again; what comes on top is delivered once more.
    static constexpr std::size_t erase_again_most = 10'000;
    /// After a commit failed for a message that is still on its way.
    static constexpr Duration retry_after{1000};
    /// The store refuses a batch larger than its queue: a turn that has more to store commits in
    /// parts.
    static constexpr std::size_t batch_bytes = 1U << 20U;
    /// How long an archived message may be on its way before it is listed.
    static constexpr Duration list_after{1000};
    /// For a recipient that is given what has had its outcome: nothing becomes of it.
    static constexpr HoldId nothing_open = ~HoldId{0};
    /// How often the archiving of a message is tried that its recipient has, or its sender sent.
    static constexpr unsigned archive_attempts = 10;
    /// Bytes of batches for archives alone that may wait for another attempt.
    static constexpr std::size_t archive_again_bytes = 16U << 20U;

    explicit Ledger(Hub& hub);
    ~Ledger();

    HoldId hold(PacketRef packet, AcknowledgementTicket ticket, StoreKey store_key);
    HoldId adopt(PacketRef packet, StoreKey store_key, std::uint64_t row);
    /// Puts a message into the archive of `owner`, who sent it, under that id. The ticket is
    /// settled once more for it. A commit that fails is tried again, up to archive_attempts times;
    /// then the ticket is settled all the same, and the log says so.
    void record(const Packet& packet, std::string_view owner, std::uint64_t id,
                AcknowledgementTicket ticket);
    /// `kept` is called with the row's number, or with why it could not be stored (the sender has
    /// then got an error).
    using Kept = std::function<void(Result<std::uint64_t>)>;
    HoldId keep(PacketRef packet, AcknowledgementTicket ticket, StoreKey store_key, Kept kept = {});

    /// Adds a recipient. The first one that confirms does so for all; the message is released only
    /// when all are gone and none has confirmed.
    void share(HoldId id);
    /// The stream that sent the message again is also told its outcome.
    void join(HoldId id, AcknowledgementTicket ticket);

    // Of a message whose outcome is known, and of 0, which is none, nothing becomes.

    /// nullptr if its outcome is known.
    [[nodiscard]] PacketRef packet(HoldId id) const;
    /// Under which it stands in the store, or is about to; 0 if it does not, or that is not known.
    [[nodiscard]] std::uint64_t row(HoldId id) const;

    void confirm(HoldId id);
    /// The system took the bytes for a recipient that does not acknowledge. If a sender waits, the
    /// message is stored before the ticket is settled, and the row is erased after that.
    void written(HoldId id);
    /// The recipient may confirm it yet, and not soon: its connection is broken. The message is
    /// stored now, also where no sender waits for that.
    void store(HoldId id);
    void release(HoldId id);
    /// As release(), and tells the row once it is known to be stored.
    void release_to(HoldId id, Kept kept);
    /// The owner's archive was cleared, and not for what failed before to be put into it again.
    void forget_archive(std::string_view owner);
    /// Runs `task` once all that was given to the ledger before can be read from the store, or has
    /// failed: now, if nothing is on its way there.
    void when_readable(std::function<void()> task);
    /// Messages without an outcome, and rows to be erased.
    [[nodiscard]] std::size_t open() const { return entries_.size() + erasures_.open; }
    /// Nothing is open(), on its way into the store, or waiting for another attempt. What only
    /// archives are still to have counts here, and not in open().
    [[nodiscard]] bool at_rest() const {
        return open() == 0 && recorded_.batch.empty() && again_.empty() && commits_.idle();
    }
    /// Erases at the end of this turn all rows that are done with; for a server that is about to
    /// end.
    void erase_now();
    /// Something else is to be written with what is due: with this turn, or within a second.
    void commit_now();
    void commit_soon();
    /// Erases a row that nobody here has been given, with the next commit.
    void erase(const StoreKey& key, std::uint64_t row);
    /// Gives the store what is due, what is to be listed and what is to be erased; for when the
    /// shard's thread has ended.
    void finish();
    /// Whether that row is being given to the store, or stands there for somebody who has it or is
    /// to get it, until it is known to be erased.
    [[nodiscard]] bool has_row(std::uint64_t row) const { return rows_.contains(row); }
    /// Whether that row is on its way to somebody, or done with, and about to be erased or erased a
    /// moment ago: not to be sent again.
    [[nodiscard]] bool in_flight(std::uint64_t row) const {
        return has_row(row) || done_rows_.contains(row);
    }
    /// Whether that row is being given to the store: a reader may see it before its `kept` has been
    /// called, and must not pass it by.
    [[nodiscard]] bool arriving(std::uint64_t row) const;

private:
    struct Entry {
        PacketRef packet;
        AcknowledgementTicket ticket;
        std::vector<AcknowledgementTicket> others;  ///< of those who sent it again
        StoreKey store_key;
        TimePoint since{};         ///< given to the recipient
        std::uint64_t number = 0;  ///< the row that it gets; that of its owner's id, if it has one
        std::uint64_t row = 0;
        /// A commit that failed was to make this row, and may have done so all the same: it could
        /// not be said whether the disk has it. 0: none.
        std::uint64_t doubtful_row = 0;
        LedgerState state = LedgerState::waiting;
        unsigned attempts = 0;  ///< commits that failed since the recipient has it
        unsigned holders = 1;   ///< recipients that may still confirm
        Kept kept;
    };

    /// A row that is done with.
    struct Erasure {
        std::string_view store;  ///< a constant
        std::string owner;
        std::uint64_t row = 0;
        bool known = false;     ///< it stands in rows_ until it is erased
        bool counted = false;   ///< by erasing_
        bool archived = false;  ///< the owner's archive is not to have the message either
    };
    struct Erasures {
        std::vector<Erasure> due;    ///< with the next commit
        std::vector<Erasure> again;  ///< a commit failed for them
        std::size_t open = 0;        ///< not known to be done yet, waiting ones included
        Timer timer;
    };
    /// What goes with a batch beside messages, and again where that failed.
    struct Extras {
        std::vector<Erasure> erased;
        bool with_mark = false;
        std::uint64_t mark = 0;  ///< where the archive mark stands, if it goes with the batch
    };
    /// What is given to the store together.
    struct Part {
        Batch batch;
        std::vector<HoldId> messages;
        /// Of those who sent what their own archives get with it.
        std::vector<AcknowledgementTicket> senders;
        Extras extras;
        bool waited_for = false;  ///< somebody is to hear that it is stored
    };
    /// Messages for archives alone, which a commit that failed was to store.
    struct ArchiveAgain {
        Batch batch;
        std::vector<AcknowledgementTicket> senders;
        unsigned attempts = 0;  ///< that failed
    };
    /// What is tried again after a commit that failed.
    struct Retry {
        std::vector<HoldId> messages;
        /// Whose they are, where they are on their way. What comes for these meanwhile is stored
        /// behind them, or a crash in between would leave it there alone, and what its sender sends
        /// again then would stand behind it.
        std::set<std::string, std::less<>> owners;
        std::vector<HoldId> behind;
        Timer timer;
    };
    /// When the archive mark is written: with the next commit, or after the pause that follows one
    /// that failed.
    enum class MarkDue : unsigned char { no, now, later };
    /// Messages that wait equally long, the oldest first. Some have had their outcome meanwhile.
    struct Waiting {
        TimePoint until;
        HoldId id;
    };
    /// 10 ms, and twice as much with each: every wait is rounded up to one of these.
    static constexpr std::size_t wait_classes = 8;
    static_assert(AcknowledgementPace::shortest * (1U << (wait_classes - 1)) ==
                  AcknowledgementPace::longest);
    enum TimerFor : std::uint32_t { wait_over, retry_due, erase_due, list_due };

    void on_timer(std::uint32_t which) override;
    void wait(HoldId id, const Entry& entry);
    void arm_wait_timer();
    void end_waits();
    /// How long ago it was given to the recipient.
    [[nodiscard]] Duration age(const Entry& entry) const;
    void flush() override;
    void commit_due();
    [[nodiscard]] static bool is_waited_for(const Entry& entry);
    [[nodiscard]] static bool is_archives_alone(const Entry& entry);
    [[nodiscard]] bool stands_behind(const Entry& entry) const;
    void add_due(Part& part, HoldId id, Entry& entry);
    void commit_part(Part part);
    void commit(Part part, bool notes);
    void take_extras(Part& part);
    void committed(Part part, const Outcome& outcome);
    void ended(Extras extras, const Outcome& outcome);
    void try_extras_again();
    /// Leads the message on to its next state; `why` is the failure, if that is the event. The
    /// entry may be gone afterwards.
    void happened(HoldId id, Entry& entry, LedgerEvent event, const Outcome& why = {});
    [[nodiscard]] std::uint64_t number_of(const Packet& packet) const;
    void make_due(HoldId id, Entry& entry);
    void note_done(Entry& entry);
    void note_undone(Entry& entry);
    /// Its senders' records are not known to say that it is safe.
    static void unnote(Entry& entry);
    void try_again_later(HoldId id, const Entry& entry);
    void arm_retry_timer();
    void try_messages_again();
    void end(HoldId id, const Outcome& why);
    void settle(Entry& entry);
    void erase_row(const Entry& entry);
    void append(Batch& batch, const Entry& entry) const;
    [[nodiscard]] bool is_open(std::uint64_t row) const;
    ArchiveAgain& failed_as_often(unsigned attempts);
    void archive_again(ArchiveAgain failed, const Outcome& why);
    void try_archives_again();
    void settle(const std::vector<AcknowledgementTicket>& senders);
    void commit(Batch batch, std::function<void(const Outcome&, Batch&)> done);
    void send_unlisted(HoldId id, Entry& entry);
    void list_archived();
    void move_mark();
    void move_mark_soon();

    Hub& hub_;
    /// What is open comes and goes by the thousand with each commit, and in no order.
    std::pmr::unsynchronized_pool_resource pool_;
    std::pmr::unordered_map<HoldId, Entry> entries_{&pool_};
    AcknowledgementPace pace_;
    std::array<std::deque<Waiting>, wait_classes> waiting_;
    std::vector<HoldId> due_;
    Erasures erasures_;
    MarkDue mark_due_ = MarkDue::no;
    CommitOrder commits_;
    TimePoint timer_at_{};  ///< when timer_ is due, while armed
    std::pmr::unordered_map<std::uint64_t, HoldId> rows_{&pool_};
    DoneRows done_rows_;
    Part recorded_;  ///< of senders, for the end of this turn
    std::vector<ArchiveAgain> again_;
    UnlistedMessages unlisted_;
    Timer list_timer_;
    Timer timer_;
    Retry retry_;
    HoldId next_ = 1;
};

}  // namespace causeway
