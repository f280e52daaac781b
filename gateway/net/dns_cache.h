// DnsCache: what DNS said, positive and negative, for as long as it said, in bounded room: the
// entry unused for longest goes first. Owner: one shard's resolver.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"

namespace causeway {

/// Bounds on time and room. TTLs outside a range are moved to its nearer end.
struct DnsCacheLimits {
    std::size_t entries = 8192;
    std::chrono::seconds positive_min{1};  ///< 0 would ask again for every stanza
    std::chrono::seconds positive_max{86'400};
    std::chrono::seconds absent_min{1};
    std::chrono::seconds absent_max{300};
    std::chrono::seconds retry_max{3};  ///< failures are kept only to break a storm of questions
};

/// `Value` has a member `ttl` of std::chrono::seconds, which a hit returns as the time left.
template <class Value>
class DnsCache {
public:
    DnsCache(const Clock& clock, const DnsCacheLimits& limits) : clock_(clock), limits_(limits) {}

    /// The unexpired answer for `key`.
    std::optional<Result<Value>> find(const std::string& key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return std::nullopt;
        const TimePoint now = clock_.now();
        if (found->second->expires <= now) {
            erase(found->second);
            return std::nullopt;
        }
        entries_.splice(entries_.begin(), entries_, found->second);
        Result<Value> result = found->second->result;
        if (result.ok()) {
            result->ttl = std::chrono::ceil<std::chrono::seconds>(found->second->expires - now);
        }
        return result;
    }

    /// Remembers `result` for `ttl` within the limits of its kind; returns the time it got.
    std::chrono::seconds store(const std::string& key, const Result<Value>& result,
                               std::chrono::seconds ttl) {
        if (const auto found = index_.find(key); found != index_.end()) erase(found->second);
        const std::chrono::seconds time = clamp(result, ttl);
        if (time <= std::chrono::seconds(0) || limits_.entries == 0) return time;
        while (entries_.size() >= limits_.entries) erase(std::prev(entries_.end()));
        entries_.push_front(Entry{key, result, clock_.now() + time});
        index_.emplace(entries_.front().key, entries_.begin());
        return time;
    }

    void clear() {
        index_.clear();
        entries_.clear();
    }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::string key;
        Result<Value> result;
        TimePoint expires;
    };
    using Entries = std::list<Entry>;

    [[nodiscard]] std::chrono::seconds clamp(const Result<Value>& result,
                                             std::chrono::seconds ttl) const {
        if (result.ok()) return std::clamp(ttl, limits_.positive_min, limits_.positive_max);
        if (result.error().cause() == Cause::absent) {
            return std::clamp(ttl, limits_.absent_min, limits_.absent_max);
        }
        return limits_.retry_max;
    }

    void erase(typename Entries::iterator entry) {
        index_.erase(entry->key);
        entries_.erase(entry);
    }

    const Clock& clock_;
    DnsCacheLimits limits_;
    Entries entries_;  // most recently used first
    std::unordered_map<std::string_view, typename Entries::iterator>
        index_;  // keys live in entries_
};

}  // namespace causeway
