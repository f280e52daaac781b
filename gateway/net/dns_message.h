// Reading a DNS reply (RFC 1035 §4, RFC 2782, RFC 2308): from the bytes of one message to the
// records asked for, an alias to go on with, or the reason why there are none. Pure and total: any
// bytes give a DnsReply, in time and memory bounded by the message.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/resolver.h"

namespace causeway {

enum class DnsType : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, aaaa = 28, srv = 33 };

/// What a reply means for its question.
struct DnsReply {
    enum class Kind : unsigned char {
        records,  ///< `srv` or `addresses` holds at least one
        alias,    ///< CNAMEs lead to `alias`, about which the reply says nothing: ask again there
        absent,   ///< the name or the type does not exist
        retry,    ///< no usable answer
        silent,   ///< no answer at all in the time for one
    };
    Kind kind = Kind::retry;
    std::string why;  ///< when absent or retry
    std::string alias;
    std::chrono::seconds ttl{0};  ///< how long the reply holds; 0 when it says nothing about it
    std::vector<SrvRecord> srv;
    std::vector<Address> addresses;
};

struct DnsReplyLimits {
    std::size_t records_read = 256;  ///< of all sections together; what follows is ignored
    std::size_t records_kept = 64;   ///< SRV records, or addresses of one family
    std::size_t aliases = 8;         ///< CNAMEs followed within one reply
};

/// Reads the reply to the question `name` (lower case, no trailing dot) of `type` (a, aaaa or srv).
/// A reply to another question is Kind::retry.
DnsReply read_dns_reply(std::span<const unsigned char> message, std::string_view name, DnsType type,
                        const DnsReplyLimits& limits = {});

/// Whether DNS can hold `name` and a host or service can bear it: letters, digits, '-' and '_' in
/// labels of 1 to 63 characters, 253 at most, no trailing dot.
bool is_dns_name(std::string_view name);

/// ASCII lower case without one trailing dot.
std::string normal_dns_name(std::string_view name);

}  // namespace causeway
