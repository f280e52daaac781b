// StreamFeature: a step of the negotiation of a stream (RFC 6120 §4.3), as data, for either kind of
// stream and either side of it. What the stream has reached decides which step is due.
#pragma once

#include <string>
#include <string_view>

namespace causeway {

class Arena;
class Element;
class Negotiation;

/// What a stream has reached, or what is known of it: a step needs some of them and is forbidden by
/// others.
namespace stream_bits {
inline constexpr unsigned secure = 1;
inline constexpr unsigned authenticated = 2;
inline constexpr unsigned bound = 4;
inline constexpr unsigned managed = 8;            ///< stream management is on
inline constexpr unsigned external_tried = 128;   ///< our certificate was shown on this stream
inline constexpr unsigned external_refused = 16;  ///< the peer does not take our certificate
inline constexpr unsigned dialback_errors = 32;   ///< the peer goes on after a refused key
inline constexpr unsigned only_asks = 64;  ///< a stream that verifies a key and proves nothing
inline constexpr unsigned anonymous = 512;  ///< of an account that is gone with its session
}  // namespace stream_bits

/// Which streams a step is for.
enum class StreamSide : unsigned char { client, server };
/// Which end of the stream this server is.
enum class StreamRole : unsigned char { receiving, initiating };

struct StreamFeature {
    StreamSide side = StreamSide::client;
    StreamRole role = StreamRole::receiving;
    std::string_view ns = {};  ///< of the elements that negotiate it; empty: purely informational
    unsigned needs = 0;
    unsigned forbids = 0;
    /// Receiving: appends what stands in <stream:features/>; may append nothing.
    void (*offer)(Negotiation& negotiation, std::string& out) = nullptr;
    /// Initiating: begins the step if the peer's features have it; false: the next one is due.
    /// `features` is nullptr when an earlier step on the same stream has failed.
    bool (*begin)(Negotiation& negotiation, const Element* features) = nullptr;
    /// An element of `ns` came, and the step is on offer, or was begun.
    void (*handle)(Negotiation& negotiation, Element& element, Arena& arena) = nullptr;
};

}  // namespace causeway
