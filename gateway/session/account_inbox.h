// AccountInbox: messages for one account (RFC 6121 §8.5): which session gets one, and what waits
// while none does. Messages are delivered in the order in which they came: stored ones first, read
// in pages as fast as the client takes them, then what came meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "gateway/base/queue.h"
#include "gateway/feature/points.h"
#include "gateway/feature/slots.h"
#include "gateway/session/account_sessions.h"
#include "gateway/session/kept_stream.h"
#include "gateway/session/ledger.h"
#include "gateway/store/store.h"

namespace causeway {

class AccountInbox {
public:
    /// The Log store of messages for nobody online; its owner is the bare JID.
    static constexpr std::string_view store_name = "offline";

    explicit AccountInbox(Account& account) : account_(account) {}

    /// A message that was admitted to the account, which exists.
    void deliver(const PacketRef& packet, AcknowledgementTicket ticket);

    /// A session takes messages now: it gets what is stored.
    void read_stored();
    /// A session got that row of its archive, as `packet`, on its own request. If the row waits for
    /// a session, the hold that says when it does not any more; else 0.
    [[nodiscard]] HoldId fetched(const PacketRef& packet, std::uint64_t row);
    /// A session of an earlier process is back, as that stream: what its client has waits no more.
    void is_back(Resource& session, std::uint64_t stream, Reached reached);
    /// Its client takes stanzas now: it is sent what it missed, if that has not begun. Then `then`
    /// runs, even if something cannot be read.
    void catch_up(Resource& session, std::function<void()> then);
    /// A session was sent that row, or a copy of it.
    void was_sent(Resource& session, std::uint64_t row);
    /// A session is gone.
    void gone(Resource& session);
    /// The time for sessions of an earlier process is over.
    [[nodiscard]] static bool none_comes_back(const Hub& hub);
    /// The records of the account's streams as the store has them.
    void awaits(const std::vector<MapEntry>& entries);
    /// An answer for one session that is not there waits, if that one may come back.
    void answer_for_nobody(const PacketRef& packet);
    /// That stream of an earlier process is not resumed any more.
    void never_back(std::uint64_t stream);
    /// Nor is any other: the account is gone.
    void none_is_back();
    /// Something waits for a session that may come back.
    [[nodiscard]] bool holding() const;
    /// A session that had too much before it has room again: go on with the stored messages.
    void room_again();
    /// A session ended and did not acknowledge all: another session that takes messages gets the
    /// rest.
    void redeliver();
    /// A session ended and did not acknowledge these: they are stored, and what comes meanwhile
    /// goes behind them.
    void take_back(const std::vector<HoldId>& holds);
    /// Which sessions are available, or their priorities, changed.
    void sessions_changed();
    /// Other code removed rows: they are counted again when the number is needed.
    void recount() { stored_.reset(); }

    [[nodiscard]] bool busy() const {
        return reading_ != Reading::no || keeping_ != 0 || !behind_.empty() || !uncounted_.empty();
    }

private:
    enum class Reading : unsigned char {
        no,      ///< nothing that is stored is known to wait for a session
        page,    ///< a page is being read
        anew,    ///< the same, and then from the first row again
        paused,  ///< rows are left for when the session has room
    };
    /// Why a message is stored.
    enum class Because : unsigned char { nobody_takes_it, too_much_waits };
    struct Message {
        PacketRef packet;
        AcknowledgementTicket ticket;
        Because because;
    };
    struct QueuedBehind {
        PacketRef packet;
        HoldId hold = 0;
    };

    [[nodiscard]] StoreKey store_key() const;
    /// Stored messages are, or may be, on their way: what comes now goes behind them.
    [[nodiscard]] bool catching_up() const {
        return reading_ != Reading::no || keeping_ != 0 || !uncounted_.empty();
    }
    void remember(const PacketRef& packet, HoldId hold);
    void announce(const PacketRef& packet, std::span<Resource* const> sessions);
    void refuse(const PacketRef& packet, AcknowledgementTicket ticket);

    void to_sessions(std::span<Resource* const> sessions, const PacketRef& packet,
                     AcknowledgementTicket ticket);
    void hand_over(const PacketRef& packet, HoldId hold, std::span<Resource* const> sessions);
    void to_best(const PacketRef& packet, AcknowledgementTicket ticket);
    void to_nobody(const PacketRef& packet, AcknowledgementTicket ticket);
    void headline(const PacketRef& packet, AcknowledgementTicket ticket);
    [[nodiscard]] bool pass_undelivered(const PacketRef& packet, AcknowledgementTicket& ticket,
                                        Undelivered::Reason reason);
    /// Stores it, if what is stored leaves room.
    void keep(Message message);
    void bounce_unstored(const Message& message);
    void kept(const Result<std::uint64_t>& row);
    void count();
    void counted(const Result<std::vector<LogRow>>& rows);
    [[nodiscard]] bool from_blocked(const LogRow& row) const;

    void queue_behind(const PacketRef& packet, AcknowledgementTicket ticket);
    void store_behind();
    struct CatchingUp;
    static const Slot<CatchingUp> catch_up_slot;
    [[nodiscard]] std::pair<Resource*, CatchingUp*> catching_up_as(const std::string& resource,
                                                                   std::uint64_t number) const;
    [[nodiscard]] ArchiveQuery question_of(const CatchingUp& task) const;
    void look_once_more(CatchingUp& task) const;
    void send_archived(Resource& session, CatchingUp& task);
    void send_page(Resource& session, CatchingUp& task, const ArchivePage& page);
    void caught_up(Resource& session, CatchingUp& task);
    void go_on_catching_up();
    [[nodiscard]] PacketRef copy_for(const Resource& session, const ArchiveRow& row) const;
    bool send_missed(Resource& session, CatchingUp& task, const ArchiveRow& row);
    [[nodiscard]] static bool while_here(const CatchingUp& task);
    [[nodiscard]] bool is_for(const Resource& session, const CatchingUp& task,
                              const ArchiveRow& row, const Packet& packet) const;
    [[nodiscard]] bool knows_awaited() const;
    [[nodiscard]] bool looks_for_awaited() const;
    void look_for_awaited(std::function<void()> then);
    [[nodiscard]] bool awaited_has(std::uint64_t row) const;
    [[nodiscard]] bool awaits_session(std::string_view resource) const;
    bool hold_for_awaited(const PacketRef& packet);
    std::optional<std::vector<PacketRef>> await_no_more(std::uint64_t stream);
    void give_up(const std::vector<PacketRef>& held);
    void to_one_that_is_not_there(const PacketRef& packet, AcknowledgementTicket ticket);
    void to_account(const PacketRef& packet, AcknowledgementTicket ticket);
    [[nodiscard]] PacketRef delayed(const std::string& body, std::uint64_t row,
                                    UnixMillis at) const;
    void read_page();
    void read_again_later();
    void deliver_page(const std::vector<LogRow>& rows);
    bool deliver_row(Resource& session, const LogRow& row);
    [[nodiscard]] bool had_copy(const Resource& session, std::uint64_t number) const;
    void caught_up();

    Account& account_;
    std::optional<std::size_t> stored_;  ///< rows in the store, while that is known
    Queue<Message> uncounted_;           ///< to be stored once it is
    std::size_t keeping_ = 0;            ///< messages on their way into the store
    Queue<QueuedBehind> behind_;         ///< came while stored messages were on their way
    std::uint64_t rows_after_ = 0;       ///< rows up to that id have been delivered
    std::uint64_t page_after_ = 0;       ///< where the page begins that is being read
    Reading reading_ = Reading::no;
};

}  // namespace causeway
