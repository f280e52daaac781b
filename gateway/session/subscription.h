// The subscription state machine of RFC 6121 Appendix A, as data: what each of the four
// subscription stanzas does to one roster item, seen from either side. No input or output of its
// own.
#pragma once

#include <string_view>

#include "gateway/xmpp/stanza.h"

namespace causeway {

/// One side's view of the other: whether the contact sees the user (`from`), whether the user sees
/// the contact (`to`), who has asked whom, and pre-approval (RFC 6121 §3.4).
struct SubscriptionState {
    bool to = false;
    bool from = false;
    bool pending_out = false;
    bool pending_in = false;
    bool approved = false;

    bool operator==(const SubscriptionState&) const = default;
    /// "none", "to", "from" or "both".
    [[nodiscard]] std::string_view name() const;
};

/// The new state, and what else is to be done with the stanza.
struct SubscriptionStep {
    SubscriptionState state;
    bool forward = false;  ///< outbound: route it; inbound: deliver it to the user's resources
    bool push = false;     ///< the item as clients see it changed
    bool reply_subscribed = false;  ///< inbound subscribe: answer at once (approved already)
};

/// The user sends `type` to the contact (RFC 6121 Appendix A.2).
SubscriptionStep send_subscription(const SubscriptionState& state, StanzaType type);

/// `type` arrives from the contact (RFC 6121 Appendix A.3).
SubscriptionStep receive_subscription(const SubscriptionState& state, StanzaType type);

}  // namespace causeway
