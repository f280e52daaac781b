#include "gateway/net/stream_channel.h"

#include <unistd.h>

#include <utility>

#include "gateway/net/asio_network.h"

namespace causeway {

std::string_view to_string(TransportKind kind) {
    switch (kind) {
        case TransportKind::tcp: return "tcp";
        case TransportKind::starttls: return "starttls";
        case TransportKind::direct_tls: return "tls";
        case TransportKind::websocket: return "websocket";
    }
    return {};
}

DetachedChannel::DetachedChannel(DetachedChannel&& other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)),
      tls(std::move(other.tls)),
      kind(other.kind),
      ciphertext(std::move(other.ciphertext)),
      undelivered(std::move(other.undelivered)),
      output(std::move(other.output)),
      unsent(std::move(other.unsent)),
      remote(std::move(other.remote)) {}

DetachedChannel::~DetachedChannel() {
    if (descriptor >= 0) ::close(descriptor);
}

StreamChannel::StreamChannel(Shard& shard, std::unique_ptr<Socket> socket, TransportKind kind)
    : shard_(shard), socket_(std::move(socket)), remote_(socket_->remote()), kind_(kind) {
    socket_->set_handler(this);
    socket_->want_read();
}

StreamChannel::StreamChannel(Shard& shard, Network& network, DetachedChannel detached)
    : shard_(shard),
      socket_(network.adopt(std::exchange(detached.descriptor, -1))),
      tls_(std::move(detached.tls)),
      output_(std::move(detached.output)),
      unsent_(std::move(detached.unsent)),
      spill_(std::move(detached.ciphertext)),
      undelivered_(std::move(detached.undelivered)),
      remote_(detached.remote),
      kind_(detached.kind) {
    socket_->set_handler(this);
    begin_read();
    if (!unsent_.empty()) socket_->want_write();
    if (!output_.empty()) shard_.mark_dirty(*this);
    if (undelivered_.empty()) return;
    // The new owner sets itself as handler first; its input follows in this turn.
    held_ = true;
    shard_.timers().arm(close_timer_, Duration::zero(), *this, 1);
}

std::unique_ptr<DetachedChannel> StreamChannel::detach() {
    if (state_ != State::open || socket_ == nullptr) return nullptr;
    auto detached = std::make_unique<DetachedChannel>();
    detached->descriptor = socket_->release();
    if (detached->descriptor < 0) return nullptr;
    detached->tls = std::move(tls_);
    detached->kind = kind_;
    detached->ciphertext = std::move(spill_);
    detached->undelivered = std::move(undelivered_);
    detached->output = std::move(output_);
    detached->unsent = std::move(unsent_);
    detached->remote = remote_;
    state_ = State::closed;
    handler_ = nullptr;
    socket_.reset();
    Flushable::unlink();
    return detached;
}

void StreamChannel::begin_read() {
    if (state_ != State::closed && !paused_) socket_->want_read();
}

void StreamChannel::resume_reading() {
    if (!std::exchange(paused_, false)) return;
    begin_read();
}

void StreamChannel::write(std::string_view bytes) {
    if (state_ != State::open) return;
    if (output_.capacity() <= 15) output_ = shard_.buffers().take_string();
    output_ += bytes;
    shard_.mark_dirty(*this);
}

void StreamChannel::on_readable() {
    IoBuffers& buffers = shard_.buffers();
    const IoResult result = socket_->read({buffers.input.get(), IoBuffers::size});
    switch (result.status) {
        case IoResult::Status::ok:
            receive({buffers.input.get(), result.bytes});
            begin_read();
            return;
        case IoResult::Status::again: begin_read(); return;
        case IoResult::Status::end: end({}); return;
        case IoResult::Status::failed:
            end(Outcome::retry(describe_socket_error(result.error)));
            return;
    }
}

void StreamChannel::receive(std::string_view bytes) {
    if (tls_ == nullptr) {
        deliver(bytes);
        return;
    }
    if (spill_.empty()) {
        const std::size_t whole = TlsEngine::whole_records(bytes);
        if (whole < bytes.size()) spill_ = bytes.substr(whole);
        if (whole > 0) receive_records(bytes.substr(0, whole));
        return;
    }
    spill_ += bytes;
    const std::size_t whole = TlsEngine::whole_records(spill_);
    if (whole == 0) return;
    // What is handled now must not move while a handler writes or closes.
    std::string records = std::move(spill_);
    spill_.assign(records, whole);
    if (spill_.empty()) std::string().swap(spill_);
    receive_records(std::string_view(records).substr(0, whole));
}

bool StreamChannel::receive_records(std::string_view records) {
    IoBuffers& buffers = shard_.buffers();
    tls_->set_input(records);
    if (!tls_->established() && !continue_handshake()) return false;
    while (state_ != State::closed && tls_ != nullptr) {
        std::size_t bytes = 0;
        const TlsEngine::Status status =
            tls_->decrypt({buffers.plain.get(), IoBuffers::size}, bytes, buffers.output);
        if (!buffers.output.empty()) send(buffers.output);
        if (state_ == State::closed) return false;
        switch (status) {
            case TlsEngine::Status::done:
                deliver({buffers.plain.get(), bytes});
                break;
            case TlsEngine::Status::want_input: return true;
            case TlsEngine::Status::closed: end({}); return false;
            case TlsEngine::Status::failed: end(Outcome::malformed(tls_->error())); return false;
        }
    }
    return false;
}

bool StreamChannel::continue_handshake() {
    std::string& output = shard_.buffers().output;
    const TlsEngine::Status status = tls_->handshake(output);
    send(output);
    if (state_ == State::closed) return false;
    if (status == TlsEngine::Status::want_input) return false;
    if (status != TlsEngine::Status::done) {
        end(Outcome::refused(tls_->error().empty() ? "the TLS handshake was broken off"
                                                   : tls_->error()));
        return false;
    }
    if (handler_ != nullptr) handler_->on_secured();
    return state_ != State::closed;
}

void StreamChannel::deliver(std::string_view plain) {
    if (held_) {
        undelivered_ += plain;
    } else if (handler_ != nullptr && state_ == State::open) {
        handler_->on_bytes(plain);
    }
}

void StreamChannel::start_tls(std::unique_ptr<TlsEngine> engine, TransportKind kind) {
    flush();
    if (state_ != State::open) return;
    tls_ = std::move(engine);
    kind_ = kind;
    // A client speaks first; a server has nothing to say before it.
    if (tls_->role() == TlsEngine::Role::client) continue_handshake();
}

void StreamChannel::encrypt_output() {
    std::string& ciphertext = shard_.buffers().output;
    if (tls_->encrypt(output_, ciphertext) == TlsEngine::Status::failed) {
        end(Outcome::retry(tls_->error()));
        return;
    }
    shard_.buffers().give_back(std::move(output_));
    send(ciphertext);
}

void StreamChannel::flush() {
    if (state_ == State::closed || !unsent_.empty()) return;
    if (!output_.empty()) {
        if (tls_ == nullptr) {
            std::string plain = std::move(output_);
            output_.clear();
            send(plain);
            shard_.buffers().give_back(std::move(plain));
        } else if (tls_->established()) {
            encrypt_output();
        } else {
            return;
        }
    }
    if (state_ == State::closed || !unsent_.empty()) return;
    if (state_ == State::closing && !write_closed_) {
        write_closed_ = true;
        if (tls_ != nullptr) {
            std::string& ciphertext = shard_.buffers().output;
            tls_->shut_down(ciphertext);
            send(ciphertext);
            if (state_ == State::closed) return;
        }
        if (unsent_.empty()) socket_->shutdown_write();
        return;
    }
    if (handler_ != nullptr && state_ == State::open) handler_->on_drained();
}

void StreamChannel::send(std::string& bytes) {
    std::string_view left = bytes;
    while (unsent_.empty() && !left.empty()) {
        const IoResult result = socket_->write(left);
        if (result.status == IoResult::Status::ok) {
            left.remove_prefix(result.bytes);
        } else if (result.status == IoResult::Status::again) {
            break;
        } else {
            bytes.clear();
            end(Outcome::retry(describe_socket_error(result.error)));
            return;
        }
    }
    if (!left.empty()) {
        unsent_ += left;
        socket_->want_write();
    }
    bytes.clear();
}

void StreamChannel::on_writable() {
    if (state_ == State::closed) return;
    std::string pending = std::move(unsent_);
    unsent_.clear();
    send(pending);
    if (state_ == State::closed || !unsent_.empty()) return;
    if (write_closed_) {
        socket_->shutdown_write();
    } else {
        flush();
    }
}

void StreamChannel::close() {
    if (state_ != State::open) return;
    state_ = State::closing;
    shard_.mark_dirty(*this);
    resume_reading();
    shard_.timers().arm(close_timer_, close_wait, *this);
}

void StreamChannel::on_timer(std::uint32_t which) {
    if (which == 1) {
        held_ = false;
        const std::string plain = std::move(undelivered_);
        std::string().swap(undelivered_);
        if (handler_ != nullptr && state_ == State::open) handler_->on_bytes(plain);
        return;
    }
    end({});
}

void StreamChannel::end(Outcome why) {
    if (state_ == State::closed) return;
    state_ = State::closed;
    close_timer_.cancel();
    Flushable::unlink();
    if (socket_ != nullptr) socket_->set_handler(nullptr);
    // The descriptor goes back at once; the object may still be on the stack.
    socket_.reset();
    if (ChannelHandler* handler = std::exchange(handler_, nullptr)) {
        handler->on_channel_closed(why);
    }
}

}  // namespace causeway
