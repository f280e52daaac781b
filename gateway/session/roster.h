// Roster: one account's contacts as they stand in the store: items, pending requests, versions.
// Owned by the AccountRoster; changed only after the change is durable.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/session/subscription.h"
#include "gateway/store/store.h"
#include "gateway/xml/builder.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

struct RosterItem {
    Jid jid;
    std::string name;
    std::vector<std::string> groups;
    SubscriptionState state;
    std::string request;        ///< the pending inbound subscribe stanza, as it is to be delivered
    std::uint64_t version = 0;  ///< of the roster when this item changed last
    bool listed = false;        ///< an item that clients see; false: only a request, or removed
    bool removed = false;       ///< a tombstone, so that versions tell of the removal

    /// Nothing worth keeping.
    [[nodiscard]] bool blank() const {
        return !listed && !removed && !state.pending_in && !state.approved;
    }
};

class Roster {
public:
    Roster();

    static constexpr std::string_view store_name = "roster";
    /// Removals remembered for roster versioning; older versions get the whole roster.
    static constexpr std::size_t tombstone_limit = 200;

    /// A row that cannot be read costs one contact; it is passed over and logged.
    static Roster from_store(std::string_view owner, const std::vector<MapEntry>& entries);

    [[nodiscard]] const RosterItem* find(const Jid& bare) const;
    [[nodiscard]] const std::map<std::string, RosterItem, std::less<>>& items() const {
        return items_;
    }
    [[nodiscard]] std::uint64_t version() const { return version_; }
    /// What clients are told: the number, behind a random part that is of this roster alone. The
    /// first change after the roster was read begins a new random part, so that a version of a
    /// roster that was removed, or undone by restoring a backup, is not mistaken for one of this.
    [[nodiscard]] std::string version_text(std::uint64_t version) const;
    [[nodiscard]] std::size_t listed_count() const { return counts_.listed; }
    [[nodiscard]] std::size_t request_count() const { return counts_.requests; }
    /// The number of a client's version if every change since is known; nullopt: it needs the
    /// whole roster (RFC 6121 §2.6.2).
    [[nodiscard]] std::optional<std::uint64_t> since(std::string_view version_text) const;

    /// Records the change in `batch` under the next version if clients see it; apply() the returned
    /// item once the batch is durable.
    RosterItem plan(Batch& batch, std::string_view owner, RosterItem item, bool visible) const;
    void apply(RosterItem item);

private:
    friend class RosterTrial;

    /// Whether apply() lets the tombstones go for it, as plan() did.
    [[nodiscard]] bool drops_tombstones(const RosterItem& item) const {
        return item.version > version_ && !item.listed && !item.removed;
    }

    std::map<std::string, RosterItem, std::less<>> items_;
    std::uint64_t version_ = 0;
    std::uint64_t floor_ = 0;  ///< older versions cannot be told what was removed
    std::string incarnation_;  ///< the random part of the versions from first_ on
    std::uint64_t first_ = 0;
    std::string before_;            ///< the random part of the versions before first_
    std::string next_incarnation_;  ///< that of the versions made since this roster was read
    /// How many of items_ are such.
    struct Counts {
        std::size_t listed = 0;
        std::size_t removed = 0;
        std::size_t requests = 0;

        void add(const RosterItem& item);
        void take(const RosterItem& item);
    };
    Counts counts_;
};

/// Items that are applied only so that further changes can be planned on top of them: when it goes,
/// the roster is what it was.
class RosterTrial {
public:
    explicit RosterTrial(Roster& roster);
    RosterTrial(const RosterTrial&) = delete;
    RosterTrial& operator=(const RosterTrial&) = delete;
    ~RosterTrial();

    /// False: something goes with the item, and nothing can be planned on top of it.
    bool apply(const RosterItem& item);

private:
    struct Before {
        std::string key;
        std::optional<RosterItem> item;
    };

    Roster& roster_;
    const std::uint64_t version_, first_;
    const std::string incarnation_, before_;
    std::vector<Before> replaced_;
};

/// `<item …/>` as in a roster result or push (RFC 6121 §2.1.2).
void append_item(XmlBuilder& xml, const RosterItem& item);

/// The `<query/>` of a roster push (RFC 6121 §2.1.6).
std::string roster_push(const Roster& roster, const RosterItem& item);

}  // namespace causeway
