// The verbs of causewayctl, as the server's `help` tells them: a method "user.show" is the words
// "user show", its parameters are arguments and options, its view says how the answer looks.
// Nothing here knows a verb by name.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/outcome.h"

namespace causeway::ctl {

/// A parameter of a verb.
struct Param {
    std::string name;
    std::string type;  ///< "string", "integer", "password", "path", "flag", or one that only
                       ///< programs can give
    std::string doc;
    bool required = true;
    bool option = false;  ///< "--name VALUE"
    std::uint64_t at_most = 0;

    /// As it stands in a table of verbs: "JID", "[DOMAIN]", "[--drain N]".
    [[nodiscard]] std::string usage() const;
};

/// One column of a table or line of a sheet; see Field in gateway/feature/command.h.
struct Line {
    std::string title;
    std::string text;
    std::string each;
    std::string when;
};

/// A method of the control socket, as people type it.
struct Verb {
    std::string method;
    std::vector<std::string> words;
    std::vector<Param> params;
    std::string doc;
    bool is_list = false;  ///< answers with rows
    std::vector<Line> fields;
    std::string sentence;
    std::string rows;
    std::string empty;
    std::string fault;     ///< the member that must be empty for the exit status to be 0
    bool is_live = false;  ///< its rows are shown as they come
};

/// The verbs that people can type, from the result of `help`. Malformed if it is none.
Result<std::vector<Verb>> verbs_of(const boost::json::value& help);

/// A table of them.
std::string overview(const std::vector<Verb>& verbs);

}  // namespace causeway::ctl
