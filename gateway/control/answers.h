// How commands answer: what an operation gives, as JSON, and the parameters that many commands
// have.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "gateway/control/command.h"
#include "gateway/control/operations.h"
#include "gateway/xmpp/jid.h"

namespace causeway::control {

inline constexpr std::uint64_t jid_bytes = Jid::max_size;
inline constexpr std::uint64_t domain_bytes = Jid::max_part;

constexpr Param jid_param(std::string_view doc, bool required = true) {
    return {"jid", ParamType::string, required, doc, jid_bytes};
}

constexpr Param domain_param(std::string_view doc, bool required = true) {
    return {"domain", ParamType::string, required, doc, domain_bytes};
}

/// Answers `result` when the operation is done, or its failure.
inline Done answer_with(Reply reply, boost::json::object result) {
    return [reply = std::move(reply), result = std::move(result)](const Outcome& outcome) {
        if (outcome.ok()) {
            reply(boost::json::value(result));
        } else {
            reply(outcome);
        }
    };
}

/// Answers the JSON form of what the operation answers.
template <class T>
Answer<T> answer_row(Reply reply) {
    return [reply = std::move(reply)](const Result<T>& result) {
        if (result) {
            reply(boost::json::value(to_json(*result)));
        } else {
            reply(result.error());
        }
    };
}

/// Answers `result` with the number that the operation answers as `member`.
inline Answer<std::uint64_t> answer_count(Reply reply, boost::json::object result,
                                          std::string member) {
    return [reply = std::move(reply), result = std::move(result),
            member = std::move(member)](const Result<std::uint64_t>& count) {
        if (!count) {
            reply(count.error());
            return;
        }
        boost::json::object object = result;
        object.emplace(member, *count);
        reply(boost::json::value(std::move(object)));
    };
}

}  // namespace causeway::control
