// TLS over a BIO whose ends are the engine's shared buffers.
#include "tools/bench/tls_engine.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

namespace causeway::bench {
namespace {

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "unknown TLS error" : reason;
}

}  // namespace

int TlsEngine::bio_read(BIO* bio, char* data, int size) {
    auto* engine = static_cast<TlsEngine*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (engine->incoming_.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const std::size_t taken = std::min(engine->incoming_.size(), static_cast<std::size_t>(size));
    std::memcpy(data, engine->incoming_.data(), taken);
    engine->incoming_.remove_prefix(taken);
    return static_cast<int>(taken);
}

int TlsEngine::bio_write(BIO* bio, const char* data, int size) {
    auto* engine = static_cast<TlsEngine*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    engine->outgoing_->append(data, static_cast<std::size_t>(size));
    return size;
}

long TlsEngine::bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

Failure TlsEngine::open(const TlsSettings& settings) {
    method_.reset(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shared buffers"));
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!method_ || !context_) {
        return fmt::format("cannot set up TLS: {}", openssl_reason());
    }
    BIO_meth_set_read(method_.get(), &TlsEngine::bio_read);
    BIO_meth_set_write(method_.get(), &TlsEngine::bio_write);
    BIO_meth_set_ctrl(method_.get(), &TlsEngine::bio_control);
    SSL_CTX_set_min_proto_version(context_.get(),
                                  settings.allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    // Every login is to be a full handshake, as at a client's first contact.
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS);
    if (!settings.authorities.empty()) {
        if (SSL_CTX_load_verify_file(context_.get(), settings.authorities.c_str()) != 1) {
            return fmt::format("cannot load {}: {}", settings.authorities, openssl_reason());
        }
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        verifies_ = true;
    }
    return std::nullopt;
}

TlsStream::TlsStream(TlsEngine& engine, const std::string& domain, std::string_view protocol)
    : engine_(engine), ssl_(SSL_new(engine.context_.get())) {
    BIO* bio = BIO_new(engine.method_.get());
    BIO_set_data(bio, &engine);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_connect_state(ssl_.get());
    SSL_set_tlsext_host_name(ssl_.get(), domain.c_str());
    if (engine.verifies_) {
        SSL_set1_host(ssl_.get(), domain.c_str());
    }
    if (!protocol.empty()) {
        std::vector<unsigned char> wire{static_cast<unsigned char>(protocol.size())};
        wire.insert(wire.end(), protocol.begin(), protocol.end());
        SSL_set_alpn_protos(ssl_.get(), wire.data(), static_cast<unsigned>(wire.size()));
    }
}

TlsStream::Status TlsStream::feed(std::string_view ciphertext, std::string& output,
                                  const std::function<void(std::string_view)>& sink) {
    engine_.incoming_ = ciphertext;
    engine_.outgoing_ = &output;
    ERR_clear_error();
    // SSL_read shakes hands as needed and takes in everything, part of a record included, before
    // it asks for more: nothing is left in the shared buffer when this returns.
    for (;;) {
        const int size = SSL_read(ssl_.get(), engine_.plaintext_.data(),
                                  static_cast<int>(engine_.plaintext_.size()));
        if (size > 0) {
            sink(std::string_view(engine_.plaintext_.data(), static_cast<std::size_t>(size)));
            engine_.outgoing_ = &output;
            continue;
        }
        const int error = SSL_get_error(ssl_.get(), size);
        if (error == SSL_ERROR_WANT_READ) {
            return SSL_is_init_finished(ssl_.get()) != 0 ? Status::open : Status::handshaking;
        }
        return error == SSL_ERROR_ZERO_RETURN ? Status::closed : Status::failed;
    }
}

bool TlsStream::encrypt(std::string_view plaintext, std::string& output) {
    engine_.outgoing_ = &output;
    ERR_clear_error();
    std::size_t written = 0;
    return SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written) == 1 &&
           written == plaintext.size();
}

void TlsStream::close(std::string& output) {
    engine_.outgoing_ = &output;
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

std::string TlsStream::failure_reason() const {
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (engine_.verifies_ && verdict != X509_V_OK) {
        return X509_verify_cert_error_string(verdict);
    }
    return openssl_reason();
}

std::string TlsStream::description() const {
    return fmt::format("{} {}", SSL_get_version(ssl_.get()), SSL_get_cipher_name(ssl_.get()));
}

}  // namespace causeway::bench
