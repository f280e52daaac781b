#include "gateway/net/dns_message.h"

#include <ares.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace causeway {
namespace {

using std::chrono::seconds;

constexpr std::size_t header_size = 12;
constexpr std::size_t longest_message = 65'535;
constexpr std::size_t longest_name = 4 * 253;  // each octet of a label may be written \ddd
constexpr unsigned class_internet = 1;
constexpr unsigned code_no_error = 0;
constexpr unsigned code_no_such_name = 3;

struct Record {
    std::string owner;
    unsigned type = 0;
    unsigned record_class = 0;
    seconds ttl{0};
    std::size_t data = 0;  // offset of RDATA in the message
    std::size_t size = 0;
};

/// A cursor over the message. After a failure every further step fails.
class Reader {
public:
    explicit Reader(std::span<const unsigned char> message) : message_(message) {}

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::size_t position() const { return at_; }

    unsigned number(std::size_t bytes) {
        unsigned value = 0;
        if (!reserve(bytes)) return 0;
        for (std::size_t i = 0; i < bytes; ++i) value = value << 8U | message_[at_ + i];
        at_ += bytes;
        return value;
    }

    void skip(std::size_t bytes) {
        if (reserve(bytes)) at_ += bytes;
    }

    void go_to(std::size_t offset) {
        at_ = 0;
        skip(offset);
    }

    /// A possibly compressed name, lower case, without trailing dot. c-ares checks the pointers.
    std::string name() {
        if (failed_ || at_ >= message_.size()) {
            failed_ = true;
            return {};
        }
        char* expanded = nullptr;
        long encoded = 0;
        const int status = ares_expand_name(message_.data() + at_, message_.data(),
                                            static_cast<int>(message_.size()), &expanded, &encoded);
        const std::unique_ptr<char, decltype(&ares_free_string)> owner(
            status == ARES_SUCCESS ? expanded : nullptr,
            [](void* text) { ares_free_string(text); });
        if (status != ARES_SUCCESS || encoded <= 0) {
            failed_ = true;
            return {};
        }
        skip(static_cast<std::size_t>(encoded));
        const std::string_view text(expanded);
        // c-ares lets compression build names beyond the 255 octets of RFC 1035.
        if (text.size() > longest_name) failed_ = true;
        return failed_ ? std::string() : normal_dns_name(text);
    }

private:
    bool reserve(std::size_t bytes) {
        if (bytes > message_.size() - at_) failed_ = true;
        return !failed_;
    }

    std::span<const unsigned char> message_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

/// The parts of a message that decide what it means.
struct Message {
    unsigned code = 0;
    bool authoritative = false;
    std::vector<Record> answers;
    std::vector<Record> authority;
};

std::optional<Record> read_record(Reader& reader) {
    Record record;
    record.owner = reader.name();
    record.type = reader.number(2);
    record.record_class = reader.number(2);
    const unsigned ttl = reader.number(4);
    // RFC 2181 §8: with the top bit set it counts as zero.
    record.ttl = seconds(ttl > 0x7fffffffU ? 0U : ttl);
    record.size = reader.number(2);
    record.data = reader.position();
    reader.skip(record.size);
    if (reader.failed()) return std::nullopt;
    return record;
}

/// Why the header or the question disqualify the message, or "".
std::string read_start(Reader& reader, Message& into, unsigned& answers, unsigned& authority,
                       std::string_view name, DnsType type) {
    reader.skip(2);
    const unsigned flags = reader.number(2);
    const unsigned questions = reader.number(2);
    answers = reader.number(2);
    authority = reader.number(2);
    reader.skip(2);
    if (reader.failed()) return "an incomplete reply";
    into.code = flags & 0xfU;
    into.authoritative = (flags & 0x0400U) != 0;
    if ((flags & 0x8000U) == 0 || questions != 1) return "a reply that is none";
    if ((flags & 0x0200U) != 0) return "a truncated reply";
    const std::string asked = reader.name();
    const unsigned asked_type = reader.number(2);
    const unsigned asked_class = reader.number(2);
    if (reader.failed()) return "an incomplete reply";
    if (asked != name || asked_type != static_cast<unsigned>(type) ||
        asked_class != class_internet) {
        return "a reply to another question";
    }
    return "";
}

/// Takes records until the count, the limit or the bytes end.
void read_section(Reader& reader, unsigned count, std::size_t& left, std::vector<Record>& into) {
    for (; count > 0 && left > 0; --count, --left) {
        auto record = read_record(reader);
        if (!record) return;
        if (record->record_class == class_internet) into.push_back(std::move(*record));
    }
}

/// RFC 2308 §5: the lesser of the SOA's own TTL and its last field.
std::optional<seconds> negative_ttl(std::span<const unsigned char> message,
                                    const std::vector<Record>& authority) {
    for (const Record& record : authority) {
        if (record.type != static_cast<unsigned>(DnsType::soa) || record.size < 22) continue;
        Reader reader(message.first(record.data + record.size));
        reader.go_to(record.data + record.size - 4);
        const unsigned minimum = reader.number(4);
        return std::min(record.ttl, seconds(minimum > 0x7fffffffU ? 0U : minimum));
    }
    return std::nullopt;
}

DnsReply retry(std::string why) {
    DnsReply reply;
    reply.why = "the name server sent " + std::move(why);
    return reply;
}

DnsReply refusal(unsigned code) {
    static constexpr std::array<std::string_view, 6> names = {"", "FORMERR", "SERVFAIL",
                                                              "", "NOTIMP",  "REFUSED"};
    DnsReply reply;
    reply.why = "the name server answered " +
                (code < names.size() ? std::string(names[code]) : "code " + std::to_string(code));
    return reply;
}

void read_srv(Reader& reader, const Record& record, DnsReply& into) {
    reader.go_to(record.data);
    SrvRecord srv;
    srv.priority = static_cast<std::uint16_t>(reader.number(2));
    srv.weight = static_cast<std::uint16_t>(reader.number(2));
    srv.port = static_cast<std::uint16_t>(reader.number(2));
    srv.target = reader.name();
    if (reader.failed() || reader.position() != record.data + record.size) return;
    // A port of zero or a target that no host can bear leads nowhere; the root is a statement.
    if (!srv.target.empty() && (srv.port == 0 || !is_dns_name(srv.target))) return;
    into.srv.push_back(std::move(srv));
}

template <class AddressOfFamily>
void read_address(Reader& reader, const Record& record, DnsReply& into) {
    typename AddressOfFamily::bytes_type bytes{};
    if (record.size != bytes.size()) return;
    reader.go_to(record.data);
    for (auto& byte : bytes) byte = static_cast<unsigned char>(reader.number(1));
    into.addresses.emplace_back(AddressOfFamily(bytes));
}

void read_data(std::span<const unsigned char> message, const Record& record, DnsReply& into) {
    Reader reader(message);
    switch (static_cast<DnsType>(record.type)) {
        case DnsType::srv: return read_srv(reader, record, into);
        case DnsType::a: return read_address<boost::asio::ip::address_v4>(reader, record, into);
        case DnsType::aaaa: return read_address<boost::asio::ip::address_v6>(reader, record, into);
        default: return;
    }
}

const Record* find_alias(const std::vector<Record>& answers, std::string_view owner) {
    const auto found = std::find_if(answers.begin(), answers.end(), [&](const Record& record) {
        return record.type == static_cast<unsigned>(DnsType::cname) && record.owner == owner;
    });
    return found == answers.end() ? nullptr : &*found;
}

/// Walks the aliases from `name`. False when there are too many or one leads nowhere.
bool follow_aliases(std::span<const unsigned char> message, const Message& parts,
                    std::size_t at_most, std::string& name, seconds& ttl) {
    for (std::size_t steps = 0;; ++steps) {
        const Record* alias = find_alias(parts.answers, name);
        if (alias == nullptr) return true;
        if (steps == at_most) return false;
        Reader reader(message);
        reader.go_to(alias->data);
        name = reader.name();
        if (reader.failed() || !is_dns_name(name)) return false;
        ttl = std::min(ttl, alias->ttl);
    }
}

/// No records although the server did not fail: absent, an alias to pursue, or a mere referral.
DnsReply nothing_found(std::span<const unsigned char> message, const Message& parts,
                       std::string_view asked, std::string last_name, seconds ttl) {
    DnsReply reply;
    const auto negative = negative_ttl(message, parts.authority);
    if (parts.code == code_no_such_name) {
        reply.kind = DnsReply::Kind::absent;
        reply.why = "no such name: " + last_name;
        reply.ttl = std::min(ttl, negative.value_or(seconds(0)));
        return reply;
    }
    if (last_name != asked && !negative) {
        reply.kind = DnsReply::Kind::alias;
        reply.alias = std::move(last_name);
        reply.ttl = ttl;
        return reply;
    }
    const bool referral =
        !negative && !parts.authoritative &&
        std::any_of(parts.authority.begin(), parts.authority.end(), [](const Record& record) {
            return record.type == static_cast<unsigned>(DnsType::ns);
        });
    if (referral) return retry("a referral instead of an answer");
    reply.kind = DnsReply::Kind::absent;
    reply.why = "no such record: " + last_name;
    reply.ttl = std::min(ttl, negative.value_or(seconds(0)));
    return reply;
}

}  // namespace

DnsReply read_dns_reply(std::span<const unsigned char> message, std::string_view name, DnsType type,
                        const DnsReplyLimits& limits) {
    if (message.size() < header_size || message.size() > longest_message) {
        return retry("an incomplete reply");
    }
    Reader reader(message);
    Message parts;
    unsigned answers = 0;
    unsigned authority = 0;
    const std::string fault = read_start(reader, parts, answers, authority, name, type);
    if (!fault.empty()) return retry(fault);
    if (parts.code != code_no_error && parts.code != code_no_such_name) return refusal(parts.code);
    std::size_t left = limits.records_read;
    read_section(reader, answers, left, parts.answers);
    // Half an answer is none: what is missing might be the better half.
    if (reader.failed()) return retry("an incomplete reply");
    read_section(reader, authority, left, parts.authority);

    std::string last_name(name);
    seconds ttl = seconds::max();
    if (!follow_aliases(message, parts, limits.aliases, last_name, ttl)) {
        return retry("a chain of aliases without an end");
    }
    DnsReply reply;
    bool any = false;
    for (const Record& record : parts.answers) {
        if (parts.code == code_no_such_name) break;
        if (record.type != static_cast<unsigned>(type) || record.owner != last_name) continue;
        if (reply.srv.size() + reply.addresses.size() == limits.records_kept) break;
        any = true;
        read_data(message, record, reply);
        ttl = std::min(ttl, record.ttl);
    }
    if (!any) return nothing_found(message, parts, name, std::move(last_name), ttl);
    // Records that nobody can use are not "no records": that would invite a fallback.
    if (reply.srv.empty() && reply.addresses.empty()) return retry("only unusable records");
    reply.kind = DnsReply::Kind::records;
    reply.ttl = ttl;
    return reply;
}

bool is_dns_name(std::string_view name) {
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    for (const char c : name) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
            continue;
        }
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!allowed || ++label > 63) return false;
    }
    return label > 0;
}

std::string normal_dns_name(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    std::string lower(name);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return lower;
}

}  // namespace causeway
