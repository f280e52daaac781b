// CaresResolver: the Resolver over c-ares, one per shard. Equal questions under way are asked once,
// answers are cached by their TTL within bounds, aliases are followed to a bound, and questions
// beyond a number wait their turn. Owner: the shard; it must not outlive the loop and the clock.
#pragma once

#include <sys/stat.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/net/cares_channel.h"
#include "gateway/net/dns_cache.h"
#include "gateway/net/resolver.h"

namespace causeway {

struct ResolverOptions {
    /// Empty: /etc/resolv.conf, read again when it changes, and /etc/hosts for addresses.
    std::vector<Endpoint> servers;
    Duration timeout{1500};  ///< for the first reply; doubles with each round
    int tries = 3;
    DnsCacheLimits cache;
    DnsReplyLimits reply;
    std::size_t outstanding = 256;  ///< questions on the wire at once
    std::size_t queued = 32'768;    ///< questions that wait for that; more fail with Cause::retry
    std::size_t waiters = 4096;     ///< callers waiting for one answer; more fail with Cause::retry
    int aliases = 8;                ///< further questions asked because of CNAMEs
    std::size_t addresses_per_family = 8;
    Duration family_patience{300};  ///< for the second family once the first has addresses
};

/// "127.0.0.53:53", "127.0.0.53", "[::1]:5300" or "::1"; the default port is 53.
Result<Endpoint> parse_name_server(std::string_view text);

class CaresResolver final : public Resolver {
public:
    static Result<std::unique_ptr<CaresResolver>> open(const DnsLoop& loop, const Clock& clock,
                                                       ResolverOptions options);
    ~CaresResolver() override;

    void srv(std::string name, Answer<SrvAnswer> answer) override;
    void addresses(std::string host, Answer<AddressAnswer> answer) override;

    /// Other servers, from the next question on; what is cached is forgotten.
    Outcome set_servers(std::vector<Endpoint> servers);
    [[nodiscard]] std::size_t questions_sent() const { return sent_; }

private:
    /// One name and type, through all its aliases.
    struct Question {
        std::string name;  // where the aliases have led
        DnsType type;
        int aliases_left;
        std::chrono::seconds ttl;  // least of the aliases so far
        std::function<void(DnsReply)> done;
    };
    struct AddressLookup;
    template <class T>
    using Waiting = std::unordered_map<std::string, std::vector<Answer<T>>>;

    CaresResolver(const DnsLoop& loop, const Clock& clock, ResolverOptions options);
    template <class T>
    bool settled_without_asking(DnsCache<T>& cache, Waiting<T>& waiting, const std::string& name,
                                Answer<T>& answer);
    template <class T>
    void finish(DnsCache<T>& cache, Waiting<T>& waiting, const std::string& name, Result<T> result,
                std::chrono::seconds ttl);
    template <class T>
    void answer_later(Answer<T> answer, Result<T> result);
    void begin(std::string name, DnsType type, std::function<void(DnsReply)> done);
    void enqueue(Question question);
    void send(Question question);
    void on_reply(Question question, int status, const std::vector<unsigned char>& reply);
    void pump();
    void on_family(const std::shared_ptr<AddressLookup>& lookup, bool second, DnsReply reply);
    void settle(const std::shared_ptr<AddressLookup>& lookup);
    [[nodiscard]] std::vector<Address> addresses_in_hosts_file(const std::string& host);
    void follow_system_configuration();
    Outcome open_channel();

    DnsLoop loop_;
    const Clock& clock_;
    ResolverOptions options_;
    DnsCache<SrvAnswer> srv_cache_;
    DnsCache<AddressAnswer> address_cache_;
    Waiting<SrvAnswer> srv_waiting_;
    Waiting<AddressAnswer> address_waiting_;
    std::deque<Question> queue_;
    std::unique_ptr<CaresChannel> channel_;
    std::vector<std::unique_ptr<CaresChannel>> retired_;  // with old servers, until answered
    std::size_t outstanding_ = 0;
    std::size_t sent_ = 0;
    TimePoint configuration_checked_{};
    timespec configuration_changed_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace causeway
