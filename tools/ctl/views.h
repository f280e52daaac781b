// How each answer looks to people, as its verb says: a table for a list, a sheet for one thing, a
// sentence for a change. Pure: JSON in, text out.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>

#include "tools/ctl/verbs.h"

namespace causeway::ctl {

/// The answer to a verb: `rows` of a list, else `result`. `now` in Unix milliseconds, for ages; a
/// result that says its own time ("now") is shown as of that. JSON where the verb says nothing.
std::string view(const Verb& verb, const boost::json::value& result, const boost::json::array& rows,
                 std::int64_t now);

}  // namespace causeway::ctl
