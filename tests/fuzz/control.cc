// Fuzz target: the control socket, from the bytes of a client to the answers. The first byte says
// in pieces of what size the rest arrives. Besides not crashing: every line that comes back is one
// JSON object of JSON-RPC 2.0, what is accepted can be written and read again, and after its client
// has ended a connection ends too.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/log.h"
#include "gateway/control/commands.h"
#include "gateway/control/connection.h"
#include "tests/unit/control/fake_operations.h"

namespace json = boost::json;
using namespace causeway;
using namespace causeway::control;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// What the client has to hear: a result or an error to a request, or rows about one.
void check_line(std::string_view line) {
    boost::system::error_code error;
    const json::value value = json::parse({line.data(), line.size()}, error);
    require(!error && value.is_object());
    const json::object& object = value.get_object();
    require(object.at("jsonrpc") == "2.0");
    if (object.contains("method")) {
        require(object.at("method") == "rows" && object.at("params").at("rows").is_array());
        require(!object.contains("id"));
        return;
    }
    require(object.contains("id") && object.contains("result") != object.contains("error"));
    if (object.contains("error")) {
        require(object.at("error").at("code").is_int64());
        require(!object.at("error").at("message").as_string().empty());
    }
}

/// A connection whose other end is in our hands.
class Session {
public:
    Session() {
        require(add_engine_commands(table_).ok());
        std::array<int, 2> ends{};
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
        client_ = ends[0];
        Connection::Socket socket(context_, boost::asio::local::stream_protocol(), ends[1]);
        ServerLimits limits;
        limits.requests = 4;
        limits.line_bytes = 64 * 1024;
        limits.output_bytes = 4 * 1024;
        connection_ = std::make_shared<Connection>(std::move(socket), PeerCredentials{}, table_,
                                                   limits, [this](Connection&) { ended_ = true; });
        connection_->start();
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        connection_->close();
        ::close(client_);
        settle();
    }

    void send(std::string_view bytes) {
        while (!bytes.empty() && !ended_) {
            const ssize_t sent = ::send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
            settle();
            receive();
        }
    }

    /// The client sends no more: what it asked is answered, and the connection ends.
    void finish() {
        ::shutdown(client_, SHUT_WR);
        while (!ended_) {
            require(settle() + receive() > 0);
        }
        receive();
        require(output_.empty());
    }

private:
    std::size_t settle() {
        context_.restart();
        return context_.poll();
    }

    std::size_t receive() {
        std::array<char, 65'536> some{};
        std::size_t total = 0;
        for (ssize_t got = 0; (got = ::recv(client_, some.data(), some.size(), 0)) > 0;) {
            total += static_cast<std::size_t>(got);
            output_.append(some.data(), static_cast<std::size_t>(got));
        }
        for (std::size_t end = 0; (end = output_.find('\n')) != std::string::npos;) {
            check_line(std::string_view(output_).substr(0, end));
            output_.erase(0, end + 1);
        }
        return total;
    }

    boost::asio::io_context context_{1};
    FakeOperations operations_;
    CommandTable table_{CommandHost{operations_}};
    std::shared_ptr<Connection> connection_;
    int client_ = -1;
    bool ended_ = false;
    std::string output_;
};

/// Each line that is a request or is not, read alone: what is accepted can be written and read
/// again.
void check_requests(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const auto parsed = parse_request(text.substr(0, end));
        if (const auto* request = std::get_if<RpcRequest>(&parsed); request && request->id) {
            const std::string line = write_request(*request->id, request->method, request->params);
            const auto again = parse_request(std::string_view(line).substr(0, line.size() - 1));
            const auto* same = std::get_if<RpcRequest>(&again);
            require(same != nullptr && same->id == request->id && same->method == request->method &&
                    same->params == request->params);
        } else if (const auto* rejection = std::get_if<RpcRejection>(&parsed)) {
            require(!rejection->error.message.empty());
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    log::set_level(log::Level::error);
    const std::size_t piece = data[0] == 0 ? size : data[0];
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    check_requests(text);
    Session session;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        session.send(text.substr(at, piece));
    }
    session.finish();
    return 0;
}
