// JSON-RPC 2.0, one object a line: reading requests and writing replies and notifications. Pure
// functions over Boost.JSON; every limit is enforced while parsing. Requests by position (params as
// an array) and batches are refused: this protocol has named parameters and one object a line.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/base/outcome.h"

namespace causeway::control {

/// Error codes on the wire: those of JSON-RPC 2.0 §5.1, one for each Cause, and cancelled.
enum class RpcCode : int {
    parse_error = -32700,
    invalid_request = -32600,
    method_not_found = -32601,
    invalid_params = -32602,
    internal_error = -32603,
    absent = -32001,
    retry = -32002,
    refused = -32003,
    malformed = -32004,
    policy = -32005,
    cancelled = -32800,
};

/// An error reply before it has an id.
struct RpcError {
    RpcCode code = RpcCode::internal_error;
    std::string message;
};

/// The error that a failed Outcome becomes.
RpcError to_rpc_error(const Outcome& outcome);

/// A request's id: a string, a number or null (JSON-RPC 2.0 §4), of any length that fits in a line.
/// Kept as the client wrote it, so that the same text comes back, whatever the size or precision of
/// a number.
class RpcId {
public:
    explicit RpcId(std::int64_t number) : text_(std::to_string(number)) {}
    explicit RpcId(std::string_view text);
    /// `token` must be a valid JSON string, number or null.
    static RpcId from_token(std::string_view token);

    /// The JSON token.
    [[nodiscard]] const std::string& token() const { return text_; }
    /// Whether `value` is the same id, as a value; `1` and `1` with a space are.
    [[nodiscard]] bool names(const boost::json::value& value) const;
    friend bool operator==(const RpcId&, const RpcId&) = default;

private:
    RpcId() = default;
    std::string text_;
};

/// Whether JSON-RPC allows `value` as an id.
bool may_be_id(const boost::json::value& value);

/// Bounds of one request.
struct RpcLimits {
    static constexpr std::size_t depth = 16;  ///< nesting of one object
    static constexpr std::size_t method_bytes = 64;
};

/// One parsed request. Its values live in memory that is wiped when freed, for it may hold a
/// password.
struct RpcRequest {
    std::optional<RpcId> id;  ///< none: a notification, which gets no reply
    std::string method;
    boost::json::object params;
};

/// What a line that is no request gets back.
struct RpcRejection {
    std::optional<RpcId> id;  ///< where it could be read; else the reply carries null
    RpcError error;
};

/// Parses one line (without its end). Never throws.
std::variant<RpcRequest, RpcRejection> parse_request(std::string_view line);

// Each of these writes one line with its '\n'.
std::string write_result(const RpcId& id, const boost::json::value& result);
std::string write_error(const std::optional<RpcId>& id, const RpcError& error);
/// A notification about the request `id`: params with "id" added.
std::string write_notification(std::string_view method, const RpcId& id,
                               boost::json::object params);
/// What a client sends.
std::string write_request(const RpcId& id, std::string_view method, boost::json::object params);

}  // namespace causeway::control
