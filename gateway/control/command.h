// Command and CommandTable: every method of the control socket as one row, whose shape checks the
// parameters, fills `help` and is compared with schemas/control.json. Features add rows of their
// own. Reply: the completion of one request. Everything here belongs to the control thread.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/control/json_rpc.h"

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

enum class ParamType : unsigned char {
    string,    ///< not empty
    integer,   ///< 0 to Param::at_most
    accounts,  ///< an array of [jid, password], 1 to Param::at_most of them
};

/// Name as in help and in the schema: "string", "integer", "accounts".
std::string_view to_string(ParamType type);

struct Param {
    std::string name;
    ParamType type = ParamType::string;
    bool required = true;
    std::string doc;
    std::uint64_t at_most = std::numeric_limits<std::uint32_t>::max();
};

struct Command {
    using Handler = std::function<void(const boost::json::object& params, Reply reply)>;

    std::string name;  ///< "user.add"
    std::vector<Param> params;
    std::string doc;
    bool mutates = false;  ///< changes something: logged with who asked
    bool streams = false;  ///< sends "rows" notifications before its answer
    Handler handler;       ///< gets params that passed the shape
};

class CommandTable {
public:
    /// An empty table but for `help`, which lists the table.
    CommandTable();
    CommandTable(const CommandTable&) = delete;
    CommandTable& operator=(const CommandTable&) = delete;

    /// Refused if the name is taken.
    Outcome add(Command command);
    [[nodiscard]] const Command* find(std::string_view name) const;
    [[nodiscard]] const std::map<std::string, Command, std::less<>>& rows() const { return rows_; }
    /// Checks the request against the row's shape; the row to run, or the error for the client.
    [[nodiscard]] std::variant<const Command*, RpcError> match(const RpcRequest& request) const;

private:
    [[nodiscard]] boost::json::value help() const;
    std::map<std::string, Command, std::less<>> rows_;
};

}  // namespace causeway::control
