// Account: everything about one bare JID that is in use: its resources, roster and presence, on its
// home shard. Changes of the roster are made one after the other, each visible only once it is
// durable. Split by subject: user.cc (life, roster, delivery of messages), user_offline.cc,
// user_presence.cc, and user_subscription.cc.
#pragma once

#include <boost/container/small_vector.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gateway/session/hub.h"
#include "gateway/session/resource.h"
#include "gateway/session/roster.h"

namespace causeway {

class Account {
public:
    /// Operations waiting for the account to be loaded, or for a change before them.
    static constexpr std::size_t waiting_limit = 10000;
    /// The Log store of messages for nobody online; its owner is the bare JID.
    static constexpr std::string_view offline_store = "offline";

    Account(Hub& hub, Jid bare);
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    ~Account() = default;

    [[nodiscard]] const Jid& jid() const { return jid_; }
    [[nodiscard]] const std::vector<Resource*>& resources() const { return resources_; }
    [[nodiscard]] Resource* find(std::string_view resource) const;
    [[nodiscard]] bool busy() const {
        return !resources_.empty() || state_ == State::loading || changing_ || !changes_.empty() ||
               reading_ != 0 || keeping_ != 0 || !behind_.empty();
    }

    void attach(Resource& resource);
    /// The resource is gone. Its unavailable presence is sent if it was available.
    void detach(Resource& resource);
    /// The account was removed or disabled.
    void evict_all(std::string_view condition, std::string_view text);

    /// What is stored changed behind its back (control socket): load it anew before anything else.
    void reload();

    /// Runs `task` once account and roster are loaded; the outcome says if that failed.
    void when_loaded(std::function<void(const Outcome&)> task);
    [[nodiscard]] bool exists() const { return exists_; }
    /// Known to be removed or disabled: nobody may log in.
    [[nodiscard]] bool barred() const { return state_ == State::loaded && (!exists_ || disabled_); }
    [[nodiscard]] const Roster& roster() const { return roster_; }

    // ---- stanzas that arrive for the account ----
    void message_in(const PacketRef& packet, AcknowledgementTicket ticket);
    void presence_in(const PacketRef& packet, AcknowledgementTicket ticket);
    void iq_in(const PacketRef& packet, AcknowledgementTicket ticket);
    /// Presence from a contact on this shard, to all available resources; the usual fan-out.
    void deliver_presence(const PacketRef& packet);
    void deliver_presence_as(const PacketRef& packet, const Jid& to);

    // ---- what its own resources do ----
    /// Available or unavailable without `to`.
    void own_presence(Resource& resource, const PacketRef& packet, int priority);
    /// Available or unavailable to somebody.
    void directed_presence(Resource& resource, const PacketRef& packet);
    void subscription_out(const Stanza& stanza, AcknowledgementTicket ticket);

    /// A change of the roster: `plan` (run when it is its turn) fills the batch and returns the
    /// items to apply; `done` hears the outcome once it is durable. Items are pushed to interested
    /// resources before `done` runs.
    struct Change {
        std::vector<RosterItem> items;
        /// Runs when the change is durable, before the items are pushed.
        std::function<void()> before_push;
    };
    using Plan = std::function<Outcome(Batch& batch, Change& change)>;
    /// For a plan: records `item`, and that it is to be pushed if `visible`.
    void plan_item(Batch& batch, Change& change, RosterItem item, bool visible) const;
    void change_roster(Plan plan, std::function<void(const Outcome&)> done);
    /// Sends the offline messages to a resource that became available.
    void deliver_offline();
    /// A resource that had too much before it has room again: go on with the offline messages.
    void room_again();
    /// A resource went without acknowledging: whoever else takes messages gets what it left.
    void redeliver();
    /// Stored messages were removed behind its back: count them anew when that matters.
    void recount_offline() { offline_counted_ = false; }
    /// Current presence of every available resource, or that there is none, to a contact.
    void send_current_presence(const Jid& to);
    void send_unavailable(const Jid& to);

private:
    enum class State : unsigned char { fresh, loading, loaded };
    struct PendingChange {
        Plan plan;
        std::function<void(const Outcome&)> done;
    };

    void load();
    void loaded(const Outcome& outcome);
    void next_change();
    [[nodiscard]] bool roster_at_rest() const { return !changing_ && changes_.empty(); }
    /// Runs `task` behind the changes that came before it: presence that follows an approval must
    /// not overtake it while it is being stored.
    template <class Task>
    void in_order(Task task) {
        if (roster_at_rest()) {
            task();
        } else {
            change_roster([](Batch&, Change&) -> Outcome { return {}; },
                          [task = std::move(task)](const Outcome&) { task(); });
        }
    }
    void finish_change(PendingChange change, Change result, const Outcome& outcome);
    void push(const RosterItem& item);

    // user.cc
    void message_loaded(const PacketRef& packet, AcknowledgementTicket ticket);
    void message_to_resource(Resource& resource, const PacketRef& packet,
                             AcknowledgementTicket ticket);
    void message_to_best(const PacketRef& packet, AcknowledgementTicket ticket);
    void store_message(const PacketRef& packet, AcknowledgementTicket ticket);
    void count_offline();
    void refuse(const PacketRef& packet, AcknowledgementTicket ticket);
    void account_iq(const PacketRef& packet);
    [[nodiscard]] StoreKey store_key() const;

    // user_offline.cc
    /// Usually one or two; no memory is asked for then.
    using Resources = boost::container::small_vector<Resource*, 4>;
    /// The available resources of the highest priority, if that is not negative.
    [[nodiscard]] Resources best_resources() const;
    /// Stored messages are, or may be, on their way: what comes now goes behind them.
    [[nodiscard]] bool catching_up() const { return reading_rows_ || more_rows_ || keeping_ != 0; }
    void queue_behind(const PacketRef& packet, AcknowledgementTicket ticket);
    void spill_behind();
    void read_rows();
    void deliver_rows(const std::vector<LogRow>& rows);
    bool deliver_row(Resource& resource, const LogRow& row);
    void caught_up();
    void resources_changed();
    /// Nothing may be left to do: then it may be dropped.
    void rest();

    // user_presence.cc
    void broadcast(const PacketRef& packet);
    void first_presence(Resource& resource);
    void probe_contacts(const Resource& resource);
    void became_unavailable(Resource& resource, const PacketRef& packet);
    void probe_in(const PacketRef& packet);
    void send_requests(Resource& resource);

    // user_subscription.cc
    void subscription_in(const PacketRef& packet, AcknowledgementTicket ticket);
    Outcome plan_outbound(const PacketRef& packet, const Jid& contact, Batch& batch, Change& change,
                          SubscriptionStep& step);
    Outcome plan_inbound(const PacketRef& packet, Batch& batch, Change& change,
                         SubscriptionStep& step);
    void show_subscription(const PacketRef& packet);

    Hub& hub_;
    Jid jid_;
    std::vector<Resource*> resources_;
    Roster roster_;
    std::deque<PendingChange> changes_;
    std::vector<std::function<void(const Outcome&)>> waiting_;
    State state_ = State::fresh;
    bool exists_ = false;
    bool disabled_ = false;
    bool outdated_ = false;  ///< changed behind our back while it was being loaded
    bool changing_ = false;
    std::size_t offline_rows_ = 0;  ///< stored messages, once counted
    bool offline_counted_ = false;
    std::vector<std::pair<PacketRef, AcknowledgementTicket>>
        uncounted_;         ///< to be stored once that is known
    unsigned reading_ = 0;  ///< questions to the store that will answer to us

    struct Behind {
        PacketRef packet;
        HoldId hold = 0;
    };
    std::deque<Behind> behind_;     ///< came while stored messages were on their way
    std::size_t keeping_ = 0;       ///< messages on their way into the store
    std::uint64_t rows_after_ = 0;  ///< rows up to that id have been delivered
    bool reading_rows_ = false;
    bool more_rows_ = false;  ///< rows are left for when the resource has room
};

}  // namespace causeway
