// AccountSessions: which clients of an account are connected, or may come back.
#pragma once

#include <boost/container/small_vector.hpp>
#include <string_view>
#include <vector>

#include "gateway/session/resource.h"

namespace causeway {

class AccountSessions {
public:
    /// Usually one or two; no memory is asked for then.
    using Some = boost::container::small_vector<Resource*, 4>;

    void add(Resource& session) { all_.push_back(&session); }
    void remove(Resource& session) { std::erase(all_, &session); }

    [[nodiscard]] const std::vector<Resource*>& all() const { return all_; }
    [[nodiscard]] bool empty() const { return all_.empty(); }
    [[nodiscard]] std::size_t size() const { return all_.size(); }
    /// nullptr: there is no such session.
    [[nodiscard]] Resource* find(std::string_view resource) const;
    [[nodiscard]] bool has(const Resource& session) const;
    /// The available sessions of the highest priority, if that is not negative: those that get
    /// messages to the bare address (RFC 6121 §8.5.2.1.1).
    [[nodiscard]] Some best() const;

    /// Ends every stream with an error.
    void evict_all(std::string_view condition, std::string_view text);

private:
    std::vector<Resource*> all_;
};

}  // namespace causeway
