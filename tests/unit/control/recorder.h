// Recorder: what a command answers, without a socket. Tasks that wait for the reader run when the
// test says so, as a connection would run them.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gateway/control/command.h"

namespace causeway::control {

struct Recorded {
    std::optional<Result<boost::json::value>> answer;
    bool abandoned = false;
    bool cancelled = false;
    std::vector<boost::json::array> lines;  ///< the rows of each notification
    std::vector<boost::json::object> news;  ///< the params of other notifications
    std::deque<std::function<void()>> waiting;
    std::function<void()> on_cancel;

    [[nodiscard]] std::size_t rows() const {
        std::size_t total = 0;
        for (const auto& line : lines) {
            total += line.size();
        }
        return total;
    }
    void run_waiting() {
        while (!waiting.empty()) {
            const auto task = std::move(waiting.front());
            waiting.pop_front();
            task();
        }
    }
};

class Recorder final : public ReplySink {
public:
    explicit Recorder(Recorded& into) : into_(into) {}
    void finish(Result<boost::json::value> result) override { into_.answer = std::move(result); }
    void abandon() override { into_.abandoned = true; }
    bool notify(std::string_view method, boost::json::object params) override {
        if (method == "rows") {
            into_.lines.push_back(params.at("rows").as_array());
        } else {
            into_.news.push_back(std::move(params));
        }
        return true;
    }
    void when_writable(std::function<void()> task) override {
        into_.waiting.push_back(std::move(task));
    }
    [[nodiscard]] bool cancelled() const override { return into_.cancelled; }
    void on_cancel(std::function<void()> task) override { into_.on_cancel = std::move(task); }

private:
    Recorded& into_;
};

/// Runs `method` with `params`, as written in JSON, to its end. A request that the table rejects is
/// an answer with its message.
inline void run(const CommandTable& table, const std::string& method, const std::string& params,
                Recorded& into) {
    RpcRequest request{RpcId(1), method, boost::json::parse(params).as_object()};
    const auto match = table.match(request);
    if (const auto* error = std::get_if<RpcError>(&match)) {
        into.answer = Result<boost::json::value>(Outcome::malformed(error->message));
        return;
    }
    table.run(*std::get<const Command*>(match), request.params,
              Reply(std::make_unique<Recorder>(into)));
    into.run_waiting();
}

}  // namespace causeway::control
