// What waits for another domain in the store: put there, read back in order, and given up.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"
#include "s2s/remote_pair.h"

namespace causeway {
namespace {
// Rows read at once, and about as many under way without an answer.
constexpr std::size_t page = 100;
}  // namespace

void RemotePair::spool(const PacketRef& packet, AcknowledgementTicket ticket) {
    stored_bytes_ += packet->bytes().size();
    if (++stored_rows_ > hub_.limits().remote_queue_stanzas ||
        stored_bytes_ > hub_.limits().remote_queue_bytes) {
        --stored_rows_;
        stored_bytes_ -= packet->bytes().size();
        bounce(*packet, Outcome::policy("too much is waiting for that domain"), ticket);
        return;
    }
    stored_ = true;
    ++keeping_;
    hub_.ledger.keep(packet, ticket, store_key(), [this](Result<std::uint64_t>) {
        --keeping_;
        if (state_ == State::up) drain();
    });
    if (state_ == State::waiting && !timer_.armed()) schedule_retry();
}

void RemotePair::spool_memory() {
    for (const Waiting& waiting : std::exchange(memory_, {})) {
        if (waiting.hold == 0) {
            memory_.push_back(waiting);
            continue;
        }
        store_again(waiting.hold);
    }
    memory_bytes_ = 0;
    for (const Waiting& left : memory_) memory_bytes_ += left.packet->bytes().size();
}

void RemotePair::drain() {
    // A stream that is ending takes nothing any more; on_stopped tries again.
    if (state_ != State::up || !stream_->stream().usable()) return;
    if (reading_) {
        read_again_ = true;
        return;
    }
    if (unconfirmed_.size() > page || (careful_ > 0 && !unconfirmed_.empty()) ||
        stream_->stream().channel().queued() > hub_.limits().server_queue_soft_bytes) {
        return;  // the answer to a ping, or room, brings us back
    }
    reading_ = true;
    read_again_ = false;
    hub_.shared.store.log_list(
        std::string(store_name), queue_owner(remote_, local_), read_until_, page, hub_.shard,
        [this, read = reads_](Result<std::vector<LogRow>> rows) {
            reading_ = false;
            if (state_ != State::up) return;
            if (!rows) {
                CAUSEWAY_LOG(error, "s2s.queue_unreadable", {"remote", remote_},
                             {"cause", rows.error().why()});
            } else if (read != reads_) {
                drain();  // asked for another stream, from another place
            } else {
                drained_page(*rows);
            }
        });
}

void RemotePair::drained_page(const std::vector<LogRow>& rows) {
    if (!rows.empty()) last_used_ = hub_.clock().now();
    for (const LogRow& row : rows) {
        if (!stream_->stream().usable()) return;
        if (careful_ > 0 && !unconfirmed_.empty()) return;  // one at a time
        // Room comes back with on_stream_writable() or the answer to a ping.
        if (stream_->stream().channel().queued() > hub_.limits().server_queue_soft_bytes) return;
        // Seen before we heard that it is stored, which brings us back.
        if (hub_.ledger.arriving(row.id)) return;
        read_until_ = row.id;
        // What is over is left to the Expiry, which may be erasing it.
        if (hub_.ledger.in_flight(row.id) || hub_.shared.lifetimes.over(row.expires)) continue;
        auto packet = Packet::from_bytes(row.body);
        if (!packet) {
            CAUSEWAY_LOG(error, "s2s.queue_unreadable_row", {"remote", remote_}, {"row", row.id});
            continue;
        }
        PacketRef stamped = *packet;
        if (stamped->kind() == StanzaKind::message) {
            std::string delay = "<delay";
            append_attribute(delay, "xmlns", ns::delay);
            append_attribute(delay, "from", local_);
            append_attribute(delay, "stamp", format_date_time(row.at));
            stamped = stamped->with_child(delay + "/>");
        }
        if (stored_rows_ > 0) --stored_rows_;
        stored_bytes_ -= std::min(stored_bytes_, row.body.size());
        write(stamped, hub_.ledger.adopt(stamped, store_key(), row.id), true);
        if (careful_ > 0) suspect_ = row.id;
        if (state_ != State::up) return;
    }
    if (!rows.empty() || read_again_) {
        drain();
    } else if (keeping_ == 0) {
        stored_ = false;
        stored_rows_ = stored_bytes_ = 0;
    }
}

void RemotePair::give_back_unconfirmed() {
    ping_ = 0;
    ping_timer_.cancel();
    unhurried_timer_.cancel();
    owed_ = false;
    for (const Written& written : std::exchange(unconfirmed_, {})) {
        if (written.hold != 0) {
            store_again(written.hold);
        } else {
            spool(written.packet, {});
        }
    }
    read_until_ = 0;
    ++reads_;
}

void RemotePair::store_again(HoldId hold) {
    stored_ = true;
    ++keeping_;
    ++stored_rows_;
    if (const PacketRef packet = hub_.ledger.packet(hold)) stored_bytes_ += packet->bytes().size();
    hub_.ledger.release_to(hold, [this](const auto&) {
        --keeping_;
        if (state_ == State::up) drain();
    });
}

void RemotePair::resume_stored(std::size_t rows, std::size_t bytes) {
    if (stored_) return;
    stored_ = true;
    stored_rows_ = rows;
    stored_bytes_ = bytes;
    if (state_ == State::idle) connect();
}

void RemotePair::expired(std::size_t rows, std::size_t bytes) {
    stored_rows_ -= std::min(stored_rows_, rows);
    stored_bytes_ -= std::min(stored_bytes_, bytes);
    if (stored_rows_ != 0 || keeping_ != 0 || !unconfirmed_.empty() || !stored_) return;
    stored_ = false;
    if (state_ != State::waiting) return;
    timer_.cancel();
    next_retry_ = 0;
    state_ = State::idle;
}

void RemotePair::dropped() {
    read_until_ = 0;
    stored_rows_ = stored_bytes_ = 0;
    if (keeping_ == 0) stored_ = false;
}

void RemotePair::fail_stored(const Outcome& why) {
    ++failing_;
    hub_.shared.store.log_list(std::string(store_name), queue_owner(remote_, local_), 0, page,
                               hub_.shard, [this, why](Result<std::vector<LogRow>> rows) {
                                   --failing_;
                                   if (!rows) return;
                                   if (rows->empty()) {
                                       stored_rows_ = stored_bytes_ = 0;
                                       if (keeping_ == 0) stored_ = false;
                                       return;
                                   }
                                   Batch erased;
                                   for (const LogRow& row : *rows) {
                                       erased.log_erase(store_name, queue_owner(remote_, local_),
                                                        row.id);
                                       if (auto packet = Packet::from_bytes(row.body)) {
                                           bounce(**packet, why);
                                       } else {
                                           CAUSEWAY_LOG(error, "s2s.queue_unreadable_row",
                                                        {"remote", remote_}, {"row", row.id});
                                       }
                                   }
                                   ++failing_;
                                   hub_.shared.store.commit(std::move(erased), hub_.shard,
                                                            [this, why](const Outcome& done) {
                                                                --failing_;
                                                                if (done) fail_stored(why);
                                                            });
                               });
}

}  // namespace causeway
