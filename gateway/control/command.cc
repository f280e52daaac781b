// The command table and the completion of a request; see command.h. Parameters are checked here, so
// that a handler reads them without asking again.
#include "gateway/control/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace causeway::control {

namespace json = boost::json;

// ---- Reply ----

struct Reply::State {
    explicit State(std::unique_ptr<ReplySink> to) : sink(std::move(to)) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (!answered) {
            sink->abandon();
        }
    }

    std::unique_ptr<ReplySink> sink;
    bool answered = false;
};

Reply::Reply(std::unique_ptr<ReplySink> sink) : state_(std::make_shared<State>(std::move(sink))) {}

void Reply::operator()(Result<json::value> result) const {
    if (!std::exchange(state_->answered, true)) {
        state_->sink->finish(std::move(result));
    }
}

bool Reply::notify(std::string_view method, json::object params) const {
    return !state_->answered && state_->sink->notify(method, std::move(params));
}

void Reply::when_writable(std::function<void()> task) const {
    state_->sink->when_writable(std::move(task));
}

bool Reply::cancelled() const { return state_->sink->cancelled(); }

void Reply::on_cancel(std::function<void()> task) const {
    state_->sink->on_cancel(std::move(task));
}

// ---- shapes ----

namespace {

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

RpcError invalid(const Command& command, const std::string& what) {
    return {RpcCode::invalid_params, fmt::format("{}: {}", command.name, what)};
}

std::string quoted(std::string_view name) { return fmt::format("\"{}\"", name); }

bool has_control_character(const json::string& text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
}

std::optional<std::string> check_string(const Param& param, const json::value& value) {
    const json::string* text = value.if_string();
    if (text == nullptr) {
        return quoted(param.name) + " must be a string";
    }
    if (text->empty() || text->size() > param.at_most) {
        return quoted(param.name) + " must have 1 to " + std::to_string(param.at_most) + " bytes";
    }
    if (has_control_character(*text)) {
        return quoted(param.name) + " must not contain control characters";
    }
    return std::nullopt;
}

std::optional<std::string> check_path(const Param& param, const json::value& value) {
    if (auto wrong = check_string(param, value)) {
        return wrong;
    }
    if (value.get_string().front() != '/') {
        return quoted(param.name) + " must be an absolute path";
    }
    return std::nullopt;
}

std::optional<std::string> check_integer(const Param& param, const json::value& value) {
    const std::int64_t* number = value.if_int64();
    if (number == nullptr || *number < 0 || static_cast<std::uint64_t>(*number) > param.at_most) {
        return quoted(param.name) + " must be an integer from 0 to " +
               std::to_string(param.at_most);
    }
    return std::nullopt;
}

bool is_account(const json::value& value) {
    const json::array* pair = value.if_array();
    return pair != nullptr && pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_string();
}

std::optional<std::string> check_accounts(const Param& param, const json::value& value) {
    const json::array* accounts = value.if_array();
    if (accounts == nullptr || accounts->empty() || accounts->size() > param.at_most) {
        return quoted(param.name) + " must be an array of 1 to " + std::to_string(param.at_most) +
               " accounts";
    }
    if (!std::all_of(accounts->begin(), accounts->end(), is_account)) {
        return "each of " + quoted(param.name) +
               " must be an array of two strings, [jid, password]";
    }
    return std::nullopt;
}

std::optional<std::string> check(const Param& param, const json::value& value) {
    switch (param.type) {
        case ParamType::string:
        case ParamType::password: return check_string(param, value);
        case ParamType::path: return check_path(param, value);
        case ParamType::integer: return check_integer(param, value);
        case ParamType::flag:
            if (!value.is_bool()) return quoted(param.name) + " must be true or false";
            return std::nullopt;
        case ParamType::accounts: return check_accounts(param, value);
    }
    return quoted(param.name) + " has no known type";
}

std::string unknown_parameter(const Command& command, std::string_view given) {
    std::string text = "no parameter " + quoted(given) + "; ";
    if (command.params.empty()) {
        return text + "it takes none";
    }
    text += "it takes ";
    for (const Param& param : command.params) {
        text += (&param == &command.params.front() ? "" : ", ") + quoted(param.name);
    }
    return text;
}

/// What is wrong with `given` as parameters of `command`, if anything.
std::optional<std::string> check_params(const Command& command, const json::object& given) {
    for (const auto& member : given) {
        const std::string_view key(member.key().data(), member.key().size());
        const auto known = [key](const Param& param) { return param.name == key; };
        if (std::none_of(command.params.begin(), command.params.end(), known)) {
            return unknown_parameter(command, key.substr(0, RpcLimits::method_bytes));
        }
    }
    for (const Param& param : command.params) {
        const json::value* value = given.if_contains(view(param.name));
        if (value == nullptr && param.required) {
            return fmt::format("{} is missing: {}", quoted(param.name), param.doc);
        }
        if (value != nullptr) {
            if (auto wrong = check(param, *value)) {
                return wrong;
            }
        }
    }
    return std::nullopt;
}

json::object describe(const Param& param) {
    json::object object;
    object.emplace("name", view(param.name));
    object.emplace("type", view(to_string(param.type)));
    object.emplace("required", param.required);
    object.emplace("at_most", param.at_most);
    object.emplace("doc", view(param.doc));
    object.emplace("option", param.option);
    return object;
}

json::object describe(const View& shown) {
    json::array fields;
    for (const Field& field : shown.fields) {
        json::object line;
        line.emplace("title", view(field.title));
        line.emplace("text", view(field.text));
        line.emplace("each", view(field.each));
        line.emplace("when", view(field.when));
        fields.emplace_back(std::move(line));
    }
    json::object object;
    object.emplace("fields", std::move(fields));
    object.emplace("sentence", view(shown.sentence));
    object.emplace("rows", view(shown.rows));
    object.emplace("empty", view(shown.empty));
    object.emplace("fault", view(shown.fault));
    object.emplace("live", shown.live);
    return object;
}

json::object describe(const Command& command) {
    json::array params;
    for (const Param& param : command.params) {
        params.emplace_back(describe(param));
    }
    json::object object;
    object.emplace("name", view(command.name));
    object.emplace("params", std::move(params));
    object.emplace("doc", view(command.doc));
    object.emplace("mutates", command.mutates);
    object.emplace("streams", command.streams);
    object.emplace("view", describe(command.view));
    return object;
}

void help(const CommandRequest& request) {
    json::array commands;
    for (const auto& [name, command] : request.table.rows()) {
        commands.emplace_back(describe(*command));
    }
    json::object object;
    object.emplace("commands", std::move(commands));
    request.reply(json::value(std::move(object)));
}

constexpr std::array own_commands{
    Command{.name = "help", .doc = "every method with its parameters", .run = help}};

}  // namespace

std::string_view to_string(ParamType type) {
    switch (type) {
        case ParamType::string: return "string";
        case ParamType::integer: return "integer";
        case ParamType::password: return "password";
        case ParamType::path: return "path";
        case ParamType::flag: return "flag";
        case ParamType::accounts: return "accounts";
    }
    return "unknown";
}

// ---- CommandRequest ----

bool CommandRequest::has(std::string_view name) const { return params.contains(view(name)); }

std::string CommandRequest::text(std::string_view name) const {
    const json::value* value = params.if_contains(view(name));
    if (value == nullptr) {
        return {};
    }
    const json::string& string = value->get_string();
    return {string.data(), string.size()};
}

std::optional<std::int64_t> CommandRequest::integer(std::string_view name) const {
    const json::value* value = params.if_contains(view(name));
    if (value == nullptr) {
        return std::nullopt;
    }
    return value->get_int64();
}

bool CommandRequest::flag(std::string_view name) const {
    const json::value* value = params.if_contains(view(name));
    return value != nullptr && value->get_bool();
}

json::object CommandRequest::naming(std::string_view name) const {
    json::object object;
    object.emplace(view(name), params.at(view(name)));
    return object;
}

// ---- CommandTable ----

CommandTable::CommandTable(CommandHost host) : host_(host) {
    for (const Command& command : own_commands) {
        rows_.emplace(command.name, &command);
    }
}

Outcome CommandTable::add(std::span<const Command> commands) {
    for (const Command& command : commands) {
        if (!rows_.emplace(command.name, &command).second) {
            return Outcome::refused(fmt::format("the command {} is already there", command.name));
        }
    }
    return {};
}

const Command* CommandTable::find(std::string_view name) const {
    const auto found = rows_.find(name);
    return found == rows_.end() ? nullptr : found->second;
}

std::variant<const Command*, RpcError> CommandTable::match(const RpcRequest& request) const {
    const Command* command = find(request.method);
    if (command == nullptr) {
        return RpcError{RpcCode::method_not_found,
                        "no method " + quoted(request.method) + "; \"help\" lists them"};
    }
    if (auto wrong = check_params(*command, request.params)) {
        return invalid(*command, *wrong);
    }
    return command;
}

void CommandTable::run(const Command& command, const json::object& params, Reply reply) const {
    command.run({params, std::move(reply), *this, host_});
}

}  // namespace causeway::control
