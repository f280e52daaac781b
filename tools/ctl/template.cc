// Templates; see template.h.
#include "tools/ctl/template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "tools/ctl/text.h"

namespace causeway::ctl {

namespace json = boost::json;

namespace {

constexpr std::string_view nothing = "-";

std::optional<std::int64_t> number_of(const json::value& value) {
    if (const auto* number = value.if_int64()) {
        return *number;
    }
    if (const auto* big = value.if_uint64()) {
        return static_cast<std::int64_t>(*big);
    }
    return std::nullopt;
}

std::string joined(const json::array& texts) {
    std::string out;
    for (const json::value& value : texts) {
        if (const json::string* string = value.if_string()) {
            out += out.empty() ? "" : ", ";
            out.append(string->data(), string->size());
        }
    }
    return out;
}

std::string ahead(std::int64_t at, std::int64_t now) {
    return at <= now ? "now" : "in " + age(at - now);
}

std::string expiry(std::int64_t at, std::int64_t now) {
    return (at < now ? "EXPIRED " + age(now - at) + " ago" : "expires in " + age(at - now)) + " (" +
           date(at) + ")";
}

std::string in_form(std::int64_t number, std::string_view form, std::int64_t now) {
    const auto size_or_count = static_cast<std::uint64_t>(std::max<std::int64_t>(0, number));
    if (form == "count") {
        return grouped(size_or_count);
    }
    if (form == "bytes") {
        return size(size_or_count);
    }
    if (form == "ago") {
        return age(now - number);
    }
    if (form == "ahead") {
        return ahead(number, now);
    }
    if (form == "clock") {
        return clock(number);
    }
    if (form == "date") {
        return date(number);
    }
    if (form == "expiry") {
        return expiry(number, now);
    }
    return std::to_string(number);
}

/// A value as text; empty where it says nothing.
std::string text_of(const json::value& value, std::string_view form, std::int64_t now) {
    if (const json::string* string = value.if_string()) {
        return {string->data(), string->size()};
    }
    if (const json::array* array = value.if_array()) {
        return joined(*array);
    }
    if (const auto number = number_of(value)) {
        return in_form(*number, form, now);
    }
    return {};
}

/// Fills one template; a cursor over its text.
class Filling {
public:
    Filling(const json::value& of, std::int64_t now) : of_(of), now_(now) {}

    /// nullopt: something in it is missing.
    std::optional<std::string> part(std::string_view text) const {
        std::string out;
        bool complete = true;
        while (!text.empty()) {
            const std::size_t special = std::min(text.find_first_of("[{"), text.size());
            out += text.substr(0, special);
            text.remove_prefix(special);
            if (text.empty()) {
                break;
            }
            const std::size_t end = std::min(text.find(text[0] == '[' ? ']' : '}'), text.size());
            const std::string_view inner = text.substr(1, end - 1);
            const auto words = text[0] == '[' ? part(inner) : placeholder(inner);
            if (words) {
                out += *words;
            } else if (text[0] == '{') {
                complete = false;
            }
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        return complete ? std::optional(std::move(out)) : std::nullopt;
    }

private:
    /// What stands between braces.
    std::optional<std::string> placeholder(std::string_view text) const {
        const std::size_t mark = std::min(text.find_first_of(":?!"), text.size());
        const json::value* value = member(of_, text.substr(0, mark));
        const std::string_view rest = mark == text.size() ? "" : text.substr(mark + 1);
        if (mark != text.size() && text[mark] == '?') {
            return flag(says_something(value), rest);
        }
        if (mark != text.size() && text[mark] == '!') {
            return says_something(value) ? std::nullopt : std::optional(std::string(rest));
        }
        std::string words = value == nullptr ? std::string() : text_of(*value, rest, now_);
        return words.empty() ? std::nullopt : std::optional(std::move(words));
    }

    static std::optional<std::string> flag(bool set, std::string_view words) {
        const std::size_t bar = std::min(words.find('|'), words.size());
        if (set) {
            return std::string(words.substr(0, bar));
        }
        if (bar == words.size()) {
            return std::nullopt;
        }
        return std::string(words.substr(bar + 1));
    }

    const json::value& of_;
    const std::int64_t now_;
};

}  // namespace

const json::value* member(const json::value& of, std::string_view path) {
    const json::value* value = &of;
    while (!path.empty()) {
        const std::size_t dot = std::min(path.find('.'), path.size());
        const json::object* object = value->if_object();
        value = object == nullptr ? nullptr : object->if_contains({path.data(), dot});
        if (value == nullptr) {
            return nullptr;
        }
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return value;
}

bool says_something(const json::value* value) {
    if (value == nullptr || value->is_null()) {
        return false;
    }
    if (const bool* flag = value->if_bool()) {
        return *flag;
    }
    if (const json::string* string = value->if_string()) {
        return !string->empty();
    }
    if (const json::array* array = value->if_array()) {
        return !array->empty();
    }
    return number_of(*value).value_or(1) != 0;
}

std::string fill(std::string_view text, const json::value& of, std::int64_t now) {
    const Filling filling(of, now);
    std::string out;
    bool any = false;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(';'), text.size());
        if (const auto words = filling.part(text.substr(0, end))) {
            out += (any ? ", " : "") + *words;
            any = true;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return any ? out : std::string(nothing);
}

bool is_number(std::string_view text) {
    constexpr std::array<std::string_view, 3> forms{":number}", ":count}", ":bytes}"};
    return text.starts_with('{') && text.find('}') == text.size() - 1 &&
           std::any_of(forms.begin(), forms.end(),
                       [text](std::string_view form) { return text.ends_with(form); });
}

}  // namespace causeway::ctl
