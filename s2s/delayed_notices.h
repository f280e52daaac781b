// DelayedNotices: tells accounts here that a message of theirs still waits for another domain, as a
// mail server reports a delay (RFC 3464 §2.3.3): one headline for each sender, recipient and
// outage. An outage lasts as long as anything waits in the queue. Which rows the senders know about
// is remembered in the store, so that a restart tells nobody twice.
//
// The notice comes from the sender's domain, and is for whoever is there to read it: it is neither
// stored nor copied (XEP-0334). In machine form it holds the address and id of the first message,
// forwarded without its content (XEP-0297), with a delay that names the cause (XEP-0203).
// Owner: a StoredQueue.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/session/hub.h"

namespace causeway {

class DelayedNotices final : private TimerTarget {
public:
    /// A Map store: owner is the queue, the value a row id up to which senders were told.
    static constexpr std::string_view store_name = "delayed-notices";
    /// Recipients that one sender is told about in one outage of a queue.
    static constexpr std::size_t per_sender = 10;
    /// The same of all senders.
    static constexpr std::size_t in_all = 1000;

    class Owner {
    public:
        /// Why what waits is not delivered; nullopt while it is being delivered.
        [[nodiscard]] virtual std::optional<std::string> why_delayed() const = 0;

    protected:
        ~Owner() = default;
    };

    /// `rows_of` and `queue` are the Log store and the owner of the rows.
    DelayedNotices(Hub& hub, std::string_view rows_of, const std::string& local,
                   const std::string& queue, const Owner& owner);
    DelayedNotices(const DelayedNotices&) = delete;
    DelayedNotices& operator=(const DelayedNotices&) = delete;
    ~DelayedNotices() = default;

    /// How the rows came to wait.
    enum class Rows : unsigned char { fresh, of_earlier_run };
    /// Something waits.
    void begin(Rows rows);
    /// Nothing waits any more.
    void end();
    /// A question to the store is open that will call back.
    [[nodiscard]] bool busy() const { return open_ != 0; }

private:
    struct Notice {
        Jid sender;  ///< with its resource
        Jid recipient;
        std::string id;  ///< of the first message
        StanzaType type;
        UnixMillis since, expires;
        std::size_t messages = 1;
    };

    void on_timer(std::uint32_t) override;
    void look_in(Duration pause);
    void read_mark();
    void read_page();
    void take_page(const std::vector<LogRow>& rows);
    [[nodiscard]] bool on_its_way(const LogRow& row) const;
    void consider(const LogRow& row);
    void consider(const Stanza& stanza, const LogRow& row);
    void remember();
    void remembered(std::uint64_t until);
    void look_from_the_beginning();
    void tell(const Notice& notice, const std::string& cause) const;
    [[nodiscard]] std::chrono::minutes patience() const;

    Hub& hub_;
    const std::string_view rows_of_;
    const std::string& local_;
    const std::string& queue_;
    const Owner& owner_;
    std::optional<std::uint64_t> mark_;  ///< rows up to it are known to their senders
    Rows rows_ = Rows::fresh;
    std::uint64_t looked_until_ = 0;  ///< rows up to it have been looked at
    /// Recipients of each sender who is told, both as bare addresses.
    std::map<std::string, std::map<std::string, std::size_t>, std::less<>> told_;
    std::size_t pairs_told_ = 0;
    std::vector<Notice> due_;
    Duration next_{};  ///< from the end of this look to the next
    unsigned open_ = 0;
    unsigned outage_ = 0;  ///< counts them, so that answers for an earlier one are known
    Timer timer_;
};

}  // namespace causeway
