// What an XmppStream can be in: every state, and one function that says where each event leads.
#pragma once

namespace causeway {

enum class XmppStreamState : unsigned char {
    awaiting_header,  ///< nothing, or a restart: both headers are due
    header_sent,      ///< ours is written, the peer's is due
    header_came,      ///< the peer's is here, ours is due
    open,
    hearing,  ///< our end is written; what the peer sends before it has heard of that is taken
    ended,    ///< the peer's end is here, ours is due; a last word of ours may come before it
    closing,  ///< our end is written, and nothing is taken any more
    closed,
};

enum class XmppStreamEvent : unsigned char {
    header_written,
    header_came,
    restarts,      ///< behind TLS or SASL
    goes_on,       ///< what was open elsewhere is open here
    ends,          ///< by us, or the peer ended its side
    ends_hearing,  ///< by us, and the peer's rest is to be heard
    peer_ends,     ///< and ours comes later
    is_gone,       ///< the connection is over, or elsewhere
};

/// An event that means nothing in a state leaves it as it is.
constexpr XmppStreamState next(XmppStreamState state, XmppStreamEvent event) {
    using enum XmppStreamState;
    const bool usable = state < hearing;
    switch (event) {
        case XmppStreamEvent::header_written:
            return state == awaiting_header ? header_sent : state == header_came ? open : state;
        case XmppStreamEvent::header_came:
            return state == awaiting_header ? header_came : state == header_sent ? open : state;
        case XmppStreamEvent::restarts: return usable ? awaiting_header : state;
        case XmppStreamEvent::goes_on: return usable ? open : state;
        case XmppStreamEvent::ends: return state == closed ? closed : closing;
        case XmppStreamEvent::ends_hearing:
            return state == open ? hearing : usable || state == ended ? closing : state;
        case XmppStreamEvent::peer_ends: return state == open ? ended : state;
        case XmppStreamEvent::is_gone: return closed;
    }
    return state;
}

/// The peer's header comes next.
constexpr bool header_is_due(XmppStreamState state) {
    return state == XmppStreamState::awaiting_header || state == XmppStreamState::header_sent;
}
/// Ours stands before what we write.
constexpr bool header_is_written(XmppStreamState state) {
    return state == XmppStreamState::header_sent || state == XmppStreamState::open ||
           state == XmppStreamState::ended;
}
/// The peer's elements are taken.
constexpr bool hears(XmppStreamState state) {
    return state >= XmppStreamState::header_came && state <= XmppStreamState::hearing;
}

}  // namespace causeway
