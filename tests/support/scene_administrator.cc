#include "tests/support/scene_administrator.h"

#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "gateway/control/command.h"
#include "gateway/control/commands.h"
#include "gateway/features/registry.h"
#include "gateway/server/check_command.h"

namespace causeway::scene {
namespace {

namespace json = boost::json;

using Lines = std::vector<std::string>;
using Give = std::function<void(Lines)>;

std::string value_text(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::string line_of(const json::value& value) {
    if (!value.is_object()) return value_text(value);
    std::string line;
    for (const auto& member : value.get_object()) {
        line += (line.empty() ? "" : "; ") + std::string(member.key()) + "=" +
                value_text(member.value());
    }
    return line;
}

/// Collects the answer; everything happens on one shard.
class Collected final : public control::ReplySink {
public:
    explicit Collected(Give give) : give_(std::move(give)) {}
    void finish(Result<json::value> result) override {
        if (result) {
            lines_.push_back(line_of(*result));
        } else {
            lines_ = {"error: " + result.error().why()};
        }
        give_(lines_);
    }
    void abandon() override { give_({"error: nobody answers"}); }
    bool notify(std::string_view, json::object params) override {
        for (const json::value& row : params.at("rows").as_array()) lines_.push_back(line_of(row));
        return true;
    }
    void when_writable(std::function<void()> task) override { task(); }
    [[nodiscard]] bool cancelled() const override { return false; }
    void on_cancel(std::function<void()>) override {}

private:
    Give give_;
    Lines lines_;
};

std::deque<std::string> words_of(const std::string& line) {
    std::deque<std::string> words;
    bool quoted = false, open = false;
    for (const char c : line) {
        if (c == '"') {
            quoted = !quoted;
            if (!open) words.emplace_back();
            open = true;
        } else if (c == ' ' && !quoted) {
            open = false;
        } else {
            if (!open) words.emplace_back();
            open = true;
            words.back() += c;
        }
    }
    return words;
}

/// The longest method whose words the line begins with; they are taken off.
const control::Command& command_of(const control::CommandTable& table,
                                   std::deque<std::string>& words) {
    if (words.size() >= 2) {
        if (const auto* command = table.find(words[0] + "." + words[1])) {
            words.erase(words.begin(), words.begin() + 2);
            return *command;
        }
    }
    const auto* command = words.empty() ? nullptr : table.find(words[0]);
    if (command == nullptr) throw std::runtime_error("there is no such verb");
    words.pop_front();
    return *command;
}

json::value value_of(const control::Param& param, const std::string& text) {
    if (param.type == control::ParamType::integer) return std::int64_t{std::stoll(text)};
    return json::string(text);
}

json::object params_of(const control::Command& command, std::deque<std::string> words) {
    json::object params;
    auto place = command.params.begin();
    while (!words.empty()) {
        std::string word = std::move(words.front());
        words.pop_front();
        if (word.starts_with("--")) {
            for (const control::Param& param : command.params) {
                if (word.substr(2) != param.name) continue;
                if (param.type == control::ParamType::flag) {
                    params.emplace(param.name, true);
                } else {
                    params.emplace(param.name, value_of(param, words.at(0)));
                    words.pop_front();
                }
            }
            continue;
        }
        while (place != command.params.end() && place->option) ++place;
        if (place == command.params.end()) throw std::runtime_error("too many arguments");
        params.emplace(place->name, value_of(*place, word));
        ++place;
    }
    return params;
}

void run(Server& server, control::Operations& operations, const std::string& line,
         const Give& answer) {
    control::CommandTable table({operations, &server.shared(), &server.shards()[0]});
    if (!control::add_engine_commands(table) || !table.add(check_commands())) {
        throw std::runtime_error("a verb stands twice");
    }
    for (const Feature* feature : all_features()) {
        if (!table.add(feature->commands)) throw std::runtime_error("a verb stands twice");
    }
    std::deque<std::string> words = words_of(line);
    const control::Command& command = command_of(table, words);
    control::RpcRequest request{control::RpcId(1), std::string(command.name),
                                params_of(command, std::move(words))};
    const auto match = table.match(request);
    if (const auto* error = std::get_if<control::RpcError>(&match)) {
        answer({"error: " + error->message});
        return;
    }
    table.run(command, request.params, control::Reply(std::make_unique<Collected>(answer)));
}

}  // namespace

void administer(Server& server, control::Operations& operations, const std::string& line,
                std::function<void(std::vector<std::string>)> answer) {
    server.shards()[0].post([&server, &operations, line, answer = std::move(answer)] {
        // Nobody on a shard waits for what is wrong with a line of the scene.
        try {
            run(server, operations, line, answer);
        } catch (const std::exception& error) {
            answer({std::string("error: ") + error.what()});
        }
    });
}

}  // namespace causeway::scene
