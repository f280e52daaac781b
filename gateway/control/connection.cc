// One client of the control socket; see connection.h.
#include "gateway/control/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "gateway/base/log.h"

namespace causeway::control {

namespace asio = boost::asio;
namespace json = boost::json;
using boost::system::error_code;

/// The Reply's way back to its connection, which may be gone by then.
class Connection::Sink final : public ReplySink {
public:
    Sink(Connection& connection, RequestPointer request)
        : connection_(connection.weak_from_this()),
          executor_(connection.socket_.get_executor()),
          request_(std::move(request)) {}

    void finish(Result<json::value> result) override {
        log(*request_, result ? Outcome{} : result.error());
        if (const auto connection = connection_.lock()) {
            connection->finish(request_, std::move(result));
        }
    }
    void abandon() override {
        if (connection_.expired()) {
            return;
        }
        asio::post(executor_, [weak = connection_, request = request_] {
            if (const auto connection = weak.lock()) {
                connection->over(request);
                if (request->id && !request->cancelled) {
                    connection->send(write_error(
                        request->id,
                        {RpcCode::internal_error, "the server dropped the request unanswered"}));
                }
                connection->end_if_done();
            }
        });
    }
    bool notify(std::string_view method, json::object params) override {
        const auto connection = connection_.lock();
        if (cancelled() || !request_->id || !connection->writable()) {
            return false;
        }
        connection->send(write_notification(method, *request_->id, std::move(params)));
        return true;
    }
    void when_writable(std::function<void()> task) override {
        if (const auto connection = connection_.lock(); connection && !cancelled()) {
            connection->waiting_.push_back({request_, std::move(task)});
            connection->schedule_waiting();
        }
    }
    [[nodiscard]] bool cancelled() const override {
        return connection_.expired() || request_->cancelled;
    }
    void on_cancel(std::function<void()> task) override {
        if (!cancelled()) {
            request_->on_cancel = std::move(task);
        }
    }

private:
    std::weak_ptr<Connection> connection_;
    asio::any_io_executor executor_;
    RequestPointer request_;
};

Connection::Connection(Socket socket, PeerCredentials peer, const CommandTable& table,
                       ServerLimits limits, Closed closed)
    : socket_(std::move(socket)),
      peer_(peer),
      table_(table),
      limits_(limits),
      closed_(std::move(closed)) {}

void Connection::close() {
    if (std::exchange(state_, State::over) == State::over) {
        return;
    }
    closed_ = nullptr;
    error_code ignored;
    socket_.close(ignored);
    waiting_.clear();
    for (const RequestPointer& request : std::exchange(requests_, {})) {
        cancel(*request);
    }
}

/// The end of a connection that nobody asked for: the owner hears of it.
void Connection::end() {
    const auto self = shared_from_this();
    const Closed closed = std::move(closed_);
    close();
    if (closed) {
        closed(*this);
    }
}

bool Connection::idle() const { return requests_.empty() && writing_.empty() && pending_.empty(); }

void Connection::give_way() {
    const std::string line = write_error(
        {}, {RpcCode::policy, "this connection was idle and was ended in favour of a new one"});
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.write_some(asio::buffer(line), ignored);
    end();
}

/// After the client's last line: the connection lives until everything is answered and written.
void Connection::end_if_done() {
    if (state_ == State::input_ended && idle()) {
        end();
    }
}

// ---- input ----

void Connection::read() {
    if (state_ != State::open || reading_ || !writable()) {
        return;
    }
    reading_ = true;
    socket_.async_read_some(asio::buffer(chunk_),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                                self->reading_ = false;
                                if (self->state_ == State::over) {
                                    return;
                                }
                                if (error == asio::error::eof) {
                                    self->take_end();
                                } else if (error) {
                                    self->end();
                                } else {
                                    self->take(bytes);
                                }
                            });
}

void Connection::take(std::size_t bytes) {
    last_active_ = std::chrono::steady_clock::now();
    input_.append(chunk_.data(), bytes);
    ::explicit_bzero(chunk_.data(), bytes);
    process_lines();
}

/// The client sends no more, but may still read: `printf '…' | nc -U` is a fine client.
void Connection::take_end() {
    state_ = State::input_ended;
    if (!input_.empty()) {
        const WipingString last = std::exchange(input_, {});
        process(std::string_view(last.data(), last.size()));
    }
    watch_hang_up();
    end_if_done();
}

/// A client that is gone, not only silent, must not keep a live view running.
void Connection::watch_hang_up() {
    if (state_ == State::over) {
        return;
    }
    socket_.async_wait(Socket::wait_error, [self = shared_from_this()](error_code error) {
        if (!error && self->state_ != State::over) {
            self->end();
        }
    });
}

void Connection::process_lines() {
    while (state_ != State::over && writable()) {
        const std::size_t end = input_.find('\n', searched_);
        if (end == WipingString::npos) {
            searched_ = input_.size();
            break;
        }
        const WipingString line = input_.substr(0, end);
        input_.erase(0, end + 1);
        searched_ = 0;
        process(std::string_view(line.data(), line.size()));
    }
    if (state_ != State::over && searched_ > limits_.line_bytes) {
        input_.clear();
        state_ = State::input_ended;
        send(write_error({}, {RpcCode::invalid_request,
                              "a line may have " + std::to_string(limits_.line_bytes) + " bytes"}));
        return;
    }
    read();
}

void Connection::process(std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
        return;
    }
    auto parsed = parse_request(line);
    if (const auto* rejection = std::get_if<RpcRejection>(&parsed)) {
        send(write_error(rejection->id, rejection->error));
        return;
    }
    run(std::move(std::get<RpcRequest>(parsed)));
}

// ---- requests ----

template <class Matches>
Connection::RequestPointer Connection::find(const Matches& matches) {
    const auto found =
        std::find_if(requests_.begin(), requests_.end(), [&matches](const RequestPointer& request) {
            return request->id && !request->cancelled && matches(*request->id);
        });
    return found == requests_.end() ? nullptr : *found;
}

void Connection::run(RpcRequest request) {
    if (request.method == "cancel") {
        cancel(request);
        return;
    }
    const auto reject = [&](const RpcError& error) {
        if (request.id) {
            send(write_error(request.id, error));
        }
    };
    const auto same = [&request](const RpcId& id) { return id == *request.id; };
    if (request.id && find(same) != nullptr) {
        reject({RpcCode::invalid_request, "an earlier request with this id is not answered yet"});
        return;
    }
    if (requests_.size() >= limits_.requests) {
        reject({RpcCode::policy, "a connection may have " + std::to_string(limits_.requests) +
                                     " requests in flight"});
        return;
    }
    const auto match = table_.match(request);
    if (const auto* error = std::get_if<RpcError>(&match)) {
        reject(*error);
        return;
    }
    const Command* command = std::get<const Command*>(match);
    const auto entry = std::make_shared<Request>();
    entry->peer = peer_;
    entry->id = std::move(request.id);
    entry->command = command;
    requests_.push_back(entry);
    table_.run(*command, request.params, Reply(std::make_unique<Sink>(*this, entry)));
}

/// `{"method":"cancel","params":{"id":…}}`: the request named answers "cancelled" at once, whatever
/// its handler still does. The cancel itself is answered if it has an id.
void Connection::cancel(const RpcRequest& request) {
    const json::value* target = request.params.if_contains("id");
    if (target != nullptr && (request.params.size() != 1 || !may_be_id(*target))) {
        target = nullptr;
    }
    const RequestPointer found =
        target == nullptr ? nullptr : find([target](const RpcId& id) { return id.names(*target); });
    if (found != nullptr) {
        cancel(*found);
        send(write_error(found->id, {RpcCode::cancelled, "cancelled"}));
    }
    if (!request.id) {
        return;
    }
    if (target == nullptr) {
        send(write_error(request.id, {RpcCode::invalid_params,
                                      "cancel: takes \"id\", that of a request in flight"}));
    } else if (found == nullptr) {
        send(write_error(request.id, {RpcCode::absent, "no request with that id is in flight"}));
    } else {
        send(write_result(*request.id, json::object()));
    }
}

void Connection::cancel(Request& request) {
    if (std::exchange(request.cancelled, true)) {
        return;
    }
    std::erase_if(waiting_,
                  [&request](const Waiting& entry) { return entry.request.get() == &request; });
    if (const auto task = std::exchange(request.on_cancel, nullptr)) {
        task();
    }
}

void Connection::finish(const RequestPointer& request, Result<json::value> result) {
    over(request);
    if (state_ == State::over || request->cancelled || !request->id) {
        end_if_done();
        return;
    }
    send(result ? write_result(*request->id, *result)
                : write_error(request->id, to_rpc_error(result.error())));
}

void Connection::over(const RequestPointer& request) {
    std::erase(requests_, request);
    request->on_cancel = nullptr;
}

/// Who changed what, and whether it worked; never the parameters, for they may hold a password.
void Connection::log(const Request& request, const Outcome& outcome) {
    if (!request.command->mutates) {
        return;
    }
    if (outcome.ok()) {
        CAUSEWAY_LOG(info, "control.command", {"method", request.command->name},
                     {"uid", request.peer.user}, {"pid", request.peer.process});
    } else {
        CAUSEWAY_LOG(info, "control.command_failed", {"method", request.command->name},
                     {"uid", request.peer.user}, {"pid", request.peer.process},
                     {"cause", to_string(outcome.cause())}, {"why", outcome.why()});
    }
}

// ---- output ----

bool Connection::writable() const {
    return writing_.size() + pending_.size() < limits_.output_bytes;
}

void Connection::send(std::string_view line) {
    if (state_ == State::over) {
        return;
    }
    pending_ += line;
    write();
}

void Connection::write() {
    if (!writing_.empty() || pending_.empty()) {
        return;
    }
    writing_.swap(pending_);
    asio::async_write(socket_, asio::buffer(writing_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                          if (self->state_ == State::over) {
                              return;
                          }
                          self->writing_.clear();
                          self->last_active_ = std::chrono::steady_clock::now();
                          if (error) {
                              self->end();
                              return;
                          }
                          self->write();
                          self->schedule_waiting();
                          self->process_lines();
                          self->end_if_done();
                      });
}

void Connection::schedule_waiting() {
    if (waiting_.empty() || !writable() || std::exchange(waiting_scheduled_, true)) {
        return;
    }
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->waiting_scheduled_ = false;
        self->run_waiting();
    });
}

/// One task a turn: each may fill the output again.
void Connection::run_waiting() {
    if (state_ == State::over || waiting_.empty() || !writable()) {
        return;
    }
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    next.task();
    schedule_waiting();
}

}  // namespace causeway::control
