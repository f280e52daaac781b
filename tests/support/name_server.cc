#include "tests/support/name_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace causeway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

const char* type_name(DnsType type) {
    switch (type) {
        case DnsType::a: return "A ";
        case DnsType::aaaa: return "AAAA ";
        case DnsType::srv: return "SRV ";
        default: return "? ";
    }
}

/// A TCP caller: one query, one reply.
struct Caller {
    explicit Caller(asio::ip::tcp::socket accepted) : socket(std::move(accepted)) {}
    asio::ip::tcp::socket socket;
    std::array<unsigned char, 2> size{};
    NameServer::Bytes bytes;
};

}  // namespace

NameServer::NameServer(asio::io_context& context, Script script)
    : script_(std::move(script)),
      acceptor_(context, {asio::ip::make_address("127.0.0.1"), 0}),
      socket_(context, {asio::ip::make_address("127.0.0.1"), acceptor_.local_endpoint().port()}) {
    receive();
    accept();
}

Endpoint NameServer::endpoint() const {
    const asio::ip::tcp::endpoint at = acceptor_.local_endpoint();
    return {at.address(), at.port()};
}

std::optional<NameServer::Bytes> NameServer::reply_to(std::span<const unsigned char> query,
                                                      bool tcp) {
    Query asked;
    asked.tcp = tcp;
    if (query.size() < 12) return std::nullopt;
    asked.id = static_cast<unsigned>(query[0] << 8 | query[1]);
    asked.port = sender_.port();
    std::size_t at = 12;
    while (at < query.size() && query[at] != 0) {
        const std::size_t size = query[at];
        if (at + 1 + size >= query.size()) return std::nullopt;
        if (!asked.name.empty()) asked.name += '.';
        asked.name.append(query.begin() + static_cast<std::ptrdiff_t>(at + 1),
                          query.begin() + static_cast<std::ptrdiff_t>(at + 1 + size));
        at += 1 + size;
    }
    if (at + 3 > query.size()) return std::nullopt;
    asked.type = static_cast<DnsType>(query[at + 1] << 8 | query[at + 2]);
    questions_.push_back(type_name(asked.type) + asked.name + (tcp ? " tcp" : ""));
    auto reply = script_(asked);
    if (reply && reply->size() >= 2) std::copy_n(query.begin(), 2, reply->begin());
    return reply;
}

void NameServer::receive() {
    socket_.async_receive_from(
        asio::buffer(buffer_), sender_, [this](const error_code& error, std::size_t size) {
            if (error == asio::error::operation_aborted) return;
            if (!error) {
                const auto reply = reply_to(std::span(buffer_).first(size), false);
                error_code ignored;
                if (reply) {
                    socket_.send_to(asio::buffer(*reply), sender_, 0, ignored);
                }
            }
            receive();
        });
}

void NameServer::accept() {
    acceptor_.async_accept([this](const error_code& error, asio::ip::tcp::socket socket) {
        if (error) return;
        auto caller = std::make_shared<Caller>(std::move(socket));
        asio::async_read(caller->socket, asio::buffer(caller->size),
                         [this, caller](const error_code& no_size, std::size_t) {
                             if (no_size) return;
                             caller->bytes.resize(
                                 static_cast<std::size_t>(caller->size[0] << 8 | caller->size[1]));
                             asio::async_read(
                                 caller->socket, asio::buffer(caller->bytes),
                                 [this, caller](const error_code& no_query, std::size_t) {
                                     if (no_query) return;
                                     auto reply = reply_to(caller->bytes, true);
                                     if (!reply) return;
                                     caller->bytes = std::move(*reply);
                                     const std::size_t size = caller->bytes.size();
                                     const std::array<unsigned char, 2> prefix = {
                                         static_cast<unsigned char>(size >> 8U),
                                         static_cast<unsigned char>(size & 0xffU)};
                                     caller->bytes.insert(caller->bytes.begin(), prefix.begin(),
                                                          prefix.end());
                                     asio::async_write(caller->socket, asio::buffer(caller->bytes),
                                                       [caller](const error_code&, std::size_t) {});
                                 });
                         });
        accept();
    });
}

}  // namespace causeway
