#include "gateway/server/queue_drop.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/server/operations_gather.h"
#include "gateway/trace/trace.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

constexpr std::size_t page_rows = 100;

}  // namespace

QueueDrop::QueueDrop(Server& server, Executor& home, std::string remote,
                     control::Answer<std::uint64_t> answer)
    : server_(server), home_(home), remote_(std::move(remote)), answer_(std::move(answer)) {}

void QueueDrop::start(const std::vector<LogTotals>& queues) {
    for (const LogTotals& queue : queues) {
        queues_.push_back(queue.owner);
        stanzas_ += queue.rows;
    }
    if (stanzas_ == 0) {
        answer_(Outcome::absent(fmt::format("nothing waits for {}", remote_)));
        return;
    }
    to_read_ = queues_;
    read();
}

void QueueDrop::read() {
    server_.shared().store.log_list(
        std::string(RemotePair::store_name), to_read_.back(), after_, page_rows, home_,
        [self = shared_from_this()](const Result<std::vector<LogRow>>& rows) { self->take(rows); });
}

void QueueDrop::take(const Result<std::vector<LogRow>>& rows) {
    if (!rows) return answer_(rows.error());
    for (const LogRow& row : *rows) {
        after_ = row.id;
        const auto packet = Packet::from_bytes(row.body);
        if (!packet) continue;
        told_.push_back(*packet);
        bytes_ += (*packet)->bytes().size();
        while (told_.size() > most_told || bytes_ > most_bytes) {
            bytes_ -= told_.front()->bytes().size();
            told_.pop_front();
        }
    }
    if (rows->size() < page_rows) {
        to_read_.pop_back();
        after_ = 0;
    }
    if (to_read_.empty()) {
        commit();
    } else {
        read();
    }
}

void QueueDrop::commit() {
    Batch batch;
    for (const std::string& queue : queues_) batch.log_clear(RemotePair::store_name, queue);
    server_.shared().store.commit(std::move(batch), home_,
                                  [self = shared_from_this()](const Outcome& outcome) {
                                      if (outcome) {
                                          self->tell();
                                      } else {
                                          self->answer_(outcome);
                                      }
                                  });
}

void QueueDrop::tell() {
    ask<bool>(
        server_.home_of(remote_), home_,
        [self = shared_from_this()](Server::Part& part) {
            const std::string reason =
                fmt::format("an administrator dropped what waited for {}", self->remote_);
            for (const PacketRef& packet : self->told_) {
                part.hub->trace.note(
                    *packet, {TraceStage::queue, TraceVerdict::dropped, self->remote_, reason});
            }
            part.servers->each_pair([&](RemotePair& pair) {
                if (pair.remote() == self->remote_) pair.dropped();
            });
            return true;
        },
        [self = shared_from_this()](bool) { self->answer_(self->stanzas_); });
}

}  // namespace causeway
