#include "tests/unit/control/schema.h"

#include <string_view>

namespace causeway::control {

namespace json = boost::json;

namespace {

bool has_type(const json::value& value, std::string_view type) {
    return (type == "null" && value.is_null()) || (type == "string" && value.is_string()) ||
           (type == "boolean" && value.is_bool()) || (type == "object" && value.is_object()) ||
           (type == "array" && value.is_array()) ||
           (type == "integer" && (value.is_int64() || value.is_uint64()));
}

bool has_one_of(const json::value& value, const json::value& types) {
    if (const json::string* type = types.if_string()) {
        return has_type(value, {type->data(), type->size()});
    }
    for (const json::value& type : types.as_array()) {
        if (has_one_of(value, type)) {
            return true;
        }
    }
    return false;
}

bool contains(const json::array& list, const json::value& value) {
    for (const json::value& element : list) {
        if (element == value) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::optional<std::string> Schema::mismatch(const json::object& schema, const json::value& value,
                                            const std::string& at) const {
    if (const json::value* reference = schema.if_contains("$ref")) {
        constexpr std::string_view prefix = "#/$defs/";
        const json::string_view name = reference->as_string().subview(prefix.size());
        return mismatch(definitions_.at(name).as_object(), value, at);
    }
    if (const json::value* any = schema.if_contains("anyOf")) {
        std::string reasons;
        for (const json::value& option : any->as_array()) {
            const auto wrong = mismatch(option.as_object(), value, at);
            if (!wrong) {
                return std::nullopt;
            }
            reasons += *wrong + "; ";
        }
        return reasons;
    }
    if (!has_one_of(value, schema.at("type"))) {
        return at + ": is " + json::serialize(value);
    }
    if (const json::value* list = schema.if_contains("enum");
        list != nullptr && !contains(list->as_array(), value)) {
        return at + ": is none of " + json::serialize(*list);
    }
    if (const json::value* least = schema.if_contains("minimum");
        least != nullptr && value.is_int64() && value.as_int64() < least->as_int64()) {
        return at + ": is too small";
    }
    if (const json::object* object = value.if_object()) {
        return in_object(schema, *object, at);
    }
    if (const json::array* array = value.if_array()) {
        for (const json::value& element : *array) {
            if (auto wrong = mismatch(schema.at("items").as_object(), element, at + "[]")) {
                return wrong;
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> Schema::in_object(const json::object& schema, const json::object& value,
                                             const std::string& at) const {
    const json::object& properties = schema.at("properties").as_object();
    for (const json::value& name : schema.at("required").as_array()) {
        if (!value.contains(name.as_string())) {
            return at + ": lacks " + json::serialize(name);
        }
    }
    for (const auto& member : value) {
        const json::value* property = properties.if_contains(member.key());
        const std::string name(member.key().data(), member.key().size());
        if (property == nullptr) {
            return at + ": has an unknown " + name;
        }
        if (auto wrong = mismatch(property->as_object(), member.value(), at + "." + name)) {
            return wrong;
        }
    }
    return std::nullopt;
}

}  // namespace causeway::control
