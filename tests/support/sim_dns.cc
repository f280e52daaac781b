#include "tests/support/sim_dns.h"

#include <utility>

namespace causeway {

template <class T>
void SimDns::ask(std::map<std::string, Entry<T>>& entries, const std::string& name,
                 Answer<T> answer) {
    Entry<T>& entry = entries[name];
    if (entry.kind == Kind::never) {
        entry.waiting.push_back(std::move(answer));
        return;
    }
    // The answer is fixed at the question, as it would be on the wire.
    Result<T> result = entry.kind == Kind::records ? Result<T>(entry.answer)
                       : entry.kind == Kind::absent
                           ? Result<T>(Outcome::absent("no such name: " + name))
                           : Result<T>(Outcome::retry("the name server failed: " + name));
    loop_.post([answer = std::move(answer), result = std::move(result),
                alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) answer(result);
    });
}

template <class T>
void SimDns::set(std::map<std::string, Entry<T>>& entries, const std::string& name, Kind kind,
                 T answer) {
    Entry<T>& entry = entries[name];
    entry.kind = kind;
    entry.answer = std::move(answer);
    if (kind == Kind::never) return;
    for (auto& waiting : std::exchange(entry.waiting, {})) ask(entries, name, std::move(waiting));
}

void SimDns::srv(std::string name, Answer<SrvAnswer> answer) {
    questions_.push_back("SRV " + name);
    ask(srv_, name, std::move(answer));
}

void SimDns::addresses(std::string host, Answer<AddressAnswer> answer) {
    boost::system::error_code no_literal;
    const Address literal = boost::asio::ip::make_address(host, no_literal);
    if (!no_literal) set_addresses(host, {literal.to_string()});
    questions_.push_back("A " + host);
    ask(addresses_, host, std::move(answer));
}

void SimDns::set_srv(const std::string& name, std::vector<SrvRecord> records,
                     std::chrono::seconds ttl) {
    set(srv_, name, Kind::records, SrvAnswer{std::move(records), ttl});
}

void SimDns::set_addresses(const std::string& host, const std::vector<std::string>& addresses,
                           std::chrono::seconds ttl) {
    AddressAnswer answer{{}, ttl};
    for (const std::string& address : addresses) {
        answer.addresses.push_back(boost::asio::ip::make_address(address));
    }
    set(addresses_, host, Kind::records, std::move(answer));
}

void SimDns::set_both(const std::string& name, Kind kind) {
    set(srv_, name, kind, SrvAnswer{});
    set(addresses_, name, kind, AddressAnswer{});
}

void SimDns::set_absent(const std::string& name) { set_both(name, Kind::absent); }
void SimDns::set_retry(const std::string& name) { set_both(name, Kind::retry); }
void SimDns::set_never(const std::string& name) { set_both(name, Kind::never); }

}  // namespace causeway
