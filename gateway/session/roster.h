// Roster: one account's contacts as they stand in the store: items, pending requests, versions.
// Owned by the Account; changed only after the change is durable.
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
    static constexpr std::string_view store_name = "roster";
    /// Removals remembered for roster versioning; older versions get the whole roster.
    static constexpr std::size_t tombstone_limit = 200;

    static Result<Roster> from_store(const std::vector<MapEntry>& entries);

    [[nodiscard]] const RosterItem* find(const Jid& bare) const;
    [[nodiscard]] const std::map<std::string, RosterItem, std::less<>>& items() const {
        return items_;
    }
    [[nodiscard]] std::uint64_t version() const { return version_; }
    [[nodiscard]] std::size_t listed_count() const { return listed_; }
    [[nodiscard]] std::size_t request_count() const;
    /// Whether every change since `version` is known.
    [[nodiscard]] bool knows_since(std::uint64_t version) const {
        return version >= floor_ && version <= version_;
    }

    /// Records the change in `batch` under the next version if clients see it; apply() the returned
    /// item once the batch is durable.
    RosterItem plan(Batch& batch, std::string_view owner, RosterItem item, bool visible) const;
    void apply(RosterItem item);

private:
    std::map<std::string, RosterItem, std::less<>> items_;
    std::uint64_t version_ = 0;
    std::uint64_t floor_ = 0;  ///< older versions cannot be told what was removed
    std::size_t listed_ = 0;
};

/// `<item …/>` as in a roster result or push (RFC 6121 §2.1.2).
void append_item(std::string& out, const RosterItem& item);

}  // namespace causeway
