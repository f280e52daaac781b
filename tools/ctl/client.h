// Client: causewayctl's side of the control socket. One connection, requests written and answers
// read one after the other; several may be under way. Blocks, never longer than its timeout without
// a byte from the server. Failures carry the whole sentence that the user reads.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/outcome.h"

namespace causeway::ctl {

/// Where the socket is: `given`, else $CAUSEWAY_SOCKET, else the first that exists of
/// ./causeway.sock and /run/causeway/causeway.sock. Absent, with what to do, if there is none.
Result<std::string> find_socket(const std::string& given);

class Client {
public:
    using Seconds = std::chrono::seconds;
    /// Rows of a list, as they arrive.
    using Rows = std::function<void(boost::json::array&)>;

    /// The answer to one request.
    struct Answer {
        std::int64_t id = 0;
        Result<boost::json::value> result;
    };

    static Result<std::unique_ptr<Client>> connect(const std::string& path, Seconds timeout);

    /// How far a long request is, of how much, as the server tells it.
    using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;
    void on_progress(Progress progress) { progress_ = std::move(progress); }

    /// Sends a request and waits for its answer; `rows` gets what a list streams before it.
    Result<boost::json::value> call(std::string_view method, boost::json::object params,
                                    const Rows& rows = {});

    /// The same for what goes on until the user has seen enough: waits for each row however long.
    Result<boost::json::value> follow(std::string_view method, boost::json::object params,
                                      const Rows& rows);

    /// Sends a request without waiting; its id.
    Result<std::int64_t> send(std::string_view method, boost::json::object params);
    /// Waits for the next answer to any request under way.
    Result<Answer> receive(const Rows& rows = {});

    /// Waits until the server closes the connection; retry if it has not after `at_most`.
    Outcome wait_for_end(Seconds at_most);

private:
    Client(std::string path, Seconds timeout);
    Result<Answer> receive(const Rows& rows, Seconds patience);
    Result<std::string> read_line(Seconds patience);

    const std::string path_;
    const Seconds timeout_;
    boost::asio::io_context context_;
    boost::asio::local::stream_protocol::socket socket_;
    std::string input_;
    std::int64_t last_id_ = 0;
    Progress progress_;
};

}  // namespace causeway::ctl
