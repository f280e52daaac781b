#include "gateway/net/cares_channel.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace causeway {
namespace {

namespace ip = boost::asio::ip;

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

/// A descriptor of c-ares under watch, which c-ares itself opens and closes.
struct CaresChannel::Watch final : Polled {
    explicit Watch(CaresChannel& owner) : Polled(owner.loop_.poller), channel(owner) {}

    /// Asks for what c-ares waits for at present.
    void wait() {
        if (wants_read) want(Direction::read);
        if (wants_write) want(Direction::write);
    }
    void on_ready(Direction direction) override {
        // c-ares does not always read to the end, so that epoll has to look again.
        check_again();
        const bool read = direction == Direction::read;
        channel.process(read ? descriptor() : ARES_SOCKET_BAD,
                        read ? ARES_SOCKET_BAD : descriptor());
    }

    CaresChannel& channel;
    bool wants_read = false;
    bool wants_write = false;
};

Result<std::unique_ptr<CaresChannel>> CaresChannel::open(const DnsLoop& loop,
                                                         const CaresChannelOptions& options) {
    std::unique_ptr<CaresChannel> channel(new CaresChannel(loop));
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

CaresChannel::CaresChannel(const DnsLoop& loop) : loop_(loop) {}

CaresChannel::~CaresChannel() {
    alive_.reset();
    if (channel_ != nullptr) ares_destroy(channel_);
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
            if (entry->h_addrtype == AF_INET) add_address<ip::address_v4>(*item, found);
            if (entry->h_addrtype == AF_INET6) add_address<ip::address_v6>(*item, found);
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
    // c-ares is in the middle of its own work: the caller may want to ask again, or destroy us.
    self.loop_.executor.post([&self, alive = std::weak_ptr<bool>(self.alive_), status,
                              done = std::move(question->done),
                              bytes = std::move(bytes)]() mutable {
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
        watches_.erase(descriptor);  // c-ares closes the descriptor when we return
        return;
    }
    std::unique_ptr<Watch>& entry = watches_[descriptor];
    if (!entry) {
        entry = std::make_unique<Watch>(*this);
        // A descriptor that the system does not watch has its question end by timeout.
        static_cast<void>(entry->watch(descriptor));
    }
    entry->wants_read = read;
    entry->wants_write = write;
    entry->wait();
}

void CaresChannel::process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    const ares_socket_t descriptor = readable != ARES_SOCKET_BAD ? readable : writable;
    if (const auto found = watches_.find(descriptor); found != watches_.end()) {
        found->second->wait();
    }
    arm_timer();
}

void CaresChannel::arm_timer() {
    timeval left{};
    if (ares_timeout(channel_, nullptr, &left) == nullptr) {
        timer_.cancel();
        return;
    }
    const Duration wait(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
    loop_.timers.arm(timer_, wait, *this);
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
