#include "gateway/shard/shard.h"

#include <boost/lockfree/spsc_queue.hpp>

#include <algorithm>
#include <utility>

namespace causeway {
namespace {
thread_local Shard* current_shard = nullptr;
constexpr Duration longest_sleep{1000};
}  // namespace

std::string IoBuffers::take_string() {
    if (spare_.empty()) return {};
    std::string taken = std::move(spare_.back());
    spare_.pop_back();
    return taken;
}

void IoBuffers::give_back(std::string&& used) {
    used.clear();
    if (spare_.size() < spare_limit && used.capacity() > 0 && used.capacity() <= spare_bytes) {
        spare_.push_back(std::move(used));
    } else {
        std::string().swap(used);
    }
}

struct Shard::Inboxes {
    using Ring = boost::lockfree::spsc_queue<Task, boost::lockfree::capacity<4096>>;
    std::vector<std::unique_ptr<Ring>> rings;  ///< by sending shard
};

Shard::Shard(unsigned index, unsigned count, const Clock& clock)
    : index_(index),
      count_(count),
      clock_(clock),
      inboxes_(std::make_unique<Inboxes>()),
      timers_(clock) {
    outbox_.resize(count);
    for (unsigned i = 0; i < count; ++i) {
        inboxes_->rings.push_back(std::make_unique<Inboxes::Ring>());
    }
}

Shard::~Shard() {
    // What is dropped here may post and condemn in its turn: again until nothing is left.
    Shard* const before = std::exchange(current_shard, this);
    for (bool left = true; left;) {
        std::vector<std::unique_ptr<Condemned>> freed = std::exchange(condemned_, {});
        std::vector<Task> dropped = std::exchange(local_, {});
        for (auto& ring : inboxes_->rings) {
            ring->consume_all([&](Task& task) { dropped.push_back(std::move(task)); });
        }
        const std::scoped_lock lock(foreign_mutex_);
        for (Task& task : foreign_) dropped.push_back(std::move(task));
        foreign_.clear();
        left = !freed.empty() || !dropped.empty();
    }
    current_shard = before;
}

Shard* Shard::current() { return current_shard; }

void Shard::post(std::function<void()> task) {
    Shard* const here = current_shard;
    if (here == this) {
        local_.push_back(std::move(task));
    } else if (here != nullptr) {
        here->outbox_[index_].push_back(std::move(task));
    } else {
        // Waking belongs under the lock: a shard that is being destroyed takes it before its poller
        // goes, and so never closes what another thread is about to write to.
        const std::scoped_lock lock(foreign_mutex_);
        foreign_.push_back(std::move(task));
        foreign_waiting_.store(true, std::memory_order_release);
        wake();
    }
}

void Shard::wake() {
    // Read-modify-writes on both sides: either this one sees that the shard sleeps, or the shard
    // sees in has_mail() what was posted before this call.
    if (sleeping_.exchange(false, std::memory_order_acq_rel)) poller_.wake();
}

bool Shard::has_mail() const {
    return foreign_waiting_.load(std::memory_order_acquire) ||
           stopping_.load(std::memory_order_acquire) ||
           std::ranges::any_of(inboxes_->rings,
                               [](const auto& ring) { return ring->read_available() != 0; });
}

void Shard::send_outboxes() {
    for (unsigned to = 0; to < count_; ++to) {
        std::vector<Task>& box = outbox_[to];
        if (box.empty()) continue;
        Inboxes::Ring& ring = *peers_[to]->inboxes_->rings[index_];
        std::size_t sent = 0;
        while (sent < box.size() && ring.push(std::move(box[sent]))) ++sent;
        box.erase(box.begin(), box.begin() + static_cast<std::ptrdiff_t>(sent));
        peers_[to]->wake();
    }
}

std::size_t Shard::run_tasks() {
    std::size_t done = 0;
    for (auto& ring : inboxes_->rings) {
        done += ring->consume_all([](Task& task) {
            const Task taken = std::move(task);
            taken();
        });
    }
    if (foreign_waiting_.exchange(false, std::memory_order_acquire)) {
        std::vector<Task> taken;
        {
            const std::scoped_lock lock(foreign_mutex_);
            taken.swap(foreign_);
        }
        for (Task& task : taken) std::exchange(task, nullptr)();
        done += taken.size();
    }
    running_.swap(local_);
    for (Task& task : running_) std::exchange(task, nullptr)();
    done += running_.size();
    running_.clear();
    return done;
}

void Shard::flush_dirty() {
    while (!dirty_.empty()) {
        Flushable& next = dirty_.front();
        dirty_.pop_front();
        next.flush();
    }
}

std::size_t Shard::turn(Duration wait) {
    Shard* const before = std::exchange(current_shard, this);
    std::size_t done = 0;
    const bool backlog = !local_.empty() ||
                         std::ranges::any_of(outbox_, [](const auto& box) { return !box.empty(); });
    Duration sleep = Duration::zero();
    if (!backlog && wait > Duration::zero()) {
        sleeping_.exchange(true, std::memory_order_acq_rel);
        if (!has_mail()) sleep = timers_.until_next(std::min(wait, longest_sleep));
    }
    // Before anything is read, what other shards had sent by then: whoever was told by one of them
    // may ask here next, and finds done what was sent ahead of the answer.
    done += poller_.poll(sleep, [this, &done] {
        if (has_mail()) done += run_tasks();
    });
    sleeping_.store(false, std::memory_order_relaxed);
    done += run_tasks();
    done += timers_.advance();
    // First what other shards are to do: whoever reads our answer may ask them next, and finds it
    // done. Flushing may add to it.
    send_outboxes();
    flush_dirty();
    send_outboxes();
    while (!condemned_.empty()) {
        std::vector<std::unique_ptr<Condemned>> freed;
        freed.swap(condemned_);
    }
    current_shard = before;
    return done;
}

void Shard::run() {
    while (!stopping_.load(std::memory_order_acquire)) turn(longest_sleep);
}

void Shard::stop() {
    stopping_.store(true, std::memory_order_release);
    wake();
}

Shards::Shards(unsigned count, const Clock& clock) {
    std::vector<Shard*> all;
    for (unsigned i = 0; i < count; ++i) {
        shards_.push_back(std::make_unique<Shard>(i, count, clock));
        all.push_back(shards_.back().get());
    }
    for (Shard* shard : all) shard->peers_ = all;
}

std::size_t Shards::run_until_idle() {
    std::size_t total = 0;
    for (std::size_t done = 1; done != 0; total += done) {
        done = 0;
        for (auto& shard : shards_) done += shard->turn(Duration::zero());
    }
    return total;
}

}  // namespace causeway
