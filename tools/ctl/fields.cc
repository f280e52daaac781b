// Reading an answer's members for display; see fields.h.
#include "tools/ctl/fields.h"

#include "tools/ctl/text.h"

namespace causeway::ctl {

namespace json = boost::json;

namespace {
const json::object no_object;
const json::array no_array;
}  // namespace

const json::value* Fields::find(std::string_view name) const {
    return object_.if_contains({name.data(), name.size()});
}

std::string Fields::text(std::string_view name) const {
    const json::value* value = find(name);
    const json::string* string = value == nullptr ? nullptr : value->if_string();
    return string == nullptr ? std::string() : std::string(string->data(), string->size());
}

std::string Fields::cell(std::string_view name) const {
    std::string value = text(name);
    return value.empty() ? "-" : value;
}

std::uint64_t Fields::number(std::string_view name) const {
    const json::value* value = find(name);
    if (value == nullptr) {
        return 0;
    }
    if (const auto* big = value->if_uint64()) {
        return *big;
    }
    const auto* number = value->if_int64();
    return number == nullptr || *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
}

std::string Fields::signed_number(std::string_view name) const {
    const json::value* value = find(name);
    const auto* number = value == nullptr ? nullptr : value->if_int64();
    return number == nullptr ? "-" : std::to_string(*number);
}

bool Fields::flag(std::string_view name) const {
    const json::value* value = find(name);
    const bool* flag = value == nullptr ? nullptr : value->if_bool();
    return flag != nullptr && *flag;
}

std::int64_t Fields::time(std::string_view name) const {
    return static_cast<std::int64_t>(number(name));
}

std::string Fields::ago(std::string_view name) const {
    return time(name) == 0 ? "-" : age(now_ - time(name));
}

std::string Fields::ahead(std::string_view name) const {
    if (time(name) == 0) {
        return "-";
    }
    return time(name) <= now_ ? "now" : "in " + age(time(name) - now_);
}

std::string Fields::count(std::string_view name) const { return grouped(number(name)); }

std::string Fields::bytes(std::string_view name) const { return size(number(name)); }

std::string Fields::tls() const {
    const Fields info = member("tls");
    const std::string version = info.text("version");
    return version.empty() ? "-" : version + " " + info.text("cipher");
}

std::string Fields::joined(std::string_view name) const {
    std::string out;
    for (const json::value& value : array(name)) {
        if (const json::string* string = value.if_string()) {
            out += out.empty() ? "" : ", ";
            out.append(string->data(), string->size());
        }
    }
    return out.empty() ? "-" : out;
}

const json::array& Fields::array(std::string_view name) const {
    const json::value* value = find(name);
    const json::array* array = value == nullptr ? nullptr : value->if_array();
    return array == nullptr ? no_array : *array;
}

Fields Fields::of(const json::value& element) const {
    const json::object* object = element.if_object();
    return {object == nullptr ? no_object : *object, now_};
}

Fields Fields::member(std::string_view name) const {
    const json::value* value = find(name);
    return value == nullptr ? Fields(no_object, now_) : of(*value);
}

}  // namespace causeway::ctl
