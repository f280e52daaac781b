#include "gateway/xmpp/stanza.h"

#include <doctest/doctest.h>

#include "gateway/xml/ns.h"

namespace causeway::test {
namespace {

/// The type that an element of that kind with this `type` has.
std::optional<StanzaType> type_of(StanzaKind kind, std::string_view type) {
    Arena arena;
    Element element(ns::client, to_string(kind));
    element.set_attribute(arena, "type", type);
    return stanza_type(kind, element);
}

std::optional<StanzaType> type_without_attribute(StanzaKind kind) {
    return stanza_type(kind, Element(ns::client, to_string(kind)));
}

}  // namespace

TEST_CASE("stanza: a kind is a name in the content namespace") {
    CHECK(stanza_kind(Element(ns::client, "message")) == StanzaKind::message);
    CHECK(stanza_kind(Element(ns::client, "presence")) == StanzaKind::presence);
    CHECK(stanza_kind(Element(ns::client, "iq")) == StanzaKind::iq);
    CHECK(!stanza_kind(Element(ns::client, "Message")));
    CHECK(!stanza_kind(Element(ns::client, "")));
    CHECK(!stanza_kind(Element(ns::stream, "message")));
    CHECK(!stanza_kind(Element("", "iq")));
}

TEST_CASE("stanza: types of messages, of which an unknown one is normal") {
    using T = StanzaType;
    for (const T type : {T::normal, T::chat, T::groupchat, T::headline, T::error}) {
        CHECK(type_of(StanzaKind::message, to_string(type)) == type);
    }
    CHECK(type_without_attribute(StanzaKind::message) == T::normal);
    for (const char* unknown : {"", "odd", "Chat", "subscribe", "get", "unavailable"}) {
        CHECK(type_of(StanzaKind::message, unknown) == T::normal);
    }
}

TEST_CASE("stanza: types of presence, of which available is none at all") {
    using T = StanzaType;
    for (const T type : {T::unavailable, T::subscribe, T::subscribed, T::unsubscribe,
                         T::unsubscribed, T::probe, T::error}) {
        CHECK(type_of(StanzaKind::presence, to_string(type)) == type);
    }
    CHECK(type_without_attribute(StanzaKind::presence) == T::available);
    for (const char* unknown : {"", "available", "odd", "chat", "get"}) {
        CHECK(!type_of(StanzaKind::presence, unknown));
    }
}

TEST_CASE("stanza: types of requests, which always have one") {
    using T = StanzaType;
    for (const T type : {T::get, T::set, T::result, T::error}) {
        CHECK(type_of(StanzaKind::iq, to_string(type)) == type);
    }
    CHECK(!type_without_attribute(StanzaKind::iq));
    for (const char* unknown : {"", "odd", "Get", "chat", "probe"}) {
        CHECK(!type_of(StanzaKind::iq, unknown));
    }
}

TEST_CASE("stanza: which types are about subscriptions") {
    using T = StanzaType;
    for (const T type : {T::subscribe, T::subscribed, T::unsubscribe, T::unsubscribed}) {
        CHECK(is_subscription(type));
    }
    for (const T type : {T::normal, T::headline, T::available, T::unavailable, T::probe, T::get,
                         T::result, T::error}) {
        CHECK(!is_subscription(type));
    }
}

TEST_CASE("stanza: its id and its payload") {
    Arena arena;
    Element element(ns::client, "iq");
    const Stanza stanza{element, arena, StanzaKind::iq, StanzaType::get, {}, {}};
    CHECK(stanza.id().empty());
    CHECK(stanza.payload() == nullptr);
    element.set_attribute(arena, "id", "7");
    element.add_text(arena, " ");
    const Element& payload = element.add_child(arena, "urn:x", "x");
    CHECK(stanza.id() == "7");
    CHECK(stanza.payload() == &payload);
}

}  // namespace causeway::test
