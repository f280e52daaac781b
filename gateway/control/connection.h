// Connection: one client of the control socket. Splits its bytes into lines, runs their commands
// and writes the answers in the order in which they come. Bounded: bytes of a line, requests in
// flight, unread output (while it is above its limit, nothing more is read). Owner: the Server, and
// its own pending reads and writes; a Reply keeps it by weak reference only.
#pragma once

#include <sys/types.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/control/command.h"
#include "gateway/control/json_rpc.h"
#include "gateway/control/server.h"
#include "gateway/control/wiping.h"

namespace causeway::control {

/// Who is at the other end, as the kernel says.
struct PeerCredentials {
    pid_t process = 0;
    uid_t user = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    using Socket = boost::asio::local::stream_protocol::socket;
    using Closed = std::function<void(Connection&)>;

    /// `closed` is called once, when the connection is over but for close().
    Connection(Socket socket, PeerCredentials peer, const CommandTable& table, ServerLimits limits,
               Closed closed);

    void start() { read(); }
    /// Ends it at once and cancels its requests. Not reported to `closed`.
    void close();

    /// No request is in flight and nothing waits to be read by the client.
    [[nodiscard]] bool idle() const;
    /// When the client last sent something, or took the last of an answer.
    [[nodiscard]] std::chrono::steady_clock::time_point last_active() const { return last_active_; }
    /// Ends an idle connection in favour of a new one, and tells the client so.
    void give_way();
    [[nodiscard]] const PeerCredentials& peer() const { return peer_; }

private:
    class Sink;

    /// One request from its line to its answer. In `requests_` until the handler has answered, even
    /// if the client cancelled before, for until then it costs something.
    struct Request {
        PeerCredentials peer;
        std::optional<RpcId> id;
        const Command* command = nullptr;
        bool cancelled = false;
        std::function<void()> on_cancel;
    };
    using RequestPointer = std::shared_ptr<Request>;
    enum class State : unsigned char {
        open,
        input_ended,  ///< no more is read; it ends when everything is answered and written
        over,
    };
    struct Waiting {
        RequestPointer request;
        std::function<void()> task;
    };

    void read();
    void take(std::size_t bytes);
    void take_end();
    void watch_hang_up();
    void process_lines();
    void process(std::string_view line);
    void run(RpcRequest request);
    void cancel(const RpcRequest& request);
    void cancel(Request& request);
    void finish(const RequestPointer& request, Result<boost::json::value> result);
    void over(const RequestPointer& request);
    static void log(const Request& request, const Outcome& outcome);
    /// The request in flight whose id `matches`, unless it is cancelled.
    template <class Matches>
    RequestPointer find(const Matches& matches);

    void send(std::string_view line);
    void write();
    [[nodiscard]] bool writable() const;
    void schedule_waiting();
    void run_waiting();
    void end_if_done();
    void end();

    Socket socket_;
    const PeerCredentials peer_;
    const CommandTable& table_;
    const ServerLimits limits_;
    Closed closed_;

    std::array<char, 16 * 1024> chunk_{};
    WipingString input_;
    std::size_t searched_ = 0;  ///< bytes of input_ known to hold no end of line
    bool reading_ = false;

    std::string writing_;  ///< being written
    std::string pending_;  ///< to be written next
    std::vector<RequestPointer> requests_;
    std::deque<Waiting> waiting_;
    bool waiting_scheduled_ = false;
    std::chrono::steady_clock::time_point last_active_ = std::chrono::steady_clock::now();
    State state_ = State::open;
};

}  // namespace causeway::control
