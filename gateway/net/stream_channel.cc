#include "gateway/net/stream_channel.h"

#include <unistd.h>

#include <utility>

#include "gateway/net/system_network.h"

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
      peer_done(other.peer_done),
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
      kind_(detached.kind),
      peer_done_(detached.peer_done) {
    stop(Stop::catching_up);
    if (socket_ == nullptr) return;  // told by the first flush()
    socket_->set_handler(this);
    if (!unsent_.empty()) socket_->want_write();
    if (!output_.empty()) shard_.mark_dirty(*this);
}

void StreamChannel::set_handler(ChannelHandler* handler) {
    handler_ = handler;
    // What another shard left comes at the end of the turn, not within this call.
    if (stopped(Stop::catching_up) && handler_ != nullptr) shard_.mark_dirty(*this);
}

void StreamChannel::catch_up() {
    if (handler_ == nullptr || !no_longer(Stop::catching_up)) return;
    const std::string plain = std::exchange(undelivered_, {});
    if (!plain.empty()) deliver(plain);
    if (state_ == State::closed) return;
    const std::string ciphertext = std::exchange(spill_, {});
    if (!ciphertext.empty()) receive(ciphertext);
    if (peer_done_ && !stopped(Stop::held) && state_ == State::open) on_peer_closed();
    begin_read();
}

std::unique_ptr<DetachedChannel> StreamChannel::detach() {
    if (state_ != State::open || socket_ == nullptr) return nullptr;
    auto detached = std::make_unique<DetachedChannel>();
    detached->descriptor = socket_->release();
    if (detached->descriptor < 0) return nullptr;
    detached->kind = kind_;
    if (tls_ != nullptr) {
        // Records that came with the one whose plaintext is being handled now.
        detached->ciphertext = tls_->take_input();
        detached->tls = std::move(tls_);
    }
    detached->ciphertext += spill_;
    detached->undelivered = std::move(undelivered_);
    detached->output = std::move(output_);
    detached->unsent = std::move(unsent_);
    detached->peer_done = peer_done_;
    detached->remote = remote_;
    state_ = State::closed;
    handler_ = nullptr;
    socket_.reset();
    close_timer_.cancel();
    Flushable::unlink();
    return detached;
}

void StreamChannel::begin_read() {
    if (socket_ == nullptr || peer_closed_ || stopped()) return;
    socket_->want_read();
}

void StreamChannel::resume_reading() {
    const bool held = no_longer(Stop::held);
    if (!no_longer(Stop::paused) && !held) return;
    if (!undelivered_.empty() || peer_done_) {
        stop(Stop::catching_up);
        shard_.mark_dirty(*this);
    }
    begin_read();
}

void StreamChannel::write(std::string_view bytes) {
    if (state_ != State::open) return;
    if (output_.empty() && output_.capacity() <= 15) output_ = shard_.buffers().take_string();
    output_ += bytes;
    shard_.mark_dirty(*this);
}

void StreamChannel::on_readable() {
    if (stopped()) return;  // resume_reading() asks again
    IoBuffers& buffers = shard_.buffers();
    const IoResult result = socket_->read({buffers.input.get(), IoBuffers::size});
    switch (result.status) {
        case IoResult::Status::ok:
            receive({buffers.input.get(), result.bytes});
            begin_read();
            return;
        case IoResult::Status::again: begin_read(); return;
        case IoResult::Status::end: on_peer_closed(); return;
        case IoResult::Status::failed:
            end(Outcome::retry(describe_socket_error(result.error)));
            return;
    }
}

void StreamChannel::on_peer_closed() {
    // It may have closed its own side alone and wait for our last words.
    peer_closed_ = true;
    close();
    flush();
    if (state_ != State::closed && unsent_.empty()) end({});
}

void StreamChannel::receive(std::string_view bytes) {
    if (tls_ == nullptr) {
        deliver(bytes);
        return;
    }
    if (spill_.empty()) {
        if (kind_ == TransportKind::starttls && !tls_->established()) {
            // The end of a line that the peer wrote behind the last element in the clear.
            bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
        }
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
        if (!buffers.output.empty() && !send_protocol(buffers.output)) return false;
        switch (status) {
            case TlsEngine::Status::done: deliver({buffers.plain.get(), bytes}); break;
            case TlsEngine::Status::want_input: return true;
            case TlsEngine::Status::closed:
                // What came before is not handled yet.
                peer_done_ = stopped(Stop::held);
                if (!peer_done_) on_peer_closed();
                return false;
            case TlsEngine::Status::failed: end(Outcome::malformed(tls_->error())); return false;
        }
    }
    return false;
}

/// What TLS answers by itself while reading. Without the bound, a peer that provokes answers
/// (KeyUpdate) and reads none of them could fill the memory.
bool StreamChannel::send_protocol(std::string& bytes) {
    unread_answers_ = unsent_.empty() ? 0 : unread_answers_ + bytes.size();
    if (unread_answers_ > unread_answers_limit) {
        bytes.clear();
        end(Outcome::policy("TLS key updates without reading the answers"));
        return false;
    }
    send(bytes);
    return state_ != State::closed;
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
    if (!output_.empty() || state_ == State::closing) shard_.mark_dirty(*this);
    if (handler_ != nullptr && state_ == State::open) handler_->on_secured();
    return state_ != State::closed;
}

void StreamChannel::deliver(std::string_view plain) {
    if (stopped(Stop::held)) {
        undelivered_ += plain;
    } else if (handler_ != nullptr && state_ == State::open) {
        handler_->on_bytes(plain);
    }
}

void StreamChannel::start_tls(std::unique_ptr<TlsEngine> engine, TransportKind kind) {
    flush();
    if (state_ != State::open) return;
    // Not taken by the system yet, but it still leaves in the clear.
    unsent_ += std::exchange(output_, {});
    tls_ = std::move(engine);
    kind_ = kind;
    // A client speaks first; a server has nothing to say before it.
    if (tls_->role() == TlsEngine::Role::client) continue_handshake();
}

void StreamChannel::encrypt_output() {
    std::string& ciphertext = shard_.buffers().output;
    if (tls_->encrypt(output_, ciphertext) != TlsEngine::Status::done) {
        ciphertext.clear();
        end(Outcome::retry(tls_->error()));
        return;
    }
    shard_.buffers().give_back(std::move(output_));
    send(ciphertext);
}

void StreamChannel::flush() {
    if (socket_ == nullptr) {
        end(Outcome::retry("the connection could not be taken over"));
        return;
    }
    if (stopped(Stop::catching_up)) catch_up();
    if (state_ == State::closed || !unsent_.empty()) return;
    if (!output_.empty()) {
        if (tls_ == nullptr) {
            std::string plain = std::move(output_);
            output_.clear();
            send(plain);
            shard_.buffers().give_back(std::move(plain));
        } else if (tls_->established()) {
            encrypt_output();
        } else if (state_ == State::closing) {
            output_.clear();  // there is no way to send it any more
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
    std::string pending = std::exchange(unsent_, {});
    send(pending);
    if (state_ == State::closed || !unsent_.empty()) return;
    if (write_closed_) {
        socket_->shutdown_write();
    } else {
        flush();
    }
    if (peer_closed_ && state_ != State::closed && unsent_.empty()) end({});
}

void StreamChannel::close() {
    if (state_ != State::open) return;
    state_ = State::closing;
    shard_.mark_dirty(*this);
    stops_ = 0;
    begin_read();
    shard_.timers().arm(close_timer_, close_wait, *this);
}

void StreamChannel::on_timer(std::uint32_t) { end({}); }

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
