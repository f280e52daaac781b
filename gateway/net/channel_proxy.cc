#include "gateway/net/channel_proxy.h"

#include <utility>

namespace causeway {
namespace {

/// What a message counts against the window: even an empty one takes memory.
std::size_t cost_of(std::string_view message) { return message.size() + 64; }

}  // namespace

/// The connection's owner on its own shard. All of it runs there; it is counted because tasks of
/// the other shard hold it, and shut() empties it on the right thread.
class ChannelProxy::FarEnd final : private ChannelHandler, private Flushable {
public:
    FarEnd(Shard& here, Shard& there, std::unique_ptr<Channel> channel,
           std::shared_ptr<WeakProxy> weak_proxy)
        : here_(here),
          there_(there),
          channel_(std::move(channel)),
          weak_proxy_(std::move(weak_proxy)) {
        channel_->pause_reading();
        channel_->set_handler(this);
    }
    FarEnd(const FarEnd&) = delete;
    FarEnd& operator=(const FarEnd&) = delete;
    ~FarEnd() = default;

    void start() {
        reading_ = Reading::goes_on;
        if (channel_ != nullptr && !over_) channel_->resume_reading();
        here_.mark_dirty(*this);
    }
    void write(const std::vector<std::string>& messages) {
        for (const std::string& message : messages) {
            taken_ += message.size();
            if (channel_ != nullptr) channel_->write(message);
        }
        // Behind the channel itself, so that the report is of what the system did not take.
        here_.mark_dirty(*this);
    }
    void consumed(std::size_t bytes) {
        unconsumed_ -= bytes;
        if (channel_ == nullptr || unconsumed_ > window / 2) return;
        if (reading_ != Reading::waits) return;
        reading_ = Reading::goes_on;
        channel_->resume_reading();
    }
    void close() {
        if (channel_ != nullptr) channel_->close();
    }
    /// The proxy is gone.
    void shut() {
        Flushable::unlink();
        if (channel_ == nullptr) return;
        channel_->set_handler(nullptr);
        here_.condemn(std::move(channel_));
    }

private:
    /// The channel.
    enum class Reading : unsigned char {
        not_begun,  ///< nobody listens to the proxy yet
        goes_on,
        waits  ///< until the proxy's owner has taken what is on its way
    };

    void on_bytes(std::string_view bytes) override {
        arrived_.emplace_back(bytes);
        unconsumed_ += cost_of(bytes);
        if (unconsumed_ > window && reading_ == Reading::goes_on) {
            reading_ = Reading::waits;
            channel_->pause_reading();
        }
        here_.mark_dirty(*this);
    }
    void on_secured() override {}
    void on_drained() override {
        if (reported_ != 0) here_.mark_dirty(*this);
    }
    void on_channel_closed(const Outcome& why) override {
        over_ = why;
        here_.mark_dirty(*this);
    }
    void flush() override;

    template <class Call>
    void tell(Call call) {
        there_.post([weak_proxy = weak_proxy_, call = std::move(call)]() mutable {
            if (weak_proxy->proxy != nullptr) call(*weak_proxy->proxy);
        });
    }

    Shard& here_;
    Shard& there_;
    std::unique_ptr<Channel> channel_;
    std::shared_ptr<WeakProxy> weak_proxy_;
    std::vector<std::string> arrived_;  ///< in this turn
    std::optional<Outcome> over_;
    std::size_t unconsumed_ = 0;
    std::size_t taken_ = 0;     ///< of the proxy's output, since the last report
    std::size_t reported_ = 0;  ///< what queued() was then
    Reading reading_ = Reading::not_begun;
    bool over_told_ = false;
};

void ChannelProxy::FarEnd::flush() {
    if (reading_ == Reading::not_begun || channel_ == nullptr) return;
    if (!arrived_.empty()) {
        tell([messages = std::exchange(arrived_, {})](ChannelProxy& proxy) mutable {
            proxy.on_input(std::move(messages));
        });
    }
    const std::size_t queued = channel_->queued();
    if (taken_ != 0 || (reported_ != 0 && queued == 0)) {
        reported_ = queued;
        tell([taken = std::exchange(taken_, 0), queued](ChannelProxy& proxy) {
            proxy.on_progress(taken, queued);
        });
    }
    if (over_ && !std::exchange(over_told_, true)) {
        tell([why = *over_](ChannelProxy& proxy) { proxy.on_over(why); });
    }
}

ChannelProxy::ChannelProxy(Shard& from, std::unique_ptr<Channel> original, Shard& to)
    : far_(from),
      shard_(to),
      weak_proxy_(std::make_shared<WeakProxy>()),
      remote_(original->remote()),
      kind_(original->kind()),
      framed_(original->framed()) {
    weak_proxy_->proxy = this;
    if (const TlsEngine* tls = original->tls()) {
        tls_facts_ = TlsFacts{tls->version(), tls->cipher()};
    }
    far_end_ = std::make_shared<FarEnd>(from, to, std::move(original), weak_proxy_);
}

ChannelProxy::~ChannelProxy() {
    weak_proxy_->proxy = nullptr;
    far_.post([far_end = std::move(far_end_)] { far_end->shut(); });
}

void ChannelProxy::set_handler(ChannelHandler* handler) {
    handler_ = handler;
    if (handler_ == nullptr) return;
    // Not before somebody listens here: until then the far end says nothing.
    if (input_ == Input::not_begun) {
        input_ = Input::flows;
        far_.post([far_end = far_end_] { far_end->start(); });
    }
    if (!inbox_.empty() || over_) shard_.mark_dirty(*this);
}

void ChannelProxy::write(std::string_view bytes) {
    if (state_ != State::open) return;
    outgoing_.emplace_back(bytes);
    outgoing_bytes_ += bytes.size();
    shard_.mark_dirty(*this);
}

void ChannelProxy::pause_reading() {
    if (input_ == Input::flows) input_ = Input::paused;
}

void ChannelProxy::resume_reading() {
    if (input_ == Input::paused) input_ = Input::flows;
    if (!inbox_.empty() || over_) shard_.mark_dirty(*this);
}

void ChannelProxy::close() {
    if (state_ != State::open) return;
    state_ = State::closing;
    shard_.mark_dirty(*this);
}

void ChannelProxy::start_tls(std::unique_ptr<TlsEngine>, TransportKind) {}

void ChannelProxy::flush() {
    if (!outgoing_.empty()) {
        under_way_ += std::exchange(outgoing_bytes_, 0);
        far_.post([far_end = far_end_, messages = std::exchange(outgoing_, {})] {
            far_end->write(messages);
        });
    }
    if (state_ == State::closing) {
        state_ = State::close_sent;
        far_.post([far_end = far_end_] { far_end->close(); });
    }
    deliver();
}

void ChannelProxy::on_input(std::vector<std::string> messages) {
    for (std::string& message : messages) inbox_.push_back(std::move(message));
    deliver();
}

void ChannelProxy::deliver() {
    while (!inbox_.empty() && (input_ != Input::paused || state_ != State::open)) {
        const std::string message = std::move(inbox_.front());
        inbox_.pop_front();
        consumed_ += cost_of(message);
        if (handler_ != nullptr && state_ == State::open) handler_->on_bytes(message);
    }
    if (consumed_ >= window / 4) {
        far_.post([far_end = far_end_, bytes = std::exchange(consumed_, 0)] {
            far_end->consumed(bytes);
        });
    }
    if (!over_ || !inbox_.empty() || state_ == State::closed) return;
    state_ = State::closed;
    if (ChannelHandler* handler = std::exchange(handler_, nullptr)) {
        handler->on_channel_closed(*over_);
    }
}

void ChannelProxy::on_progress(std::size_t taken, std::size_t queued) {
    under_way_ -= taken;
    far_queued_ = queued;
    if (this->queued() == 0 && handler_ != nullptr && state_ == State::open) {
        handler_->on_drained();
    }
}

void ChannelProxy::on_over(Outcome why) {
    over_ = std::move(why);
    deliver();
}

std::unique_ptr<Channel> make_proxy(Shard& from, std::unique_ptr<Channel> original, Shard& to) {
    if (&from == &to) return original;
    return std::unique_ptr<Channel>(new ChannelProxy(from, std::move(original), to));
}

}  // namespace causeway
