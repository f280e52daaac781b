// The part of JSON Schema that schemas/control.json uses, enough to say why a value does not fit.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>

namespace causeway::control {

class Schema {
public:
    explicit Schema(const boost::json::object& definitions) : definitions_(definitions) {}

    /// Where and why `value` does not fit `schema`; nothing if it fits.
    [[nodiscard]] std::optional<std::string> mismatch(const boost::json::object& schema,
                                                      const boost::json::value& value,
                                                      const std::string& at) const;

private:
    [[nodiscard]] std::optional<std::string> in_object(const boost::json::object& schema,
                                                       const boost::json::object& value,
                                                       const std::string& at) const;
    const boost::json::object& definitions_;
};

}  // namespace causeway::control
