// ControlFixture: a control server over a fake server, on a thread of its own, with its socket in a
// fresh directory; and LineClient, a blocking client of it whose every wait ends after ten seconds.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "gateway/control/command.h"
#include "gateway/control/server.h"
#include "tests/unit/control/fake_operations.h"

namespace causeway::control {

/// A directory that goes with its contents. Others may enter it, for what stands in it is to be
/// protected by its own mode.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory();
    [[nodiscard]] std::string file(const std::string& name) const {
        return (path_ / name).string();
    }

private:
    std::filesystem::path path_;
};

class LineClient {
public:
    explicit LineClient(const std::string& path);
    LineClient(const LineClient&) = delete;
    LineClient& operator=(const LineClient&) = delete;
    ~LineClient();

    /// False: the server has closed the connection.
    bool send(std::string_view bytes);
    /// Sends a request as a line.
    bool request(int id, const std::string& method, const std::string& params = "{}");
    /// The next line as JSON; null when the connection has ended.
    boost::json::value receive();
    /// What the request answers, rows and all left out.
    boost::json::value call(int id, const std::string& method, const std::string& params = "{}");
    /// True if a line is there within a moment; for what must not happen.
    bool hears_within(int milliseconds);
    /// The client will send no more.
    void finish_sending();
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    int descriptor_ = -1;
    std::string input_;
};

/// Of an answer that is an error.
int code_of(const boost::json::value& reply);
std::string message_of(const boost::json::value& reply);

class ControlFixture {
public:
    explicit ControlFixture(ServerLimits limits = {});
    ControlFixture(const ControlFixture&) = delete;
    ControlFixture& operator=(const ControlFixture&) = delete;
    ~ControlFixture();

    /// Runs `task` on the control thread and waits for it.
    void on_control(const std::function<void()>& task);
    /// Waits until `condition`, evaluated on the control thread, holds; false after ten seconds.
    bool eventually(const std::function<bool()>& condition);
    /// From here on the server's state is told only when the test releases it.
    void hold();
    /// Waits until `number` requests are held.
    void await_held(std::size_t number);
    /// Ends the control server, as the process would at its end.
    void stop();

    TemporaryDirectory directory;
    const std::string path = directory.file("control.sock");
    FakeOperations operations;
    CommandTable table{CommandHost{operations}};
    std::unique_ptr<Reply>& live = operations.live;
    bool& live_cancelled = operations.live_cancelled;

    boost::asio::io_context context{1};
    std::unique_ptr<Server> server;

private:
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
        context.get_executor()};
    std::thread thread_;
};

}  // namespace causeway::control
