// NetworkPrefix: the network that an address belongs to, as far as a limit is concerned.
#pragma once

#include <string>

#include "gateway/net/socket.h"

namespace causeway {

/// An IPv4 /24 or an IPv6 /64, as bytes for a map. An IPv6 customer has a /64 at least, and a small
/// IPv4 network is one neighbour: to count single addresses would bound nothing.
inline std::string network_prefix(const Endpoint& remote) {
    const Address address = remote.address();
    if (address.is_v6() && !address.to_v6().is_v4_mapped()) {
        const auto bytes = address.to_v6().to_bytes();
        return {reinterpret_cast<const char*>(bytes.data()), 8};
    }
    const auto bytes = (address.is_v4() ? address.to_v4()
                                        : boost::asio::ip::make_address_v4(
                                              boost::asio::ip::v4_mapped, address.to_v6()))
                           .to_bytes();
    return {reinterpret_cast<const char*>(bytes.data()), 3};
}

}  // namespace causeway
