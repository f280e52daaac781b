// causewayctl's connection to the server; see client.h.
#include "tools/ctl/client.h"

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "gateway/control/json_rpc.h"

namespace causeway::ctl {

namespace asio = boost::asio;
namespace json = boost::json;
using boost::system::error_code;

namespace {

constexpr const char* local_socket = "./causeway.sock";
constexpr const char* system_socket = "/run/causeway/causeway.sock";
/// Far above what a server writes as one line; a bound all the same.
constexpr std::size_t longest_answer = std::size_t{64} * 1024 * 1024;

bool exists(const char* path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

/// Why there is no connection, and what to do next.
Outcome explain(const std::string& path, error_code error) {
    if (error == boost::system::errc::no_such_file_or_directory) {
        return Outcome::absent("there is no control socket " + path +
                               "; is the server running? Its configuration says the path "
                               "(control.socket): give that with --socket");
    }
    if (error == boost::system::errc::connection_refused) {
        return Outcome::absent("no server answers at " + path +
                               ", which a stopped one left behind; start the server, or give "
                               "another --socket");
    }
    if (error == boost::system::errc::permission_denied) {
        return Outcome::refused("not allowed to use " + path +
                                "; run causewayctl as root or as the user that the server runs as");
    }
    return Outcome::refused("cannot connect to " + path + ": " + error.message());
}

/// The server's answer or its no, from a parsed reply.
Result<json::value> result_of(json::object& reply) {
    if (json::value* result = reply.if_contains("result")) {
        return std::move(*result);
    }
    const json::value* error = reply.if_contains("error");
    const json::object* body = error == nullptr ? nullptr : error->if_object();
    const json::value* message = body == nullptr ? nullptr : body->if_contains("message");
    if (message == nullptr || !message->is_string()) {
        return Outcome::malformed("the server's answer has neither a result nor an error");
    }
    return Outcome::refused(std::string(message->get_string().c_str()));
}

/// The number in a notification's params; 0 if there is none.
std::uint64_t number_of(const json::object& line, std::string_view name) {
    const json::value* params = line.if_contains("params");
    const json::object* body = params == nullptr ? nullptr : params->if_object();
    const json::value* number = body == nullptr ? nullptr : body->if_contains(name);
    return number != nullptr && number->is_int64() && number->get_int64() > 0
               ? static_cast<std::uint64_t>(number->get_int64())
               : 0;
}

json::array* rows_of(json::object& line) {
    json::value* params = line.if_contains("params");
    json::object* body = params == nullptr ? nullptr : params->if_object();
    json::value* rows = body == nullptr ? nullptr : body->if_contains("rows");
    return rows == nullptr ? nullptr : rows->if_array();
}

}  // namespace

Result<std::string> find_socket(const std::string& given) {
    if (!given.empty()) {
        return given;
    }
    if (const char* named = std::getenv("CAUSEWAY_SOCKET"); named != nullptr && *named != '\0') {
        return std::string(named);
    }
    for (const char* path : {local_socket, system_socket}) {
        if (exists(path)) {
            return std::string(path);
        }
    }
    return Outcome::absent(
        "found no control socket: neither ./causeway.sock nor /run/causeway/causeway.sock is "
        "there; is the server running? Give its control.socket with --socket or in "
        "CAUSEWAY_SOCKET");
}

Client::Client(std::string path, Seconds timeout)
    : path_(std::move(path)), timeout_(timeout), socket_(context_) {}

Result<std::unique_ptr<Client>> Client::connect(const std::string& path, Seconds timeout) {
    std::unique_ptr<Client> client(new Client(path, timeout));
    constexpr std::size_t longest_path = 107;
    if (path.size() > longest_path) {
        return Outcome::malformed("the path " + path + " is too long for a socket (107 bytes)");
    }
    error_code error;
    client->socket_.connect({path}, error);
    if (error) {
        return explain(path, error);
    }
    return client;
}

Result<json::value> Client::call(std::string_view method, json::object params, const Rows& rows) {
    const auto id = send(method, std::move(params));
    if (!id) {
        return id.error();
    }
    auto answer = receive(rows);
    if (!answer) {
        return answer.error();
    }
    return std::move(answer->result);
}

Result<json::value> Client::follow(std::string_view method, json::object params, const Rows& rows) {
    constexpr std::chrono::hours for_ever{24 * 365};
    const auto id = send(method, std::move(params));
    if (!id) {
        return id.error();
    }
    auto answer = receive(rows, for_ever);
    if (!answer) {
        return answer.error();
    }
    return std::move(answer->result);
}

Result<std::int64_t> Client::send(std::string_view method, json::object params) {
    const std::string line =
        control::write_request(control::RpcId(++last_id_), method, std::move(params));
    error_code error;
    asio::write(socket_, asio::buffer(line), error);
    // A server that turns us away writes why and closes: what it wrote says more than this error.
    if (error && error != boost::system::errc::broken_pipe) {
        return Outcome::retry("lost the connection to " + path_ + ": " + error.message());
    }
    return last_id_;
}

Result<Client::Answer> Client::receive(const Rows& rows) { return receive(rows, timeout_); }

Result<Client::Answer> Client::receive(const Rows& rows, Seconds patience) {
    while (true) {
        const auto line = read_line(patience);
        if (!line) {
            return line.error();
        }
        error_code error;
        json::value value = json::parse(*line, error);
        json::object* object = error ? nullptr : value.if_object();
        if (object == nullptr) {
            return Outcome::malformed("what answers at " + path_ + " does not speak JSON-RPC");
        }
        if (object->contains("method")) {
            json::array* streamed = rows_of(*object);
            if (streamed != nullptr && rows) {
                rows(*streamed);
            } else if (progress_ && object->at("method") == "progress") {
                progress_(number_of(*object, "done"), number_of(*object, "total"));
            }
            continue;
        }
        const json::value* id = object->if_contains("id");
        const std::int64_t* number = id == nullptr ? nullptr : id->if_int64();
        if (number == nullptr) {
            // An answer to nobody is about the connection itself.
            auto about = result_of(*object);
            return about ? Outcome::malformed("the server answered what was not asked")
                         : about.error();
        }
        return Answer{*number, result_of(*object)};
    }
}

Result<std::string> Client::read_line(Seconds patience) {
    std::optional<error_code> done;
    std::size_t length = 0;
    asio::async_read_until(socket_, asio::dynamic_buffer(input_, longest_answer), '\n',
                           [&](error_code error, std::size_t bytes) {
                               done = error;
                               length = bytes;
                           });
    context_.restart();
    context_.run_for(patience);
    if (!done) {
        error_code ignored;
        socket_.close(ignored);
        context_.run();
        return Outcome::retry("the server did not answer within " +
                              std::to_string(patience.count()) + " seconds");
    }
    if (*done == asio::error::eof || *done == boost::system::errc::connection_reset) {
        return Outcome::retry("the server closed the connection before it answered");
    }
    if (*done) {
        return Outcome::retry("lost the connection to " + path_ + ": " + done->message());
    }
    std::string line = input_.substr(0, length);
    input_.erase(0, length);
    return line;
}

Outcome Client::wait_for_end(Seconds at_most) {
    bool ended = false;
    asio::async_read_until(socket_, asio::dynamic_buffer(input_, longest_answer), '\n',
                           [&ended](error_code error, std::size_t) { ended = bool(error); });
    context_.restart();
    context_.run_for(at_most);
    error_code ignored;
    socket_.close(ignored);
    context_.run();
    return ended ? Outcome{}
                 : Outcome::retry("the server still runs after " + std::to_string(at_most.count()) +
                                  " seconds");
}

}  // namespace causeway::ctl
