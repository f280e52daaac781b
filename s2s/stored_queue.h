// StoredQueue: what waits in the store for one pair of domains: put there, read back in order,
// given up. Owner: a RemotePair.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "gateway/session/hub.h"
#include "s2s/delayed_notices.h"

namespace causeway {

class StoredQueue final : private TimerTarget {
public:
    /// The Log store of all queues; the owner of a queue in it is queue_owner().
    static constexpr std::string_view store_name = "outbound";
    static std::string queue_owner(std::string_view remote, std::string_view local);

    class Owner : public DelayedNotices::Owner {
    public:
        /// Whether a stored stanza may be written to the stream now. If not, read() is called again
        /// when that has changed.
        [[nodiscard]] virtual bool takes_stored() const = 0;
        /// A stanza from the store, in order; its row is `hold` in the Ledger.
        virtual void write_stored(const PacketRef& packet, HoldId hold, std::uint64_t row) = 0;
        /// A stanza that will not be sent: its sender hears why.
        virtual void refuse_stored(const Packet& packet, const Outcome& why) = 0;

    protected:
        ~Owner() = default;
    };

    StoredQueue(Hub& hub, std::string local, std::string remote, Owner& owner);
    StoredQueue(const StoredQueue&) = delete;
    StoredQueue& operator=(const StoredQueue&) = delete;
    ~StoredQueue() = default;

    /// Under which rows are kept, from now for the lifetime that the configuration gives.
    [[nodiscard]] StoreKey key() const;

    /// Told the number of a row that was stored.
    using StoredAs = std::function<void(std::uint64_t row)>;
    /// Puts a stanza into the store. policy: too much waits already; nothing was done.
    Outcome keep(const PacketRef& packet, AcknowledgementTicket ticket, StoredAs stored_as = {});
    /// What the Ledger holds becomes a row again, to be read from there.
    void give_back(HoldId hold, StoredAs stored_as = {});
    /// The peer has the stanza of that row: it is erased where it would be sent.
    void arrived(std::uint64_t row) { arrived_.insert(row); }
    /// Rows of an earlier run of the process. False if they are known.
    bool found(std::size_t rows, std::size_t bytes);
    /// The lifetime of rows was over; they are erased. True if nothing waits any more because of
    /// that.
    bool expired(std::size_t rows, std::size_t bytes);
    /// All rows were erased by somebody else.
    void dropped();
    /// Gives up all rows, and those on their way here: each is refused.
    void fail(const Outcome& why);
    /// All rows are being refused.
    [[nodiscard]] bool given_up() const { return !given_up_.ok(); }
    /// They are to be sent again, but for those that are being refused already.
    void try_again() { given_up_ = {}; }

    /// Reads on, if there is something to read and the owner takes it.
    void read();
    /// On another stream everything is read from the beginning.
    void restart();

    /// Rows are, or may be, in the store.
    [[nodiscard]] bool empty() const { return state_ == State::empty; }
    /// Nothing is in the store or on its way there or from there.
    [[nodiscard]] bool idle() const { return empty() && open_ == 0 && !notices_.busy(); }

private:
    enum class State : unsigned char {
        empty,
        stored,         ///< rows are, or may be, in the store
        reading,        ///< a page of them is being read
        reading_again,  ///< and rows came meanwhile
    };

    void on_timer(std::uint32_t) override { go_on(); }
    void filled(DelayedNotices::Rows rows);
    void go_on();
    void go_on_later();
    [[nodiscard]] Ledger::Kept arrival(std::size_t bytes, StoredAs stored_as);
    void page_read(std::uint64_t reading, Result<std::vector<LogRow>> rows);
    bool write(const LogRow& row);
    void give_up_behind(std::uint64_t row);
    void erase_page(const std::vector<LogRow>& rows, std::uint64_t last);
    void page_erased(const std::vector<LogRow>& rows, std::uint64_t last, const Outcome& why);
    void fewer(std::size_t rows, std::size_t bytes);
    void emptied();
    [[nodiscard]] bool reading() const { return state_ >= State::reading; }

    Hub& hub_;
    const std::string local_;
    const std::string queue_;  ///< queue_owner()
    Owner& owner_;
    State state_ = State::empty;
    std::size_t keeping_ = 0;                    ///< rows on their way into the store
    std::size_t open_ = 0;                       ///< questions to the store that will call back
    std::size_t rows_ = 0;                       ///< put into the store since it was last empty
    std::size_t bytes_ = 0;                      ///< the same
    std::uint64_t read_until_ = 0;               ///< rows up to that id are written to the stream
    std::uint64_t readings_ = 0;                 ///< counts the times that reading began anew
    Outcome given_up_;                           ///< why rows are refused; ok: they are to be sent
    std::unordered_set<std::uint64_t> refused_;  ///< rows that are being erased for that
    std::unordered_set<std::uint64_t> arrived_;  ///< rows that the peer has
    DelayedNotices notices_;
    Timer later_;  ///< after the store could not be read, or a page of it erased
};

}  // namespace causeway
