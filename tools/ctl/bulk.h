// `user add --bulk`: streams a file of accounts to the server in chunks, a few under way at once,
// so that memory does not grow with the file. A line that is wrong or an account that the server
// refuses is counted and told with its line number, and does not keep the others out.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "gateway/base/outcome.h"
#include "tools/ctl/client.h"

namespace causeway::ctl {

/// A line of the file that added no account.
struct BulkFailure {
    std::uint64_t line = 0;
    std::string jid;  ///< empty where the line names none
    std::string reason;
};

/// How far it came.
struct BulkReport {
    std::uint64_t added = 0;
    std::uint64_t failed = 0;
    std::vector<BulkFailure> failures;  ///< the first BulkAdd::failures_kept
};

class BulkAdd {
public:
    static constexpr std::size_t accounts_per_request = 500;
    static constexpr std::size_t bytes_per_request = 256 * 1024;
    static constexpr std::size_t requests_under_way = 4;
    static constexpr std::size_t failures_kept = 1000;
    static constexpr std::size_t longest_line = 8 * 1024;

    using Progress = std::function<void(const BulkReport&)>;

    /// `iterations` 0: the server's default. `progress` is called after each answer.
    BulkAdd(Client& client, std::uint32_t iterations, Progress progress);

    /// Adds every account of `lines`. Fails when the server refuses a whole request or goes away;
    /// report() says how far it came.
    Outcome run(std::istream& lines);
    [[nodiscard]] const BulkReport& report() const { return report_; }

private:
    struct Account {
        std::uint64_t line;
        std::string jid;
    };
    struct UnderWay {
        std::int64_t id;
        std::vector<Account> accounts;
    };

    void take(std::string& line);
    Outcome send();
    Outcome await_one();
    Outcome count(const UnderWay& request, const boost::json::value& result);
    void fail(std::uint64_t line, std::string jid, std::string reason);

    Client& client_;
    const std::uint32_t iterations_;
    const Progress progress_;
    BulkReport report_;
    std::uint64_t line_ = 0;
    boost::json::array chunk_;
    std::size_t chunk_bytes_ = 0;
    std::vector<Account> chunk_accounts_;
    std::deque<UnderWay> under_way_;
};

}  // namespace causeway::ctl
