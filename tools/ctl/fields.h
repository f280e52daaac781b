// Reading an answer's members for display: never fails, a member that is missing or of another type
// reads as nothing. Empty text and absent times show as "-" in tables.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace causeway::ctl {

/// A row with the time at which it is shown.
class Fields {
public:
    Fields(const boost::json::object& object, std::int64_t now) : object_(object), now_(now) {}

    [[nodiscard]] std::string text(std::string_view name) const;
    /// The text, "-" if it is empty.
    [[nodiscard]] std::string cell(std::string_view name) const;
    [[nodiscard]] std::uint64_t number(std::string_view name) const;
    /// A number that may be negative, as text; "-" where there is none.
    [[nodiscard]] std::string signed_number(std::string_view name) const;
    [[nodiscard]] bool flag(std::string_view name) const;
    /// Unix milliseconds, 0 where there is none.
    [[nodiscard]] std::int64_t time(std::string_view name) const;
    /// How long ago, "-" where there is no time.
    [[nodiscard]] std::string ago(std::string_view name) const;
    /// "in 3 min", "now" or "-".
    [[nodiscard]] std::string ahead(std::string_view name) const;
    /// A number with separators, or a size with its unit.
    [[nodiscard]] std::string count(std::string_view name) const;
    [[nodiscard]] std::string bytes(std::string_view name) const;
    /// Version and cipher of the member "tls", "-" without TLS.
    [[nodiscard]] std::string tls() const;
    /// The texts of an array, joined by ", "; "-" if there are none.
    [[nodiscard]] std::string joined(std::string_view name) const;
    [[nodiscard]] const boost::json::array& array(std::string_view name) const;
    [[nodiscard]] std::int64_t now() const { return now_; }
    /// The object among an array's elements; an empty one if it is none.
    [[nodiscard]] Fields of(const boost::json::value& element) const;
    /// A member that is an object; an empty one if it is none.
    [[nodiscard]] Fields member(std::string_view name) const;

private:
    [[nodiscard]] const boost::json::value* find(std::string_view name) const;
    const boost::json::object& object_;
    std::int64_t now_;
};

}  // namespace causeway::ctl
