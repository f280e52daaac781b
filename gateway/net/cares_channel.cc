#include "gateway/net/cares_channel.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

namespace causeway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using StreamDescriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

// What the DNS flag day of 2020 settled on: larger replies are fragmented, and fragments get lost.
constexpr int datagram_size = 1232;
constexpr int class_internet = 1;

/// c-ares wants to be told once per process.
int prepare_library() {
    static const int status = ares_library_init(ARES_LIB_INIT_ALL);
    return status;
}

int set_servers(ares_channel channel, const std::vector<Endpoint>& servers) {
    std::vector<ares_addr_port_node> nodes(servers.size());
    for (std::size_t i = 0; i < servers.size(); ++i) {
        ares_addr_port_node& node = nodes[i];
        node.next = i + 1 < servers.size() ? &nodes[i + 1] : nullptr;
        node.udp_port = node.tcp_port = servers[i].port();
        if (servers[i].address().is_v4()) {
            const auto bytes = servers[i].address().to_v4().to_bytes();
            node.family = AF_INET;
            std::memcpy(&node.addr.addr4, bytes.data(), bytes.size());
        } else {
            const auto bytes = servers[i].address().to_v6().to_bytes();
            node.family = AF_INET6;
            std::memcpy(&node.addr.addr6, bytes.data(), bytes.size());
        }
    }
    return ares_set_servers_ports(channel, nodes.data());
}

std::size_t count_servers(ares_channel channel) {
    ares_addr_port_node* first = nullptr;
    if (ares_get_servers_ports(channel, &first) != ARES_SUCCESS) return 0;
    std::size_t count = 0;
    for (const ares_addr_port_node* node = first; node != nullptr; node = node->next) ++count;
    ares_free_data(first);
    return count;
}

template <class AddressOfFamily>
void add_address(const char* bytes, std::vector<Address>& to) {
    typename AddressOfFamily::bytes_type copy{};
    std::memcpy(copy.data(), bytes, copy.size());
    to.emplace_back(AddressOfFamily(copy));
}

}  // namespace

/// Travels through c-ares as its argument and comes back exactly once.
struct CaresChannel::Question {
    CaresChannel* channel;
    Done done;
};

/// A descriptor of c-ares under watch. It outlives its removal until its waits have come back.
struct CaresChannel::Watch {
    Watch(asio::io_context& context, CaresChannel& owner) : descriptor(context), channel(&owner) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { stop(); }

    /// Lets go of the descriptor, which c-ares closes itself.
    void stop() {
        channel = nullptr;
        if (descriptor.is_open()) descriptor.release();
    }

    StreamDescriptor descriptor;
    CaresChannel* channel;  // nullptr once the watch is over
    bool want_read = false;
    bool want_write = false;
    bool reading = false;
    bool writing = false;
};

Result<std::unique_ptr<CaresChannel>> CaresChannel::open(asio::io_context& context,
                                                         TimerWheel& timers,
                                                         const CaresChannelOptions& options) {
    std::unique_ptr<CaresChannel> channel(new CaresChannel(context, timers));
    int status = prepare_library();
    if (status == ARES_SUCCESS) status = channel->start(options, 0);
    if (status == ARES_SUCCESS && count_servers(channel->channel_) == 1) {
        // With a second server a failure means to try that one, and c-ares forgets what the failure
        // was. With only one its reply is the best explanation there is.
        ares_destroy(channel->channel_);
        channel->channel_ = nullptr;
        status = channel->start(options, ARES_FLAG_NOCHECKRESP);
    }
    if (status != ARES_SUCCESS) {
        return Outcome::retry(std::string("cannot start the DNS resolver: ") +
                              ares_strerror(status));
    }
    return channel;
}

int CaresChannel::start(const CaresChannelOptions& options, int flags) {
    ares_options settings{};
    settings.flags = ARES_FLAG_EDNS | ARES_FLAG_NOALIASES | ARES_FLAG_NOSEARCH | flags;
    settings.ednspsz = datagram_size;
    settings.timeout = static_cast<int>(options.timeout.count());
    settings.tries = options.tries;
    settings.sock_state_cb = &CaresChannel::on_socket;
    settings.sock_state_cb_data = this;
    const int status = ares_init_options(&channel_, &settings,
                                         ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS |
                                             ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS || options.servers.empty()) return status;
    return set_servers(channel_, options.servers);
}

CaresChannel::CaresChannel(asio::io_context& context, TimerWheel& timers)
    : context_(context), timers_(timers) {}

CaresChannel::~CaresChannel() {
    alive_.reset();
    if (channel_ != nullptr) ares_destroy(channel_);
    for (auto& [descriptor, watch] : watches_) watch->stop();
}

void CaresChannel::ask(const std::string& name, DnsType type, Done done) {
    ++outstanding_;
    auto question = std::make_unique<Question>(Question{this, std::move(done)});
    ares_query(channel_, name.c_str(), class_internet, static_cast<int>(type),
               &CaresChannel::on_reply, question.release());
    arm_timer();
}

std::vector<Address> CaresChannel::in_hosts_file(const std::string& name) {
    std::vector<Address> found;
    for (const int family : {AF_INET6, AF_INET}) {
        hostent* entry = nullptr;
        if (ares_gethostbyname_file(channel_, name.c_str(), family, &entry) != ARES_SUCCESS)
            continue;
        const std::unique_ptr<hostent, decltype(&ares_free_hostent)> owner(entry,
                                                                           &ares_free_hostent);
        for (char** item = entry->h_addr_list; item != nullptr && *item != nullptr; ++item) {
            if (entry->h_addrtype == AF_INET) add_address<asio::ip::address_v4>(*item, found);
            if (entry->h_addrtype == AF_INET6) add_address<asio::ip::address_v6>(*item, found);
        }
    }
    return found;
}

void CaresChannel::on_reply(void* argument, int status, int /*timeouts*/, unsigned char* reply,
                            int size) {
    std::unique_ptr<Question> question(static_cast<Question*>(argument));
    CaresChannel& self = *question->channel;
    if (!self.alive_) return;
    std::vector<unsigned char> bytes;
    if (reply != nullptr && size > 0) bytes.assign(reply, reply + size);
    // c-ares is in the middle of its own work: whoever asked may want to ask again, or destroy us.
    asio::post(self.context_,
               [&self, alive = std::weak_ptr<bool>(self.alive_), status,
                done = std::move(question->done), bytes = std::move(bytes)]() mutable {
                   if (alive.expired()) return;
                   --self.outstanding_;
                   done(status, std::move(bytes));
               });
}

void CaresChannel::on_socket(void* argument, ares_socket_t descriptor, int readable, int writable) {
    static_cast<CaresChannel*>(argument)->watch(descriptor, readable != 0, writable != 0);
}

void CaresChannel::watch(ares_socket_t descriptor, bool read, bool write) {
    if (!read && !write) {
        // c-ares closes the descriptor when we return.
        if (const auto found = watches_.find(descriptor); found != watches_.end()) {
            found->second->stop();
            watches_.erase(found);
        }
        return;
    }
    std::shared_ptr<Watch>& entry = watches_[descriptor];
    if (!entry) {
        entry = std::make_shared<Watch>(context_, *this);
        error_code error;
        entry->descriptor.assign(descriptor, error);
        // A descriptor that the reactor refuses stays unwatched: its question ends by timeout.
        if (error) return;
    }
    entry->want_read = read;
    entry->want_write = write;
    wait(entry);
}

void CaresChannel::wait(const std::shared_ptr<Watch>& watch) {
    if (watch->channel == nullptr || !watch->descriptor.is_open()) return;
    const ares_socket_t descriptor = watch->descriptor.native_handle();
    if (watch->want_read && !std::exchange(watch->reading, true)) {
        watch->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                     [watch, descriptor](const error_code& error) {
                                         watch->reading = false;
                                         if (error || watch->channel == nullptr) return;
                                         watch->channel->process(descriptor, ARES_SOCKET_BAD);
                                     });
    }
    if (watch->want_write && !std::exchange(watch->writing, true)) {
        watch->descriptor.async_wait(asio::posix::descriptor_base::wait_write,
                                     [watch, descriptor](const error_code& error) {
                                         watch->writing = false;
                                         if (error || watch->channel == nullptr) return;
                                         watch->channel->process(ARES_SOCKET_BAD, descriptor);
                                     });
    }
}

void CaresChannel::process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    const ares_socket_t descriptor = readable != ARES_SOCKET_BAD ? readable : writable;
    if (const auto found = watches_.find(descriptor); found != watches_.end()) wait(found->second);
    arm_timer();
}

void CaresChannel::arm_timer() {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) {
        timer_.cancel();
        return;
    }
    const Duration wait(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
    timers_.arm(timer_, wait, *this);
}

void CaresChannel::on_timer(std::uint32_t /*which*/) { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

std::string describe_cares_status(int status) {
    switch (status) {
        case ARES_ETIMEOUT: return "no answer from the name servers";
        case ARES_ECONNREFUSED: return "every name server failed or was out of reach";
        case ARES_ESERVFAIL: return "the name server answered SERVFAIL";
        case ARES_EREFUSED: return "the name server answered REFUSED";
        case ARES_ENOTIMP: return "the name server answered NOTIMP";
        case ARES_EFORMERR: return "the name server answered FORMERR";
        default: return std::string("name resolution failed: ") + ares_strerror(status);
    }
}

}  // namespace causeway
