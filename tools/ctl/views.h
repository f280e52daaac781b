// How each answer looks to people: a table for a list, a sheet for one thing, a sentence for a
// change. Pure: JSON in, text out.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace causeway::ctl {

/// What was asked and what came: `rows` of a list, else `result`.
struct Shown {
    std::string_view method;
    const boost::json::object& result;
    const boost::json::array& rows;
    std::int64_t now = 0;  ///< Unix milliseconds, for ages
};

/// The answer to `shown.method`; its JSON where no view is known.
std::string view(const Shown& shown);

}  // namespace causeway::ctl
