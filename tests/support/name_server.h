// NameServer: a DNS server on a loopback port, over UDP and TCP, that answers with whatever bytes
// the test gives it. It runs on the test's own io_context.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/net/dns_message.h"

namespace causeway {

class NameServer {
public:
    struct Query {
        std::string name;
        DnsType type = DnsType::a;
        bool tcp = false;
        unsigned id = 0;
        unsigned port = 0;  ///< of the asker, over UDP
    };
    using Bytes = std::vector<unsigned char>;
    /// The reply (its id is filled in), or nothing for silence.
    using Script = std::function<std::optional<Bytes>(const Query&)>;

    NameServer(boost::asio::io_context& context, Script script);

    [[nodiscard]] Endpoint endpoint() const;
    /// Everything asked, such as "SRV _xmpp-server._tcp.a.example" or "A a.example tcp".
    [[nodiscard]] const std::vector<std::string>& questions() const { return questions_; }

private:
    void receive();
    void accept();
    std::optional<Bytes> reply_to(std::span<const unsigned char> query, bool tcp);

    Script script_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::ip::udp::socket socket_;
    boost::asio::ip::udp::endpoint sender_;
    std::array<unsigned char, 4096> buffer_{};
    std::vector<std::string> questions_;
};

}  // namespace causeway
