// CommandTable: every method of the control socket as one row, whose shape checks the parameters,
// fills `help` and is compared with schemas/control.json. The engine's rows and those of features
// stand in it alike. Reply: the completion of one request. Everything here belongs to the control
// thread.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/base/executor.h"
#include "gateway/base/outcome.h"
#include "gateway/control/json_rpc.h"
#include "gateway/feature/command.h"

namespace causeway {
struct Shared;
}  // namespace causeway

namespace causeway::control {

/// Where a Reply's answers go: a connection. Tests and the fuzzer have their own.
class ReplySink {
public:
    ReplySink() = default;
    ReplySink(const ReplySink&) = delete;
    ReplySink& operator=(const ReplySink&) = delete;
    virtual ~ReplySink() = default;

    /// The request's only answer.
    virtual void finish(Result<boost::json::value> result) = 0;
    /// Instead of finish: nobody is left who could answer. Callable on any thread.
    virtual void abandon() = 0;
    /// One notification, before the answer. False: not sent, since the reader is slow or gone.
    virtual bool notify(std::string_view method, boost::json::object params) = 0;
    /// Runs `task` later, once the reader has taken what was sent; drops it if the request is over.
    virtual void when_writable(std::function<void()> task) = 0;
    /// True once the client cancelled or left: nothing that is still produced will be read.
    [[nodiscard]] virtual bool cancelled() const = 0;
    /// Runs `task` when the client cancels or leaves, to stop a live view. One per request.
    virtual void on_cancel(std::function<void()> task) = 0;
};

/// Completion of one request: copyable, called once; later calls do nothing. When the last copy
/// goes without having been called, the client gets an internal error instead of silence.
class Reply {
public:
    explicit Reply(std::unique_ptr<ReplySink> sink);

    void operator()(Result<boost::json::value> result) const;
    bool notify(std::string_view method, boost::json::object params) const;
    void when_writable(std::function<void()> task) const;
    [[nodiscard]] bool cancelled() const;
    void on_cancel(std::function<void()> task) const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Name as in help and in the schema: "string", "integer", "password", "path", "flag", "accounts".
std::string_view to_string(ParamType type);

class CommandTable;
class Operations;

/// What commands work on. The Server's parts are there but in tests of the engine's commands.
struct CommandHost {
    Operations& operations;
    Shared* shared = nullptr;  ///< the store, and the hub of each shard to post to
    Executor* home = nullptr;  ///< the control thread, for answers of shards and of the store
};

/// One request that has passed its command's shape; valid during the call.
struct CommandRequest {
    const boost::json::object& params;
    Reply reply;
    const CommandTable& table;
    const CommandHost& host;

    [[nodiscard]] bool has(std::string_view name) const;
    /// A string parameter; empty if it was left out.
    [[nodiscard]] std::string text(std::string_view name) const;
    /// A flag; false if it was left out.
    [[nodiscard]] bool flag(std::string_view name) const;
    /// An integer parameter. One whose bound is beyond 32 bits needs a wider Number.
    template <class Number = std::uint32_t>
    [[nodiscard]] std::optional<Number> number(std::string_view name) const {
        const std::optional<std::int64_t> value = integer(name);
        return value ? std::optional(static_cast<Number>(*value)) : std::nullopt;
    }
    /// A result that names what was asked about: `{name: its parameter}`.
    [[nodiscard]] boost::json::object naming(std::string_view name) const;

private:
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
};

class CommandTable {
public:
    /// An empty table but for `help`, which lists the table. What `host` names outlives it.
    explicit CommandTable(CommandHost host);
    CommandTable(const CommandTable&) = delete;
    CommandTable& operator=(const CommandTable&) = delete;

    /// Adds commands, which outlive the table. Refused if a name is taken.
    Outcome add(std::span<const Command> commands);
    [[nodiscard]] const Command* find(std::string_view name) const;
    [[nodiscard]] const std::map<std::string_view, const Command*>& rows() const { return rows_; }
    /// Checks the request against the row's shape; the row to run, or the error for the client.
    [[nodiscard]] std::variant<const Command*, RpcError> match(const RpcRequest& request) const;
    /// Runs a row that matched.
    void run(const Command& command, const boost::json::object& params, Reply reply) const;

private:
    CommandHost host_;
    std::map<std::string_view, const Command*> rows_;
};

}  // namespace causeway::control
