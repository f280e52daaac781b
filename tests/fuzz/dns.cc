// Fuzz target: DNS replies. The first byte chooses the type asked for, the rest is the message; the
// name asked for is the one in its question, so that mutations reach the records. Besides not
// crashing: what is read is usable, and what is not read has a reason.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "gateway/net/dns_message.h"

using causeway::DnsReply;
using causeway::DnsType;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// The question's name if it is written without compression.
std::string asked_name(std::span<const unsigned char> message) {
    std::string name;
    std::size_t at = 12;
    while (at < message.size() && message[at] != 0) {
        const std::size_t size = message[at];
        if (size > 63 || size > message.size() - at - 1) break;
        if (!name.empty()) name += '.';
        for (std::size_t i = 1; i <= size; ++i) name += static_cast<char>(message[at + i]);
        at += 1 + size;
    }
    return causeway::normal_dns_name(name);
}

void check_records(const DnsReply& reply, DnsType type, std::size_t most) {
    require(reply.srv.size() + reply.addresses.size() > 0);
    require(reply.srv.size() + reply.addresses.size() <= most);
    require((type == DnsType::srv) == reply.addresses.empty());
    for (const auto& record : reply.srv) {
        require(record.target.empty() ||
                (record.port != 0 && causeway::is_dns_name(record.target)));
    }
    for (const auto& address : reply.addresses) require(address.is_v4() == (type == DnsType::a));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const DnsType type = data[0] == 's'   ? DnsType::srv
                         : data[0] == '6' ? DnsType::aaaa
                                          : DnsType::a;
    const std::span<const unsigned char> message(data + 1, size - 1);
    const std::string name = asked_name(message);
    const causeway::DnsReplyLimits limits;
    const DnsReply reply = causeway::read_dns_reply(message, name, type, limits);
    require(reply.ttl.count() >= 0 && reply.ttl.count() <= 0x7fffffff);
    switch (reply.kind) {
        case DnsReply::Kind::records: check_records(reply, type, limits.records_kept); break;
        case DnsReply::Kind::alias:
            require(causeway::is_dns_name(reply.alias) && reply.alias != name);
            break;
        case DnsReply::Kind::absent:
        case DnsReply::Kind::retry: require(!reply.why.empty()); break;
        case DnsReply::Kind::silent: require(false); break;  // a reply came
    }
    return 0;
}
