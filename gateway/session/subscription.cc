#include "gateway/session/subscription.h"

namespace causeway {
namespace {

// What clients see of an item: subscription, ask, approved; a pending request is not part of it.
bool visibly_differs(const SubscriptionState& a, const SubscriptionState& b) {
    return a.to != b.to || a.from != b.from || a.pending_out != b.pending_out ||
           a.approved != b.approved;
}

}  // namespace

std::string_view SubscriptionState::name() const {
    if (to) return from ? "both" : "to";
    return from ? "from" : "none";
}

SubscriptionStep send_subscription(const SubscriptionState& state, StanzaType type) {
    SubscriptionStep step{.state = state};
    SubscriptionState& next = step.state;
    switch (type) {
        case StanzaType::subscribe:
            // Always routed, even if asked before: the first may have been lost (A.2.1).
            step.forward = true;
            if (!state.to) next.pending_out = true;
            break;
        case StanzaType::unsubscribe:
            step.forward = true;
            next.to = false;
            next.pending_out = false;
            break;
        case StanzaType::subscribed:
            // Routed only where a request is pending (A.2.3); otherwise it is a pre-approval, which
            // is recorded and never sent (§3.4.2).
            if (state.pending_in) {
                step.forward = true;
                next.pending_in = false;
                next.from = true;
                next.approved = false;
            } else if (!state.from) {
                next.approved = true;
            }
            break;
        case StanzaType::unsubscribed:
            step.forward = state.pending_in || state.from;
            next.pending_in = false;
            next.from = false;
            next.approved = false;
            break;
        default: break;
    }
    step.push = visibly_differs(state, next);
    return step;
}

SubscriptionStep receive_subscription(const SubscriptionState& state, StanzaType type) {
    SubscriptionStep step{.state = state};
    SubscriptionState& next = step.state;
    switch (type) {
        case StanzaType::subscribe:
            if (state.from) {
                step.reply_subscribed = true;  // §3.1.3: already subscribed
            } else if (state.approved) {
                step.reply_subscribed = true;  // §3.4.2: approved beforehand
                next.from = true;
                next.approved = false;
                next.pending_in = false;
            } else {
                // Delivered once; a repetition only renews the request that waits (A.3.1).
                step.forward = !state.pending_in;
                next.pending_in = true;
            }
            break;
        case StanzaType::unsubscribe:
            step.forward = state.from || state.pending_in;
            next.from = false;
            next.pending_in = false;
            break;
        case StanzaType::subscribed:
            // Unasked, it is ignored: nobody can make the user subscribe (A.3.3).
            if (state.pending_out) {
                step.forward = true;
                next.pending_out = false;
                next.to = true;
            }
            break;
        case StanzaType::unsubscribed:
            if (state.pending_out || state.to) {
                step.forward = true;
                next.pending_out = false;
                next.to = false;
            }
            break;
        default: break;
    }
    step.push = visibly_differs(state, next);
    return step;
}

}  // namespace causeway
