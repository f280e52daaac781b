// Stanza: a typed view on the Element of one stanza while it is being handled, with its addresses
// already normalised. Borrowed: it lives as long as the element's arena and never longer than a
// call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"
#include "gateway/xml/element.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

/// The three stanzas of RFC 6120 §8.2.
enum class StanzaKind : unsigned char { message, presence, iq };
inline constexpr std::size_t stanza_kinds = 3;

/// The `type` of a stanza; which values occur depends on the kind.
enum class StanzaType : unsigned char {
    // message (RFC 6121 §5.2.2)
    normal,
    chat,
    groupchat,
    headline,
    // presence (RFC 6121 §4.7.1)
    available,
    unavailable,
    subscribe,
    subscribed,
    unsubscribe,
    unsubscribed,
    probe,
    // iq (RFC 6120 §8.2.3)
    get,
    set,
    result,
    // all three
    error,
};

/// The element's name.
std::string_view to_string(StanzaKind kind);
/// The attribute's value; empty for `available`, which has none.
std::string_view to_string(StanzaType type);

/// By the element's name; nullopt if it is no stanza.
std::optional<StanzaKind> stanza_kind(const Element& element);
/// An unknown message type counts as normal (RFC 6121 §5.2.2); unknown presence and iq types give
/// nullopt, to be answered with bad-request.
std::optional<StanzaType> stanza_type(StanzaKind kind, const Element& element);

/// subscribe, subscribed, unsubscribe or unsubscribed.
constexpr bool is_subscription(StanzaType type) {
    return type >= StanzaType::subscribe && type <= StanzaType::unsubscribed;
}

/// By what a message from another server is known when it comes once more; 0: by nothing.
struct RepeatKeys {
    /// Of sender, recipient, content and the id that the sender's server gave it (XEP-0359): alike
    /// when that server sends it again.
    std::uint64_t by_server_id = 0;
    /// In by_server_id: that server has not said, or not yet, that it gives ids. The key is noted,
    /// and nothing is known by it.
    static constexpr std::uint64_t not_said = std::uint64_t{1} << 63U;
    /// The same with the client's id in place of the server's: alike also when that server was
    /// killed, and its client sends to it again what it never acknowledged.
    std::uint64_t by_client_id = 0;
    /// When, before it came, a stream of that server broke lately; else the epoch. Only of what had
    /// come before that by_client_id says anything.
    TimePoint broke{};
};

struct Stanza {
    Element& element;
    Arena& arena;
    StanzaKind kind;
    StanzaType type;
    Jid from;
    Jid to;  ///< empty when the stanza has none
    RepeatKeys repeat_keys{};
    /// Of a message: its number in its sender's archive or in an id by its sender (XEP-0359).
    std::uint64_t stanza_id = 0;
    /// Presence that its sender addressed itself: it hears if that domain cannot be reached.
    bool directed = false;

    [[nodiscard]] std::string_view id() const { return element.attribute("id"); }
    /// The one child of an iq get or set, else the first child element, or nullptr.
    [[nodiscard]] Element* payload() const { return element.first_element(); }
};

}  // namespace causeway
