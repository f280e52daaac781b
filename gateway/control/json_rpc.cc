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

/// One line: an object of "jsonrpc", the id if there is one, and `members`, of which there are
/// some. The id goes in as a token, because Boost.JSON would round a large number.
std::string line_of(const json::object& members, const RpcId* id) {
    std::string line = R"({"jsonrpc":"2.0",)";
    if (id != nullptr) {
        line += "\"id\":" + id->token() + ',';
    }
    line += std::string_view(json::serialize(members)).substr(1);
    line += '\n';
    return line;
}

/// Where the string that begins at `at` ends: one behind its closing quote. `text` is valid JSON.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    for (++at; text[at] != '"'; ++at) {
        if (text[at] == '\\') {
            ++at;
        }
    }
    return at + 1;
}

bool is_id_key(std::string_view token) {
    return token == R"("id")" ||
           (token.find('\\') != std::string_view::npos &&
            json::parse(json::string_view(token.data(), token.size())) == "id");
}

/// The token of the last scalar member "id" of `object`, a valid JSON object.
std::string_view id_token(std::string_view object) {
    constexpr std::string_view space = " \t\r\n";
    std::string_view found;
    int depth = 0;
    for (std::size_t at = 0; at < object.size();) {
        const char c = object[at];
        if (c != '"') {
            depth += c == '{' || c == '[' ? 1 : 0;
            depth -= c == '}' || c == ']' ? 1 : 0;
            ++at;
            continue;
        }
        const std::size_t end = end_of_string(object, at);
        const std::string_view key = object.substr(at, end - at);
        at = object.find_first_not_of(space, end);
        if (depth != 1 || object[at] != ':') {
            continue;
        }
        at = object.find_first_not_of(space, at + 1);
        if (!is_id_key(key)) {
            // The value may be a string, which must not be taken for a key.
            at = object[at] == '"' ? end_of_string(object, at) : at;
            continue;
        }
        const std::size_t value_end =
            object[at] == '"' ? end_of_string(object, at) : object.find_first_of(",}] \t\r\n", at);
        found = object.substr(at, value_end - at);
        at = object[at] == '{' || object[at] == '[' ? at : value_end;
    }
    return found;
}

/// Reads "id" into `id`; the error when it is of another type than an id may have.
std::optional<RpcError> read_id(std::string_view line, const json::object& object,
                                std::optional<RpcId>& id) {
    const json::value* value = object.if_contains("id");
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!may_be_id(*value)) {
        return invalid("\"id\" must be a string, a number or null");
    }
    id = RpcId::from_token(id_token(line));
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

RpcId::RpcId(std::string_view text)
    : text_(json::serialize(json::string_view(text.data(), text.size()))) {}

RpcId RpcId::from_token(std::string_view token) {
    RpcId id;
    id.text_ = token;
    return id;
}

bool RpcId::names(const json::value& value) const { return json::parse(text_) == value; }

bool may_be_id(const json::value& value) {
    return value.is_string() || value.is_number() || value.is_null();
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
    if (auto wrong = read_id(line, object, id)) {
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
    json::object members;
    members.emplace("result", result);
    return line_of(members, &id);
}

std::string write_error(const std::optional<RpcId>& id, const RpcError& error) {
    static const RpcId unknown = RpcId::from_token("null");
    json::object data;
    data.emplace("cause", word_of(error.code));
    json::object body;
    body.emplace("code", static_cast<int>(error.code));
    body.emplace("message", error.message);
    body.emplace("data", std::move(data));
    json::object members;
    members.emplace("error", std::move(body));
    return line_of(members, id ? &*id : &unknown);
}

std::string write_notification(std::string_view method, const RpcId& id, json::object params) {
    std::string line = R"({"jsonrpc":"2.0","method":)";
    line += json::serialize(json::string_view(method.data(), method.size()));
    line += R"(,"params":)";
    params.erase("id");
    std::string object = json::serialize(params);
    object.pop_back();
    line += object;
    line += params.empty() ? "" : ",";
    line += "\"id\":" + id.token() + "}}\n";
    return line;
}

std::string write_request(const RpcId& id, std::string_view method, json::object params) {
    json::object members;
    members.emplace("method", json::string_view(method.data(), method.size()));
    members.emplace("params", std::move(params));
    return line_of(members, &id);
}

}  // namespace causeway::control
