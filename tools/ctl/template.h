// The words of an answer: a template of the server's (Field::text in gateway/feature/command.h,
// which has the grammar) filled with the members of a row or a result. Never fails: what is
// missing, or of a form that is not known here, shows as it can.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace causeway::ctl {

/// The template's words for `of`; "-" where nothing of it is there. `now` in Unix milliseconds.
std::string fill(std::string_view text, const boost::json::value& of, std::int64_t now);

/// The member at that path, such as "tls.cipher"; nullptr if there is none. An empty path is the
/// value itself.
const boost::json::value* member(const boost::json::value& of, std::string_view path);

/// Whether a value says something: not null, not false, not zero, not empty.
bool says_something(const boost::json::value* value);

/// Whether the template is one number, which stands at the right of its column.
bool is_number(std::string_view text);

}  // namespace causeway::ctl
