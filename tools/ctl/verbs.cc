// Verbs out of the answer to `help`; see verbs.h.
#include "tools/ctl/verbs.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "tools/ctl/template.h"
#include "tools/ctl/text.h"

namespace causeway::ctl {

namespace json = boost::json;

namespace {

std::string text_of(const json::value& of, std::string_view name) {
    const json::value* value = member(of, name);
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

bool flag_of(const json::value& of, std::string_view name) {
    return says_something(member(of, name));
}

const json::array& array_of(const json::value& of, std::string_view name) {
    static const json::array none;
    const json::value* value = member(of, name);
    const json::array* array = value == nullptr ? nullptr : value->if_array();
    return array == nullptr ? none : *array;
}

std::uint64_t number_of(const json::value& of, std::string_view name) {
    const json::value* value = member(of, name);
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

Param param_of(const json::value& of) {
    return {.name = text_of(of, "name"),
            .type = text_of(of, "type"),
            .doc = text_of(of, "doc"),
            .required = flag_of(of, "required"),
            .option = flag_of(of, "option"),
            .at_most = number_of(of, "at_most")};
}

std::vector<std::string> words_of(std::string_view method) {
    std::vector<std::string> words;
    while (!method.empty()) {
        const std::size_t dot = std::min(method.find('.'), method.size());
        words.emplace_back(method.substr(0, dot));
        method.remove_prefix(std::min(dot + 1, method.size()));
    }
    return words;
}

Verb verb_of(const json::value& of) {
    Verb verb;
    verb.method = text_of(of, "name");
    verb.words = words_of(verb.method);
    verb.doc = text_of(of, "doc");
    verb.is_list = flag_of(of, "streams");
    for (const json::value& param : array_of(of, "params")) {
        verb.params.push_back(param_of(param));
    }
    for (const json::value& field : array_of(of, "view.fields")) {
        verb.fields.push_back({.title = text_of(field, "title"),
                               .text = text_of(field, "text"),
                               .each = text_of(field, "each"),
                               .when = text_of(field, "when")});
    }
    verb.sentence = text_of(of, "view.sentence");
    verb.rows = text_of(of, "view.rows");
    verb.empty = text_of(of, "view.empty");
    verb.fault = text_of(of, "view.fault");
    verb.is_live = flag_of(of, "view.live");
    return verb;
}

bool can_be_typed(const Param& param) {
    return param.type == "string" || param.type == "integer" || param.type == "password" ||
           param.type == "path" || param.type == "flag";
}

/// A verb is words that are no options, and takes what a command line can carry.
bool can_be_typed(const Verb& verb) {
    const auto is_word = [](const std::string& word) {
        return !word.empty() && !word.starts_with('-');
    };
    return !verb.words.empty() && std::all_of(verb.words.begin(), verb.words.end(), is_word) &&
           std::all_of(verb.params.begin(), verb.params.end(),
                       [](const Param& param) { return can_be_typed(param); });
}

std::string upper(std::string text) {
    for (char& c : text) {
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return text;
}

}  // namespace

std::string Param::usage() const {
    std::string words = upper(name);
    if (type == "password") {
        words = "[--" + name + "-stdin]";
    } else if (type == "flag") {
        words = "--" + name;
    } else if (option) {
        words = "--" + name + (type == "integer" ? " N" : " " + words);
    }
    return required || type == "password" ? words : "[" + words + "]";
}

Result<std::vector<Verb>> verbs_of(const json::value& help) {
    std::vector<Verb> verbs;
    for (const json::value& command : array_of(help, "commands")) {
        Verb verb = verb_of(command);
        if (can_be_typed(verb)) {
            verbs.push_back(std::move(verb));
        }
    }
    if (verbs.empty()) {
        return Outcome::malformed("the server's answer to \"help\" lists no commands");
    }
    return verbs;
}

std::string overview(const std::vector<Verb>& verbs) {
    Table table({{"VERB"}, {"ARGUMENTS"}, {"DOES"}});
    for (const Verb& verb : verbs) {
        std::string words;
        for (const std::string& word : verb.words) {
            words += (words.empty() ? "" : " ") + word;
        }
        std::string arguments;
        for (const Param& param : verb.params) {
            arguments += (arguments.empty() ? "" : " ") + param.usage();
        }
        table.add({std::move(words), std::move(arguments), verb.doc});
    }
    return table.render();
}

}  // namespace causeway::ctl
