#include "gateway/net/cares_resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace causeway {
namespace {

namespace ip = boost::asio::ip;
using std::chrono::seconds;

constexpr std::uint16_t dns_port = 53;
constexpr const char* system_configuration = "/etc/resolv.conf";
constexpr Duration configuration_interval{10'000};
// What /etc/hosts says holds until somebody edits it, which nobody announces.
constexpr seconds hosts_file_ttl{30};

template <class T>
Result<T> failure(const DnsReply& reply) {
    return reply.kind == DnsReply::Kind::absent ? Outcome::absent(reply.why)
                                                : Outcome::retry(reply.why);
}

/// What c-ares says where there is no reply.
DnsReply reply_without_bytes(int status) {
    DnsReply reply;
    reply.kind = status == ARES_ETIMEOUT ? DnsReply::Kind::silent : DnsReply::Kind::retry;
    reply.why = describe_cares_status(status);
    return reply;
}

DnsReply retry_reply(std::string why) {
    DnsReply reply;
    reply.why = std::move(why);
    return reply;
}

timespec changed_at(const char* path) {
    struct stat status {};
    return ::stat(path, &status) == 0 ? status.st_mtim : timespec{};
}

bool is_loopback_name(const std::string& host) {
    return host == "localhost" || host.ends_with(".localhost");
}

}  // namespace

Result<Endpoint> parse_name_server(std::string_view text) {
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return Outcome::malformed("a '[' without ']'");
        host = text.substr(1, close - 1);
        port = text.substr(close + 1);
        if (!port.empty() && !port.starts_with(':')) return Outcome::malformed("no ':' after ']'");
    } else if (const auto colon = text.find(':');
               colon != std::string_view::npos && text.find(':', colon + 1) == text.npos) {
        host = text.substr(0, colon);
        port = text.substr(colon);
    }
    boost::system::error_code error;
    const Address address = ip::make_address(std::string(host), error);
    if (error) {
        return Outcome::malformed(
            fmt::format("'{}' is not an IP address with an optional port", text));
    }
    if (port.empty()) return Endpoint(address, dns_port);
    port.remove_prefix(1);
    std::uint16_t number = 0;
    const auto [end, fault] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (fault != std::errc{} || end != port.data() + port.size() || number == 0) {
        return Outcome::malformed(fmt::format("'{}' has no port from 1 to 65535", text));
    }
    return Endpoint(address, number);
}

/// A and AAAA of one host. Kept by the callbacks of its two questions.
struct CaresResolver::AddressLookup final : TimerTarget {
    AddressLookup(CaresResolver& owner, std::string name)
        : resolver(owner), host(std::move(name)) {}
    AddressLookup(const AddressLookup&) = delete;
    AddressLookup& operator=(const AddressLookup&) = delete;
    ~AddressLookup() = default;

    /// The patience for the second family is over.
    void on_timer(std::uint32_t /*which*/) override {
        if (const auto self = me.lock()) resolver.settle(self);
    }

    CaresResolver& resolver;
    std::string host;
    std::array<DnsReply, 2> replies;  // A, AAAA
    std::array<bool, 2> done{};
    Timer patience;
    std::weak_ptr<AddressLookup> me;
};

Result<std::unique_ptr<CaresResolver>> CaresResolver::open(const DnsLoop& loop, const Clock& clock,
                                                           ResolverOptions options) {
    std::unique_ptr<CaresResolver> resolver(new CaresResolver(loop, clock, std::move(options)));
    if (Outcome opened = resolver->open_channel(); !opened.ok()) return opened;
    return resolver;
}

CaresResolver::CaresResolver(const DnsLoop& loop, const Clock& clock, ResolverOptions options)
    : loop_(loop),
      clock_(clock),
      options_(std::move(options)),
      srv_cache_(clock, options_.cache),
      address_cache_(clock, options_.cache) {}

CaresResolver::~CaresResolver() { alive_.reset(); }

Outcome CaresResolver::open_channel() {
    configuration_checked_ = clock_.now();
    configuration_changed_ = changed_at(system_configuration);
    auto opened = CaresChannel::open(loop_, {options_.servers, options_.timeout, options_.tries});
    if (!opened.ok()) return opened.error();
    std::erase_if(retired_, [](const auto& old) { return old->outstanding() == 0; });
    if (channel_) retired_.push_back(std::move(channel_));
    channel_ = std::move(*opened);
    return {};
}

Outcome CaresResolver::set_servers(std::vector<Endpoint> servers) {
    auto before = std::exchange(options_.servers, std::move(servers));
    Outcome opened = open_channel();
    if (!opened.ok()) {
        options_.servers = std::move(before);
        return opened;
    }
    srv_cache_.clear();
    address_cache_.clear();
    return {};
}

void CaresResolver::follow_system_configuration() {
    if (!options_.servers.empty()) return;
    if (clock_.now() - configuration_checked_ < configuration_interval) return;
    configuration_checked_ = clock_.now();
    const timespec changed = changed_at(system_configuration);
    if (changed.tv_sec == configuration_changed_.tv_sec &&
        changed.tv_nsec == configuration_changed_.tv_nsec) {
        return;
    }
    // If the new one cannot be used, the old one goes on.
    static_cast<void>(open_channel());
}

template <class T>
void CaresResolver::answer_later(Answer<T> answer, Result<T> result) {
    loop_.executor.post([alive = std::weak_ptr<bool>(alive_), answer = std::move(answer),
                         result = std::move(result)]() mutable {
        if (!alive.expired()) answer(std::move(result));
    });
}

/// Answers from the cache, refuses, or joins those who wait for the same; false: the caller asks.
template <class T>
bool CaresResolver::settled_without_asking(DnsCache<T>& cache, Waiting<T>& waiting,
                                           const std::string& name, Answer<T>& answer) {
    if (!is_dns_name(name)) {
        answer_later<T>(std::move(answer),
                        Outcome::absent("'" + name + "' is not a name that DNS can hold"));
        return true;
    }
    if (auto known = cache.find(name)) {
        answer_later<T>(std::move(answer), std::move(*known));
        return true;
    }
    const auto found = waiting.find(name);
    if (found == waiting.end()) {
        waiting[name].push_back(std::move(answer));
        return false;
    }
    if (found->second.size() >= options_.waiters) {
        answer_later<T>(std::move(answer),
                        Outcome::retry("too many wait for the address of " + name));
        return true;
    }
    found->second.push_back(std::move(answer));
    return true;
}

template <class T>
void CaresResolver::finish(DnsCache<T>& cache, Waiting<T>& waiting, const std::string& name,
                           Result<T> result, seconds ttl) {
    ttl = cache.store(name, result, ttl);
    if (result.ok()) result->ttl = ttl;
    auto node = waiting.extract(name);
    if (!node) return;
    const std::weak_ptr<bool> alive = alive_;
    for (Answer<T>& answer : node.mapped()) {
        if (alive.expired()) return;  // the one before destroyed us
        answer(result);
    }
}

void CaresResolver::srv(std::string name, Answer<SrvAnswer> answer) {
    name = normal_dns_name(name);
    if (settled_without_asking(srv_cache_, srv_waiting_, name, answer)) return;
    begin(name, DnsType::srv, [this, name](DnsReply reply) {
        if (reply.kind == DnsReply::Kind::silent) {
            // Kept as briefly as a failure: the next question may be answered.
            const seconds kept = options_.cache.retry_max;
            finish<SrvAnswer>(srv_cache_, srv_waiting_, name, SrvAnswer{{}, kept}, kept);
            return;
        }
        if (reply.kind != DnsReply::Kind::records) {
            finish(srv_cache_, srv_waiting_, name, failure<SrvAnswer>(reply), reply.ttl);
            return;
        }
        finish<SrvAnswer>(srv_cache_, srv_waiting_, name,
                          SrvAnswer{std::move(reply.srv), reply.ttl}, reply.ttl);
    });
}

void CaresResolver::addresses(std::string host, Answer<AddressAnswer> answer) {
    boost::system::error_code no_literal;
    const Address literal = ip::make_address(host, no_literal);
    if (!no_literal) {
        answer_later<AddressAnswer>(std::move(answer),
                                    AddressAnswer{{literal}, options_.cache.positive_max});
        return;
    }
    host = normal_dns_name(host);
    if (settled_without_asking(address_cache_, address_waiting_, host, answer)) return;
    if (auto local = addresses_in_hosts_file(host); !local.empty()) {
        loop_.executor.post([this, alive = std::weak_ptr<bool>(alive_), host,
                             found = AddressAnswer{std::move(local), hosts_file_ttl}] {
            if (alive.expired()) return;
            finish<AddressAnswer>(address_cache_, address_waiting_, host, found, found.ttl);
        });
        return;
    }
    auto lookup = std::make_shared<AddressLookup>(*this, host);
    lookup->me = lookup;
    begin(host, DnsType::a,
          [this, lookup](DnsReply reply) { on_family(lookup, false, std::move(reply)); });
    begin(host, DnsType::aaaa,
          [this, lookup](DnsReply reply) { on_family(lookup, true, std::move(reply)); });
}

void CaresResolver::on_family(const std::shared_ptr<AddressLookup>& lookup, bool second,
                              DnsReply reply) {
    const bool found = reply.kind == DnsReply::Kind::records;
    if (reply.addresses.size() > options_.addresses_per_family) {
        reply.addresses.resize(options_.addresses_per_family);
    }
    lookup->replies[second ? 1 : 0] = std::move(reply);
    lookup->done[second ? 1 : 0] = true;
    if (!lookup->done[second ? 0 : 1]) {
        // Some servers never answer AAAA: with addresses in hand nobody should wait for that.
        if (found) loop_.timers.arm(lookup->patience, options_.family_patience, *lookup);
        return;
    }
    settle(lookup);
}

void CaresResolver::settle(const std::shared_ptr<AddressLookup>& lookup) {
    lookup->patience.cancel();
    AddressAnswer answer{{}, seconds::max()};
    bool sure = true;  // neither family failed
    seconds negative = seconds::max();
    std::string why;
    for (std::size_t i = 0; i < 2; ++i) {
        const DnsReply& reply = lookup->replies[i];
        if (reply.kind == DnsReply::Kind::records) {
            answer.addresses.insert(answer.addresses.end(), reply.addresses.begin(),
                                    reply.addresses.end());
            answer.ttl = std::min(answer.ttl, reply.ttl);
        } else if (reply.kind == DnsReply::Kind::absent) {
            negative = std::min(negative, reply.ttl);
            if (sure) why = reply.why;
        } else {
            sure = false;
            why = lookup->done[i] ? reply.why : "no answer from the name servers";
        }
    }
    if (!answer.addresses.empty()) {
        // Half an answer is asked for again soon.
        if (!sure) answer.ttl = std::min(answer.ttl, options_.cache.retry_max);
        const seconds ttl = answer.ttl;
        finish<AddressAnswer>(address_cache_, address_waiting_, lookup->host, std::move(answer),
                              ttl);
        return;
    }
    Outcome outcome =
        sure ? Outcome::absent("no address for " + lookup->host) : Outcome::retry(std::move(why));
    finish<AddressAnswer>(address_cache_, address_waiting_, lookup->host, std::move(outcome),
                          negative);
}

void CaresResolver::begin(std::string name, DnsType type, std::function<void(DnsReply)> done) {
    enqueue({std::move(name), type, options_.aliases, seconds::max(), std::move(done)});
}

void CaresResolver::enqueue(Question question) {
    if (outstanding_ < options_.outstanding) return send(std::move(question));
    if (queue_.size() < options_.queued) {
        queue_.push_back(std::move(question));
        return;
    }
    loop_.executor.post([alive = std::weak_ptr<bool>(alive_), done = std::move(question.done)] {
        if (!alive.expired()) done(retry_reply("too many DNS questions wait for an answer"));
    });
}

void CaresResolver::send(Question question) {
    follow_system_configuration();
    ++outstanding_;
    ++sent_;
    const std::string name = question.name;
    const DnsType type = question.type;
    channel_->ask(name, type,
                  [this, alive = std::weak_ptr<bool>(alive_), question = std::move(question)](
                      int status, std::vector<unsigned char> reply) mutable {
                      if (alive.expired()) return;
                      --outstanding_;
                      on_reply(std::move(question), status, reply);
                      if (!alive.expired()) pump();
                  });
}

void CaresResolver::on_reply(Question question, int status,
                             const std::vector<unsigned char>& bytes) {
    DnsReply reply = bytes.empty()
                         ? reply_without_bytes(status)
                         : read_dns_reply(bytes, question.name, question.type, options_.reply);
    if (reply.kind == DnsReply::Kind::alias) {
        if (question.aliases_left > 0) {
            question.name = reply.alias;
            question.ttl = std::min(question.ttl, reply.ttl);
            --question.aliases_left;
            enqueue(std::move(question));
            return;
        }
        reply = retry_reply("a chain of aliases without an end");
    }
    reply.ttl = std::min(reply.ttl, question.ttl);
    question.done(std::move(reply));
}

void CaresResolver::pump() {
    while (!queue_.empty() && outstanding_ < options_.outstanding) {
        Question next = std::move(queue_.front());
        queue_.pop_front();
        send(std::move(next));
    }
}

std::vector<Address> CaresResolver::addresses_in_hosts_file(const std::string& host) {
    // RFC 6761 §6.3: these names never leave the machine.
    if (is_loopback_name(host)) {
        return {ip::address_v6::loopback(), ip::address_v4::loopback()};
    }
    if (!options_.servers.empty()) return {};
    return channel_->in_hosts_file(host);
}

}  // namespace causeway
