// Listing: the answer of a long list. Asks for one page after the other, sends its rows as "rows"
// notifications of bounded size whenever the reader has room, and ends with the number of rows. A
// slow reader so holds one page, however long the list is. Owner: whatever it waits for.
#pragma once

#include <algorithm>
#include <boost/json.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gateway/control/command.h"
#include "gateway/control/operations.h"
#include "gateway/control/rows.h"

namespace causeway::control {

template <class Row>
class Listing : public std::enable_shared_from_this<Listing<Row>> {
public:
    using Ask = std::function<void(PageRequest, Answer<Page<Row>>)>;
    static constexpr std::size_t rows_per_line = 500;

    /// `if_empty`: what to answer instead of "0 rows", where that means absent.
    Listing(Ask ask, Reply reply, Outcome if_empty = {})
        : ask_(std::move(ask)), reply_(std::move(reply)), if_empty_(std::move(if_empty)) {}

    void next() {
        ask_(PageRequest{after_, rows_per_line},
             [self = this->shared_from_this()](Result<Page<Row>> page) {
                 self->take(std::move(page));
             });
    }

private:
    void take(Result<Page<Row>> page) {
        if (!page) {
            reply_(page.error());
            return;
        }
        if (!page->next.empty() && page->next == after_) {
            reply_(Outcome::retry("the listing stands still at " + after_));
            return;
        }
        page_ = std::move(*page);
        sent_ = 0;
        // Also without rows: a list must not recurse as deep as it has pages.
        reply_.when_writable([self = this->shared_from_this()] { self->send(); });
    }

    void send() {
        const std::size_t end = std::min(page_.rows.size(), sent_ + rows_per_line);
        if (sent_ < end) {
            boost::json::array rows;
            rows.reserve(end - sent_);
            for (; sent_ < end; ++sent_) {
                rows.emplace_back(to_json(page_.rows[sent_]));
            }
            total_ += rows.size();
            boost::json::object params;
            params.emplace("rows", std::move(rows));
            reply_.notify("rows", std::move(params));
        }
        if (sent_ < page_.rows.size()) {
            reply_.when_writable([self = this->shared_from_this()] { self->send(); });
        } else if (page_.next.empty()) {
            finish();
        } else {
            after_ = page_.next;
            next();
        }
    }

    void finish() {
        if (total_ == 0 && !if_empty_.ok()) {
            reply_(if_empty_);
            return;
        }
        boost::json::object result;
        result.emplace("count", static_cast<std::uint64_t>(total_));
        reply_(boost::json::value(std::move(result)));
    }

    const Ask ask_;
    const Reply reply_;
    const Outcome if_empty_;
    std::string after_;
    Page<Row> page_;
    std::size_t sent_ = 0;
    std::size_t total_ = 0;
};

/// Starts a Listing; it keeps itself until it has answered.
template <class Row>
void list(Reply reply, typename Listing<Row>::Ask ask, Outcome if_empty = {}) {
    std::make_shared<Listing<Row>>(std::move(ask), std::move(reply), std::move(if_empty))->next();
}

/// Answers with a list that is there as a whole.
template <class Row>
void list_whole(Reply reply, Page<Row> page) {
    list<Row>(std::move(reply),
              [page = std::move(page)](const PageRequest&, const auto& answer) { answer(page); });
}

}  // namespace causeway::control
