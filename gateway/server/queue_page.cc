#include "gateway/server/queue_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "s2s/remote_pair.h"

namespace causeway {

using control::Answer;
using control::Page;
using control::PageRequest;
using control::QueuedStanza;

namespace {

QueuedStanza row_of(const LogRow& stored, std::uint64_t attempts, const LifetimeClock& lifetimes) {
    QueuedStanza row;
    row.id = stored.id;
    row.at = stored.at;
    row.expires = lifetimes.as_wall(stored.expires);
    row.attempts = attempts;
    row.bytes = stored.body.size();
    const Outcome read = Packet::visit_bytes(stored.body, [&](Stanza& stanza) {
        row.from = stanza.from.full();
        row.to = stanza.to.full();
        row.kind = to_string(stanza.kind);
        if (const auto type = to_string(stanza.type); !type.empty()) {
            row.kind += ' ';
            row.kind += type;
        }
    });
    if (!read) row.kind = "unreadable";
    return row;
}

}  // namespace

QueuePage::QueuePage(Shared& shared, Executor& home, PageRequest page, std::uint64_t attempts,
                     Answer<Page<QueuedStanza>> answer)
    : store_(shared.store),
      lifetimes_(shared.lifetimes),
      home_(home),
      limit_(std::max<std::size_t>(page.limit, 1)),
      attempts_(attempts),
      answer_(std::move(answer)) {
    std::from_chars(page.after.data(), page.after.data() + page.after.size(), after_);
}

void QueuePage::read(const std::vector<std::string>& owners) {
    missing_ = owners.size();
    if (missing_ == 0) finish();
    for (const std::string& owner : owners) {
        store_.log_list(std::string(RemotePair::store_name), owner, after_, limit_, home_,
                        [self = shared_from_this()](Result<std::vector<LogRow>> rows) {
                            self->take(std::move(rows));
                        });
    }
}

void QueuePage::take(Result<std::vector<LogRow>> rows) {
    if (rows) {
        more_ = more_ || rows->size() >= limit_;
        std::ranges::move(*rows, std::back_inserter(rows_));
    } else {
        failure_ = rows.error();
    }
    if (--missing_ == 0) finish();
}

void QueuePage::finish() {
    if (!failure_) {
        answer_(failure_);
        return;
    }
    std::ranges::sort(rows_, {}, &LogRow::id);
    if (rows_.size() > limit_) {
        rows_.resize(limit_);
        more_ = true;
    }
    Page<QueuedStanza> page;
    for (const LogRow& row : rows_) page.rows.push_back(row_of(row, attempts_, lifetimes_));
    if (more_) page.next = fmt::format("{}", rows_.back().id);
    answer_(std::move(page));
}

}  // namespace causeway
