// Resolver: DNS as one shard sees it. Answers keep apart what decides delivery: there is no such
// record (Cause::absent), or nobody could say now (Cause::retry).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/net/socket.h"

namespace causeway {

/// RFC 2782. The target is lower case without a trailing dot; "" stands for the root ("not
/// offered").
struct SrvRecord {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;
};

struct SrvAnswer {
    std::vector<SrvRecord> records;  ///< empty: no name server answered at all in its time
    std::chrono::seconds ttl{0};
};

struct AddressAnswer {
    std::vector<Address> addresses;  ///< never empty in an ok answer
    std::chrono::seconds ttl{0};
};

class Resolver {
public:
    template <class T>
    using Answer = std::function<void(Result<T>)>;

    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    /// Drops pending queries; their callbacks are not called.
    virtual ~Resolver() = default;

    /// `name` such as "_xmpp-server._tcp.example.org" (A-labels). The answer never comes from
    /// within the call.
    virtual void srv(std::string name, Answer<SrvAnswer> answer) = 0;
    /// A and AAAA together, CNAMEs followed. One family failing does not spoil the other's answer.
    virtual void addresses(std::string host, Answer<AddressAnswer> answer) = 0;
};

}  // namespace causeway
