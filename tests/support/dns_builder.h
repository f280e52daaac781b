// DnsBuilder: writes DNS replies for tests, uncompressed but for names given as offsets.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/dns_message.h"

namespace causeway {

class DnsBuilder {
public:
    using Bytes = std::vector<unsigned char>;

    static constexpr unsigned reply_flag = 0x8000;
    static constexpr unsigned authoritative_flag = 0x0400;
    static constexpr unsigned truncated_flag = 0x0200;

    DnsBuilder(std::string_view name, DnsType type, unsigned code = 0,
               unsigned flags = reply_flag | 0x0180) {
        number(0, 2);
        number(flags | code, 2);
        number(1, 2);
        for (int i = 0; i < 3; ++i) number(0, 2);
        this->name(name);
        number(static_cast<unsigned>(type), 2);
        number(1, 2);
    }

    DnsBuilder& address(std::string_view owner, unsigned ttl, const std::string& text) {
        const auto value = boost::asio::ip::make_address(text);
        begin(answers, owner, value.is_v4() ? DnsType::a : DnsType::aaaa, ttl);
        if (value.is_v4()) {
            for (const auto byte : value.to_v4().to_bytes()) number(byte, 1);
        } else {
            for (const auto byte : value.to_v6().to_bytes()) number(byte, 1);
        }
        return end();
    }
    DnsBuilder& alias(std::string_view owner, unsigned ttl, std::string_view target) {
        begin(answers, owner, DnsType::cname, ttl);
        name(target);
        return end();
    }
    DnsBuilder& srv(std::string_view owner, unsigned ttl, const SrvRecord& record) {
        begin(answers, owner, DnsType::srv, ttl);
        number(record.priority, 2);
        number(record.weight, 2);
        number(record.port, 2);
        name(record.target);
        return end();
    }
    /// A record of any content in the answer section.
    DnsBuilder& raw(std::string_view owner, DnsType type, unsigned ttl, const Bytes& data,
                    unsigned record_class = 1) {
        begin(answers, owner, type, ttl, record_class);
        bytes_.insert(bytes_.end(), data.begin(), data.end());
        return end();
    }
    DnsBuilder& authority_soa(std::string_view zone, unsigned ttl, unsigned minimum) {
        begin(authorities, zone, DnsType::soa, ttl);
        name("ns." + std::string(zone));
        name("admin." + std::string(zone));
        for (const unsigned value : {1U, 3600U, 600U, 86400U, minimum}) number(value, 4);
        return end();
    }
    DnsBuilder& authority_ns(std::string_view zone, unsigned ttl, std::string_view server) {
        begin(authorities, zone, DnsType::ns, ttl);
        name(server);
        return end();
    }

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }

private:
    static constexpr std::size_t answers = 6;  // offsets of the counts
    static constexpr std::size_t authorities = 8;

    void number(unsigned value, int bytes) {
        for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
            bytes_.push_back(static_cast<unsigned char>(value >> static_cast<unsigned>(shift)));
        }
    }
    void name(std::string_view text) {
        while (!text.empty()) {
            const auto dot = text.find('.');
            const auto label = text.substr(0, dot);
            number(static_cast<unsigned>(label.size()), 1);
            bytes_.insert(bytes_.end(), label.begin(), label.end());
            text = dot == text.npos ? std::string_view{} : text.substr(dot + 1);
        }
        number(0, 1);
    }
    void begin(std::size_t count, std::string_view owner, DnsType type, unsigned ttl,
               unsigned record_class = 1) {
        if (++bytes_[count + 1] == 0) ++bytes_[count];
        name(owner);
        number(static_cast<unsigned>(type), 2);
        number(record_class, 2);
        number(ttl, 4);
        number(0, 2);
        data_ = bytes_.size();
    }
    DnsBuilder& end() {
        const std::size_t size = bytes_.size() - data_;
        bytes_[data_ - 2] = static_cast<unsigned char>(size >> 8U);
        bytes_[data_ - 1] = static_cast<unsigned char>(size & 0xffU);
        return *this;
    }

    Bytes bytes_;
    std::size_t data_ = 0;
};

}  // namespace causeway
