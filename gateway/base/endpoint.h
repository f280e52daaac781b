// Endpoint and Address: where something is on the network. They are Asio's classes without its
// sockets: <boost/asio/ip/tcp.hpp> is 150,000 lines, and half of all files need an endpoint.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_endpoint.hpp>

namespace causeway {

/// Tells boost::asio::ip::basic_endpoint the family: TCP over IPv4 or IPv6.
class StreamProtocol {
public:
    static StreamProtocol v4() noexcept { return StreamProtocol(AF_INET); }
    static StreamProtocol v6() noexcept { return StreamProtocol(AF_INET6); }
    [[nodiscard]] int family() const noexcept { return family_; }
    bool operator==(const StreamProtocol&) const = default;

private:
    explicit StreamProtocol(int family) : family_(family) {}
    int family_;
};

using Address = boost::asio::ip::address;
/// An address with a TCP port.
using Endpoint = boost::asio::ip::basic_endpoint<StreamProtocol>;

}  // namespace causeway
