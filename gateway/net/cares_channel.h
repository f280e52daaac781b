// CaresChannel: one c-ares channel on a shard's event loop. c-ares chooses random ids and source
// ports, repeats, changes servers, and goes to TCP when a reply is truncated; here its descriptors
// are watched and its timeouts kept. Owner: a CaresResolver. Destroying it drops every question.
#pragma once

#include <ares.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/executor.h"
#include "gateway/base/timer_wheel.h"
#include "gateway/net/dns_message.h"
#include "gateway/net/socket.h"
#include "gateway/shard/poller.h"

namespace causeway {

struct CaresChannelOptions {
    std::vector<Endpoint> servers;  ///< empty: those of the system
    Duration timeout{1500};         ///< for the first reply; c-ares doubles it each round
    int tries = 3;                  ///< rounds through the servers
};

/// What a channel runs on: the parts of a shard, which must outlive it.
struct DnsLoop {
    Poller& poller;
    Executor& executor;  ///< of the same thread
    TimerWheel& timers;
};

class CaresChannel final : private TimerTarget {
public:
    /// `reply` is a message, or empty when there was none; then `status` is a code of c-ares.
    using Done = std::function<void(int status, std::vector<unsigned char> reply)>;

    static Result<std::unique_ptr<CaresChannel>> open(const DnsLoop& loop,
                                                      const CaresChannelOptions& options);
    ~CaresChannel();
    CaresChannel(const CaresChannel&) = delete;
    CaresChannel& operator=(const CaresChannel&) = delete;

    /// Asks; `done` is called later, never from within, and may destroy the channel.
    void ask(const std::string& name, DnsType type, Done done);
    /// What /etc/hosts says of `name`, both families; reads the file each time.
    [[nodiscard]] std::vector<Address> in_hosts_file(const std::string& name);
    /// Questions without an answer yet.
    [[nodiscard]] std::size_t outstanding() const { return outstanding_; }

private:
    struct Question;
    struct Watch;
    explicit CaresChannel(const DnsLoop& loop);
    int start(const CaresChannelOptions& options, int flags);
    static void on_reply(void* question, int status, int timeouts, unsigned char* reply, int size);
    static void on_socket(void* channel, ares_socket_t descriptor, int readable, int writable);
    void watch(ares_socket_t descriptor, bool read, bool write);
    void process(ares_socket_t readable, ares_socket_t writable);
    void arm_timer();
    void on_timer(std::uint32_t which) override;

    DnsLoop loop_;
    Timer timer_;
    ares_channel channel_ = nullptr;
    std::map<ares_socket_t, std::unique_ptr<Watch>> watches_;
    std::size_t outstanding_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// "a word or two" for a status without a reply, such as "no answer from the name servers".
std::string describe_cares_status(int status);

}  // namespace causeway
