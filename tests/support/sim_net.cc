#include "tests/support/sim_net.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace causeway {

/// One direction of a connection.
struct SimPipe {
    std::string bytes;         // written and not yet read
    std::size_t visible = 0;   // how many of them the reader may take now
    bool finished = false;     // the writer sent FIN
    bool end_visible = false;  // the reader has been told
    bool delivering = false;   // a task to show more is under way
};

/// One end of a connection: who listens for readiness there.
struct SimEnd {
    SocketHandler* handler = nullptr;
    Endpoint address;
    bool open = true;
    bool reading = false;
    bool writing = false;
    std::uint64_t owner = 0;  // changes when the end is released, so that old tasks die
};

/// Both ends and both directions. End 0 connected, end 1 accepted; pipe i carries what end i wrote.
class SimConnection : public std::enable_shared_from_this<SimConnection> {
public:
    SimConnection(SimLoop& loop, const SimNetOptions& options) : loop_(loop), options_(options) {}

    IoResult read(std::size_t end, std::span<char> into) {
        if (reset_) return {IoResult::Status::failed, 0, ECONNRESET};
        if (into.empty()) return {};
        SimPipe& pipe = pipes[1 - end];
        if (pipe.visible == 0) {
            if (pipe.bytes.empty() && pipe.end_visible) return {IoResult::Status::end, 0, 0};
            deliver(1 - end);
            return {};
        }
        const std::size_t count = std::min(pipe.visible, into.size());
        std::copy_n(pipe.bytes.begin(), count, into.begin());
        pipe.bytes.erase(0, count);
        pipe.visible -= count;
        deliver(1 - end);
        notify_writable(1 - end);
        return {IoResult::Status::ok, count, 0};
    }

    IoResult write(std::size_t end, std::string_view from) {
        if (reset_) return {IoResult::Status::failed, 0, ECONNRESET};
        if (pipes[end].finished) return {IoResult::Status::failed, 0, EPIPE};
        if (from.empty()) return {IoResult::Status::ok, 0, 0};
        if (swallow_) return {IoResult::Status::ok, from.size(), 0};
        if (!ends[1 - end].open) {
            reset();
            return {IoResult::Status::failed, 0, EPIPE};
        }
        SimPipe& pipe = pipes[end];
        std::size_t count = std::min(from.size(), options_.capacity - pipe.bytes.size());
        if (options_.write_piece != 0) count = std::min(count, options_.write_piece);
        if (count == 0) return {};
        pipe.bytes.append(from.substr(0, count));
        deliver(end);
        return {IoResult::Status::ok, count, 0};
    }

    void finish(std::size_t end) {
        pipes[end].finished = true;
        deliver(end);
    }

    void close(std::size_t end) {
        ends[end].open = false;
        ends[end].handler = nullptr;
        finish(end);
        notify_writable(1 - end);
    }

    void reset() {
        reset_ = true;
        for (const std::size_t end : {0U, 1U}) {
            pipes[end].bytes.clear();
            pipes[end].visible = 0;
            notify_readable(end);
            notify_writable(end);
        }
    }

    void want_read(std::size_t end) {
        if (std::exchange(ends[end].reading, true)) return;
        notify_readable(end);
    }

    void want_write(std::size_t end) {
        if (std::exchange(ends[end].writing, true)) return;
        notify_writable(end);
    }

    /// From now on the accepting end takes everything and says nothing.
    void swallow() { swallow_ = true; }

    std::array<SimPipe, 2> pipes;
    std::array<SimEnd, 2> ends;

private:
    [[nodiscard]] bool readable(std::size_t end) const {
        const SimPipe& pipe = pipes[1 - end];
        return reset_ || pipe.visible > 0 || (pipe.end_visible && pipe.bytes.empty());
    }

    [[nodiscard]] bool writable(std::size_t end) const {
        return reset_ || pipes[end].finished || swallow_ || !ends[1 - end].open ||
               pipes[end].bytes.size() < options_.capacity;
    }

    /// Shows the reader of `pipes[from]` the next piece once it has taken the one before.
    void deliver(std::size_t from) {
        SimPipe& pipe = pipes[from];
        const bool more = !pipe.bytes.empty() || (pipe.finished && !pipe.end_visible);
        if (!more || pipe.delivering || (options_.read_piece != 0 && pipe.visible > 0)) return;
        pipe.delivering = true;
        loop_.post([self = shared_from_this(), from] {
            SimPipe& moved = self->pipes[from];
            moved.delivering = false;
            const std::size_t piece = self->options_.read_piece;
            moved.visible = piece == 0
                                ? moved.bytes.size()
                                : std::min(moved.bytes.size(), std::max(moved.visible, piece));
            if (moved.bytes.size() == moved.visible && moved.finished) moved.end_visible = true;
            self->notify_readable(1 - from);
        });
    }

    void notify_readable(std::size_t end) {
        if (!ends[end].reading || !readable(end)) return;
        loop_.post([self = shared_from_this(), end, owner = ends[end].owner] {
            SimEnd& at = self->ends[end];
            if (at.owner != owner || !at.reading || !self->readable(end)) return;
            at.reading = false;
            if (at.handler != nullptr) at.handler->on_readable();
        });
    }

    void notify_writable(std::size_t end) {
        if (!ends[end].writing || !writable(end)) return;
        loop_.post([self = shared_from_this(), end, owner = ends[end].owner] {
            SimEnd& at = self->ends[end];
            if (at.owner != owner || !at.writing || !self->writable(end)) return;
            at.writing = false;
            if (at.handler != nullptr) at.handler->on_writable();
        });
    }

    SimLoop& loop_;
    SimNetOptions options_;
    bool reset_ = false;
    bool swallow_ = false;
};

class SimSocket final : public Socket {
public:
    SimSocket(SimNet& net, std::shared_ptr<SimConnection> connection, std::size_t end)
        : net_(net), connection_(std::move(connection)), end_(end) {}
    ~SimSocket() override {
        if (connection_) connection_->close(end_);
    }

    IoResult read(std::span<char> into) override {
        if (!connection_) return {IoResult::Status::failed, 0, EBADF};
        return connection_->read(end_, into);
    }
    IoResult write(std::string_view bytes) override {
        if (!connection_) return {IoResult::Status::failed, 0, EBADF};
        return connection_->write(end_, bytes);
    }
    void shutdown_write() override {
        if (connection_) connection_->finish(end_);
    }
    void set_handler(SocketHandler* handler) override {
        if (connection_) connection_->ends[end_].handler = handler;
    }
    void want_read() override {
        if (connection_) connection_->want_read(end_);
    }
    void want_write() override {
        if (connection_) connection_->want_write(end_);
    }
    [[nodiscard]] Endpoint remote() const override {
        return connection_ ? connection_->ends[1 - end_].address : Endpoint{};
    }
    [[nodiscard]] Endpoint local() const override {
        return connection_ ? connection_->ends[end_].address : Endpoint{};
    }

    int release() override {
        if (!connection_) return -1;
        SimEnd& end = connection_->ends[end_];
        end.handler = nullptr;
        end.reading = end.writing = false;
        ++end.owner;
        const int descriptor = net_.next_descriptor_++;
        net_.released_[descriptor] =
            std::make_unique<SimSocket>(net_, std::exchange(connection_, nullptr), end_);
        return descriptor;
    }

private:
    SimNet& net_;
    std::shared_ptr<SimConnection> connection_;
    std::size_t end_;
};

struct SimNet::Listener {
    Endpoint at;
    Accepted accepted;
};

class SimNet::SimAcceptor final : public Acceptor {
public:
    explicit SimAcceptor(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
    [[nodiscard]] Endpoint local() const override { return listener_->at; }

private:
    std::shared_ptr<Listener> listener_;
};

/// A connection attempt, counted in pending() for as long as it is neither answered nor cancelled.
class SimNet::Attempt {
public:
    Attempt(std::shared_ptr<std::size_t> counter, Endpoint target, Endpoint source, Connected call)
        : to(std::move(target)),
          from(std::move(source)),
          counter_(std::move(counter)),
          connected_(std::move(call)) {
        ++*counter_;
    }
    ~Attempt() { take(); }

    /// The callback, once; empty after that and after cancellation.
    Connected take() {
        if (connected_) --*counter_;
        return std::exchange(connected_, nullptr);
    }
    [[nodiscard]] bool over() const { return !connected_; }

    Endpoint to;
    Endpoint from;

private:
    std::shared_ptr<std::size_t> counter_;
    Connected connected_;
};

SimNet::SimNet(SimLoop& loop, SimNetOptions options) : loop_(loop), options_(options) {}
SimNet::~SimNet() = default;

std::unique_ptr<Connecting> SimNet::connect(Endpoint to, std::optional<Address> from,
                                            Connected connected) {
    class Handle final : public Connecting {
    public:
        explicit Handle(std::shared_ptr<Attempt> attempt) : attempt_(std::move(attempt)) {}
        ~Handle() override { attempt_->take(); }

    private:
        std::shared_ptr<Attempt> attempt_;
    };
    attempts_.push_back(to);
    const bool six = to.address().is_v6();
    const Address source = from.value_or(boost::asio::ip::make_address(six ? "::1" : "127.0.0.1"));
    auto attempt = std::make_shared<Attempt>(pending_, to, Endpoint(source, next_port_++),
                                             std::move(connected));
    loop_.post([this, attempt] { complete(attempt); });
    return std::make_unique<Handle>(std::move(attempt));
}

void SimNet::complete(const std::shared_ptr<Attempt>& attempt) {
    if (attempt->over()) return;
    const auto found = behaviours_.find(attempt->to);
    const SimBehaviour behaviour =
        found == behaviours_.end() ? SimBehaviour::normal : found->second;
    if (behaviour == SimBehaviour::swallows) return swallowed_.push_back(attempt);
    if (behaviour == SimBehaviour::unreachable) {
        return attempt->take()(Outcome::retry("network unreachable"));
    }
    const bool answered = behaviour == SimBehaviour::silent || behaviour == SimBehaviour::resets;
    const auto listener = behaviour == SimBehaviour::normal ? listener_at(attempt->to) : nullptr;
    if (!answered && !listener) return attempt->take()(Outcome::retry("connection refused"));

    auto connection = std::make_shared<SimConnection>(loop_, options_);
    connection->ends[0].address = attempt->from;
    connection->ends[1].address = attempt->to;
    std::erase_if(connections_, [](const auto& old) { return old.expired(); });
    connections_.push_back(connection);
    if (behaviour == SimBehaviour::silent) connection->swallow();
    if (behaviour == SimBehaviour::resets) connection->reset();
    if (listener) {
        listener->accepted(std::make_unique<SimSocket>(*this, connection, 1));
    }
    attempt->take()(std::unique_ptr<Socket>(std::make_unique<SimSocket>(*this, connection, 0)));
}

std::shared_ptr<SimNet::Listener> SimNet::listener_at(const Endpoint& at) {
    std::erase_if(listeners_, [](const auto& entry) { return entry.second.expired(); });
    const bool six = at.address().is_v6();
    const Endpoint any(six ? Address(boost::asio::ip::address_v6::any())
                           : Address(boost::asio::ip::address_v4::any()),
                       at.port());
    for (const Endpoint& place : {at, any}) {
        const auto [first, last] = listeners_.equal_range(place);
        const auto count = static_cast<std::size_t>(std::distance(first, last));
        if (count == 0) continue;
        return std::next(first, static_cast<std::ptrdiff_t>(turn_++ % count))->second.lock();
    }
    return nullptr;
}

Result<std::unique_ptr<Acceptor>> SimNet::listen(Endpoint at, Accepted accepted) {
    if (at.port() == 0) at.port(next_port_++);
    auto listener = std::make_shared<Listener>(Listener{at, std::move(accepted)});
    listeners_.emplace(at, listener);
    return std::unique_ptr<Acceptor>(std::make_unique<SimAcceptor>(std::move(listener)));
}

std::unique_ptr<Socket> SimNet::adopt(int descriptor) {
    auto node = released_.extract(descriptor);
    return node ? std::move(node.mapped()) : nullptr;
}

void SimNet::set_behaviour(const Endpoint& at, SimBehaviour behaviour) {
    behaviours_[at] = behaviour;
    for (const auto& weak : std::exchange(swallowed_, {})) {
        if (const auto attempt = weak.lock()) loop_.post([this, attempt] { complete(attempt); });
    }
}

void SimNet::cut(const Endpoint& at) {
    for (const auto& weak : connections_) {
        const auto connection = weak.lock();
        if (connection && connection->ends[1].address == at) connection->reset();
    }
}

std::size_t SimNet::connections() const {
    return static_cast<std::size_t>(
        std::count_if(connections_.begin(), connections_.end(), [](const auto& weak) {
            const auto connection = weak.lock();
            return connection && (connection->ends[0].open || connection->ends[1].open);
        }));
}

Endpoint sim_endpoint(const std::string& address, std::uint16_t port) {
    return {boost::asio::ip::make_address(address), port};
}

}  // namespace causeway
