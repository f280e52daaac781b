#include "gateway/xmpp/message_traits.h"

#include <algorithm>
#include <array>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view real_time_text = "urn:xmpp:rtt:0";

// OMEMO as clients have it, and as it stands now (XEP-0384); then the two ways of OpenPGP
// (XEP-0373, XEP-0027).
constexpr std::string_view omemo_first = "eu.siacs.conversations.axolotl";
constexpr std::string_view omemo = "urn:xmpp:omemo:2";
constexpr std::string_view openpgp = "urn:xmpp:openpgp:0";
constexpr std::string_view openpgp_first = "jabber:x:encrypted";

constexpr std::array of_conversations{omemo_first, omemo, openpgp, openpgp_first,
                                      // Calls (XEP-0353), reactions (XEP-0444)
                                      std::string_view("urn:xmpp:jingle-message:0"),
                                      std::string_view("urn:xmpp:jingle-message:1"),
                                      std::string_view("urn:xmpp:reactions:0"), ns::retraction};

/// What one pass over the children of a message finds.
struct Found {
    bool chat_state = false;
    bool real_time_text = false;  ///< its parts follow from one another (XEP-0301)
    bool substance = false;       ///< something that is of use later
    bool no_store = false;
    bool no_permanent_store = false;
    bool store = false;
};

void look_at_hint(const Element& hint, MessageTraits& traits, Found& found) {
    if (hint.name == "no-store") found.no_store = true;
    if (hint.name == "no-permanent-store") found.no_permanent_store = true;
    if (hint.name == "store") found.store = true;
    if (hint.name == "no-copy") traits.not_copied = true;
}

void look_at(const Element& child, StanzaType type, MessageTraits& traits, Found& found) {
    if (child.ns == ns::hints) {
        look_at_hint(child, traits, found);
    } else if (child.ns == ns::chat_states) {
        found.chat_state = true;
    } else if (child.ns == ns::stanza_ids || child.ns == ns::delay) {
        // What servers add says nothing of the message.
    } else if (child.is(ns::carbons, "private")) {
        traits.not_copied = true;
    } else if (child.is(ns::archive, "result")) {
        // An archive answered, such as a room's: what it says is kept there.
        found.no_store = true;
    } else if (child.ns == real_time_text) {
        // Text while it is typed, of no use later: what came of it comes as a body.
        found.real_time_text = true;
    } else if (child.ns == ns::client && child.name == "thread") {
        // Of use only with something else.
    } else if (child.ns == ns::client && child.name == "subject") {
        // RFC 6121 §5.2.4: a subject may stand alone in a normal message.
        found.substance = found.substance || type == StanzaType::normal;
    } else {
        found.substance = true;
        if (child.is(ns::client, "body")) traits.has_body = true;
        if (child.ns == ns::receipts || child.ns == ns::chat_markers) traits.answers_message = true;
        if (child.is(ns::retraction, "retract")) traits.retracts = true;
        if (child.is(ns::muc_user, "x")) traits.room_private = true;
    }
}

}  // namespace

MessageTraits traits_of(const Stanza& stanza) {
    MessageTraits traits;
    if (stanza.kind != StanzaKind::message) return traits;
    Found found;
    for (const Element* child = stanza.element.first_element(); child != nullptr;
         child = child->next_element()) {
        look_at(*child, stanza.type, traits, found);
    }
    const bool kept_type = stanza.type == StanzaType::normal || stanza.type == StanzaType::chat;
    traits.storable = kept_type && !found.no_store && (found.substance || found.store);
    traits.archivable = traits.storable && !found.no_permanent_store;
    traits.only_chat_state =
        found.chat_state && !found.real_time_text && !found.substance && !found.store;
    return traits;
}

bool of_conversation(const Stanza& message) {
    for (const Element* child = message.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (std::ranges::find(of_conversations, child->ns) != of_conversations.end()) return true;
    }
    return false;
}

bool says_in_secret(const Stanza& message) {
    for (const Element* child = message.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->is(openpgp, "openpgp") || child->is(openpgp_first, "x")) return true;
        const bool of_omemo = child->is(omemo_first, "encrypted") || child->is(omemo, "encrypted");
        if (of_omemo && child->child(child->ns, "payload") != nullptr) return true;
    }
    return false;
}

}  // namespace causeway
