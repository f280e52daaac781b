// XEP-0288: what the step of the negotiation says to the streams of servers.
#pragma once

namespace causeway {

namespace stream_bits {
/// Stanzas go both ways, once a pair of domains is proven. Only between servers.
inline constexpr unsigned bidirectional = 256;
}  // namespace stream_bits

}  // namespace causeway
