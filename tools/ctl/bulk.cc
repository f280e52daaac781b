// Adding many accounts; see bulk.h.
#include "tools/ctl/bulk.h"

#include <algorithm>
#include <boost/nowide/utf/convert.hpp>
#include <utility>

namespace causeway::ctl {

namespace json = boost::json;

namespace {

/// UTF-8 from end to end: JSON can carry nothing else.
bool is_utf8(const std::string& text) {
    namespace utf = boost::nowide::utf;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        const utf::code_point point = utf::utf_traits<char>::decode(at, end);
        if (point == utf::illegal || point == utf::incomplete) {
            return false;
        }
    }
    return true;
}

}  // namespace

BulkAdd::BulkAdd(Client& client, std::uint32_t iterations, Progress progress)
    : client_(client), iterations_(iterations), progress_(std::move(progress)) {}

Outcome BulkAdd::run(std::istream& lines) {
    std::string line;
    while (std::getline(lines, line)) {
        ++line_;
        // Spreadsheets put a byte order mark in front of a file in UTF-8.
        if (line_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
        take(line);
        const bool full =
            chunk_accounts_.size() >= accounts_per_request || chunk_bytes_ >= bytes_per_request;
        if (full) {
            if (Outcome sent = send(); !sent) {
                return sent;
            }
        }
    }
    if (lines.bad()) {
        return Outcome::retry("reading stopped at line " + std::to_string(line_));
    }
    if (Outcome sent = send(); !sent) {
        return sent;
    }
    while (!under_way_.empty()) {
        if (Outcome answered = await_one(); !answered) {
            return answered;
        }
    }
    return {};
}

void BulkAdd::take(std::string& line) {
    if (!line.empty() && line.back() == '\r') {
        line.pop_back();
    }
    if (line.empty()) {
        return;
    }
    const std::size_t tab = line.find('\t');
    const std::string jid = line.substr(0, tab);
    if (line.size() > longest_line) {
        fail(line_, {}, "the line is longer than 8192 bytes");
    } else if (!is_utf8(line)) {
        fail(line_, {}, "the line is not UTF-8");
    } else if (tab == std::string::npos || tab == 0 || tab + 1 == line.size()) {
        fail(line_, {}, "the line must be an address, a tab and a password");
    } else {
        json::array account;
        account.emplace_back(jid);
        account.emplace_back(json::string_view(line).substr(tab + 1));
        chunk_.emplace_back(std::move(account));
        chunk_accounts_.push_back({line_, jid});
        chunk_bytes_ += line.size();
    }
}

Outcome BulkAdd::send() {
    if (chunk_accounts_.empty()) {
        return {};
    }
    if (under_way_.size() >= requests_under_way) {
        if (Outcome answered = await_one(); !answered) {
            return answered;
        }
    }
    json::object params;
    params.emplace("accounts", std::exchange(chunk_, {}));
    if (iterations_ != 0) {
        params.emplace("iterations", iterations_);
    }
    const auto id = client_.send("user.add_bulk", std::move(params));
    if (!id) {
        return id.error();
    }
    under_way_.push_back({*id, std::exchange(chunk_accounts_, {})});
    chunk_bytes_ = 0;
    return {};
}

Outcome BulkAdd::await_one() {
    const auto answer = client_.receive();
    if (!answer) {
        return answer.error();
    }
    const auto request = std::find_if(under_way_.begin(), under_way_.end(),
                                      [&](const UnderWay& each) { return each.id == answer->id; });
    if (request == under_way_.end()) {
        return Outcome::malformed("the server answered what was not asked");
    }
    if (!answer->result) {
        return answer->result.error();
    }
    const UnderWay answered = std::move(*request);
    under_way_.erase(request);
    Outcome counted = count(answered, *answer->result);
    progress_(report_);
    return counted;
}

Outcome BulkAdd::count(const UnderWay& request, const json::value& result) {
    const json::object* object = result.if_object();
    const json::value* added = object == nullptr ? nullptr : object->if_contains("added");
    const json::value* failures = object == nullptr ? nullptr : object->if_contains("failures");
    if (added == nullptr || !added->is_int64() || failures == nullptr || !failures->is_array()) {
        return Outcome::malformed("the server's answer lacks the number of added accounts");
    }
    report_.added += static_cast<std::uint64_t>(added->get_int64());
    for (const json::value& failure : failures->get_array()) {
        const json::object* entry = failure.if_object();
        const json::value* index = entry == nullptr ? nullptr : entry->if_contains("index");
        const json::value* reason = entry == nullptr ? nullptr : entry->if_contains("reason");
        if (index == nullptr || !index->is_int64() || reason == nullptr || !reason->is_string() ||
            static_cast<std::uint64_t>(index->get_int64()) >= request.accounts.size()) {
            return Outcome::malformed(
                "the server's answer reports a failure for a request that was not sent");
        }
        const Account& account = request.accounts[static_cast<std::size_t>(index->get_int64())];
        fail(account.line, account.jid, std::string(reason->get_string().c_str()));
    }
    return {};
}

void BulkAdd::fail(std::uint64_t line, std::string jid, std::string reason) {
    ++report_.failed;
    if (report_.failures.size() < failures_kept) {
        report_.failures.push_back({line, std::move(jid), std::move(reason)});
    }
}

}  // namespace causeway::ctl
