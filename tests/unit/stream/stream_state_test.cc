#include "gateway/stream/stream_state.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace causeway::test {

using enum XmppStreamState;

TEST_CASE("stream state: it is open when both headers are there, in either order") {
    CHECK(next(awaiting_header, XmppStreamEvent::header_written) == header_sent);
    CHECK(next(header_sent, XmppStreamEvent::header_came) == open);
    CHECK(next(awaiting_header, XmppStreamEvent::header_came) == header_came);
    CHECK(next(header_came, XmppStreamEvent::header_written) == open);
    CHECK(next(open, XmppStreamEvent::restarts) == awaiting_header);
}

TEST_CASE("stream state: the rest is heard of a stream that was open, and the end is the end") {
    CHECK(next(open, XmppStreamEvent::ends_hearing) == hearing);
    CHECK(next(header_sent, XmppStreamEvent::ends_hearing) == closing);
    CHECK(next(hearing, XmppStreamEvent::ends) == closing);
    CHECK(next(hearing, XmppStreamEvent::is_gone) == closed);
    for (const XmppStreamState state : {hearing, closing, closed}) {
        CHECK(next(state, XmppStreamEvent::header_came) == state);
        CHECK(next(state, XmppStreamEvent::header_written) == state);
        CHECK(next(state, XmppStreamEvent::restarts) == state);
        CHECK(next(state, XmppStreamEvent::ends_hearing) == state);
        CHECK(next(closed, XmppStreamEvent::ends) == closed);
    }
}

TEST_CASE("stream state: where the peer has ended it our last word may come before our end") {
    CHECK(next(open, XmppStreamEvent::peer_ends) == ended);
    CHECK(next(hearing, XmppStreamEvent::peer_ends) == hearing);
    CHECK(next(ended, XmppStreamEvent::ends) == closing);
    CHECK(next(ended, XmppStreamEvent::ends_hearing) == closing);
    CHECK(next(ended, XmppStreamEvent::is_gone) == closed);
    CHECK(next(ended, XmppStreamEvent::restarts) == ended);
    CHECK(header_is_written(ended));
    CHECK(!hears(ended));
}

TEST_CASE("stream state: what each means for what is written and taken") {
    CHECK(header_is_due(awaiting_header));
    CHECK(header_is_due(header_sent));
    CHECK(!header_is_due(open));
    CHECK(header_is_written(header_sent));
    CHECK(!header_is_written(header_came));
    CHECK(hears(header_came));
    CHECK(hears(hearing));
    CHECK(!hears(header_sent));
    CHECK(!hears(closing));
}

}  // namespace causeway::test
