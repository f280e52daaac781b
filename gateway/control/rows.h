// The JSON form of each row of Operations, as schemas/control.json describes it. Times are
// milliseconds since 1970 in UTC, null where there is none; text is valid UTF-8 whatever it was.
#pragma once

#include <boost/json.hpp>
#include <vector>

#include "gateway/control/operations.h"

namespace causeway::control {

boost::json::object to_json(const Status& status);
boost::json::object to_json(const BulkResult& result);
boost::json::object to_json(const UserRow& row);
boost::json::object to_json(const UserDetail& user);
boost::json::object to_json(const SessionRow& row);
boost::json::object to_json(const PeerRow& row);
boost::json::object to_json(const TargetRow& row);
boost::json::object to_json(const QueueRow& row);
boost::json::object to_json(const PeerDetail& peer);
boost::json::object to_json(const QueuedStanza& row);
boost::json::object to_json(const ReloadChange& row);

template <class Row>
boost::json::array to_json(const std::vector<Row>& rows) {
    boost::json::array array;
    array.reserve(rows.size());
    for (const Row& row : rows) {
        array.emplace_back(to_json(row));
    }
    return array;
}

/// `text`, with each byte that is not UTF-8 replaced by U+FFFD: what a peer sent may be anything.
boost::json::string utf8(std::string_view text);
/// The same; null if there is none.
boost::json::value utf8_or_null(std::string_view text);

}  // namespace causeway::control
