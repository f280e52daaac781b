// Reading and writing JSON-RPC 2.0 lines; see json_rpc.h. Boost.JSON enforces depth and UTF-8 while
// it parses; the shape of the envelope is checked here, the shape of the params by the command
// table.
#include "gateway/control/json_rpc.h"

#include <cstring>
#include <utility>

#include "gateway/control/wiping.h"

namespace causeway::control {

namespace json = boost::json;

namespace {

/// Alignment is not asked for: that of plain new is enough for whatever JSON holds, and Boost.JSON
/// gives keys back with another one than it took them with.
class WipingResource final : public json::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t) override { return ::operator new(bytes); }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t) override {
        ::explicit_bzero(memory, bytes);
        ::operator delete(memory);
    }
    bool do_is_equal(const json::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

RpcError invalid(std::string message) { return {RpcCode::invalid_request, std::move(message)}; }

RpcCode code_of(Cause cause) {
    switch (cause) {
        case Cause::absent: return RpcCode::absent;
        case Cause::retry: return RpcCode::retry;
        case Cause::refused: return RpcCode::refused;
        case Cause::malformed: return RpcCode::malformed;
        case Cause::policy: return RpcCode::policy;
        case Cause::ok: break;
    }
    return RpcCode::internal_error;
}

/// Stable word for scripts that would rather not know numbers.
std::string_view word_of(RpcCode code) {
    switch (code) {
        case RpcCode::parse_error: return "parse-error";
        case RpcCode::invalid_request: return "invalid-request";
        case RpcCode::method_not_found: return "method-not-found";
        case RpcCode::invalid_params: return "invalid-params";
        case RpcCode::internal_error: return "internal-error";
        case RpcCode::absent: return "absent";
        case RpcCode::retry: return "retry";
        case RpcCode::refused: return "refused";
        case RpcCode::malformed: return "malformed";
        case RpcCode::policy: return "policy";
        case RpcCode::cancelled: return "cancelled";
    }
    return "internal-error";
}

json::value to_json(const RpcId& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) {
        return json::value(*number);
    }
    return json::value(std::get<std::string>(id));
}

json::object envelope() {
    json::object object;
    object.emplace("jsonrpc", "2.0");
    return object;
}

std::string line_of(const json::object& object) {
    std::string line = json::serialize(object);
    line += '\n';
    return line;
}

/// Reads "id" into `id`; the error when it is of another type than an id may have.
std::optional<RpcError> read_id(const json::object& object, std::optional<RpcId>& id) {
    const json::value* value = object.if_contains("id");
    if (value == nullptr) {
        return std::nullopt;
    }
    if (const auto* number = value->if_int64()) {
        id = *number;
        return std::nullopt;
    }
    const json::string* text = value->if_string();
    if (text == nullptr || text->size() > RpcLimits::id_bytes) {
        return invalid("\"id\" must be an integer or a string of at most 64 bytes");
    }
    id = std::string(text->data(), text->size());
    return std::nullopt;
}

std::optional<RpcError> check_envelope(const json::object& object) {
    for (const auto& member : object) {
        const auto key = member.key();
        if (key != "jsonrpc" && key != "id" && key != "method" && key != "params") {
            return invalid("a request has \"jsonrpc\", \"id\", \"method\" and \"params\" only");
        }
    }
    const json::value* version = object.if_contains("jsonrpc");
    if (version == nullptr || *version != "2.0") {
        return invalid("\"jsonrpc\" must be \"2.0\"");
    }
    const json::value* method = object.if_contains("method");
    if (method == nullptr || !method->is_string() || method->get_string().empty() ||
        method->get_string().size() > RpcLimits::method_bytes) {
        return invalid("\"method\" must be a string of 1 to 64 bytes");
    }
    const json::value* params = object.if_contains("params");
    if (params != nullptr && !params->is_object()) {
        return RpcError{RpcCode::invalid_params, "\"params\" must be an object of named values"};
    }
    return std::nullopt;
}

}  // namespace

json::storage_ptr wiping_storage() {
    static WipingResource resource;
    return &resource;
}

RpcError to_rpc_error(const Outcome& outcome) { return {code_of(outcome.cause()), outcome.why()}; }

std::variant<RpcRequest, RpcRejection> parse_request(std::string_view line) {
    json::parse_options options;
    options.max_depth = RpcLimits::depth;
    json::error_code error;
    json::value value =
        json::parse(json::string_view(line.data(), line.size()), error, wiping_storage(), options);
    if (error) {
        return RpcRejection{{}, {RpcCode::parse_error, "not JSON: " + error.message()}};
    }
    if (!value.is_object()) {
        return RpcRejection{{}, invalid("a line must hold one JSON object")};
    }
    json::object& object = value.get_object();
    std::optional<RpcId> id;
    if (auto wrong = read_id(object, id)) {
        return RpcRejection{{}, std::move(*wrong)};
    }
    if (auto wrong = check_envelope(object)) {
        return RpcRejection{std::move(id), std::move(*wrong)};
    }
    const json::string& method = object.at("method").get_string();
    std::string name(method.data(), method.size());
    if (json::value* params = object.if_contains("params")) {
        return RpcRequest{std::move(id), std::move(name), std::move(params->get_object())};
    }
    return RpcRequest{std::move(id), std::move(name), json::object(wiping_storage())};
}

std::string write_result(const RpcId& id, const json::value& result) {
    json::object object = envelope();
    object.emplace("id", to_json(id));
    object.emplace("result", result);
    return line_of(object);
}

std::string write_error(const std::optional<RpcId>& id, const RpcError& error) {
    json::object data;
    data.emplace("cause", word_of(error.code));
    json::object body;
    body.emplace("code", static_cast<int>(error.code));
    body.emplace("message", error.message);
    body.emplace("data", std::move(data));
    json::object object = envelope();
    object.emplace("id", id ? to_json(*id) : json::value(nullptr));
    object.emplace("error", std::move(body));
    return line_of(object);
}

std::string write_notification(std::string_view method, const RpcId& id, json::object params) {
    params["id"] = to_json(id);
    json::object object = envelope();
    object.emplace("method", json::string_view(method.data(), method.size()));
    object.emplace("params", std::move(params));
    return line_of(object);
}

std::string write_request(const RpcId& id, std::string_view method, json::object params) {
    json::object object = envelope();
    object.emplace("id", to_json(id));
    object.emplace("method", json::string_view(method.data(), method.size()));
    object.emplace("params", std::move(params));
    return line_of(object);
}

}  // namespace causeway::control
