#include "gateway/net/tls_engine.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "gateway/net/certificate.h"

namespace causeway {

/// The BIO between OpenSSL and the buffers that a call lends.
struct EngineBio {
    static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

    static int read(BIO* bio, char* into, int size) {
        std::string_view& input = engine(bio).input_;
        BIO_clear_retry_flags(bio);
        if (input.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const std::size_t taken = std::min(input.size(), static_cast<std::size_t>(size));
        std::memcpy(into, input.data(), taken);
        input.remove_prefix(taken);
        return static_cast<int>(taken);
    }
    static int write(BIO* bio, const char* from, int size) {
        BIO_clear_retry_flags(bio);
        std::string* output = engine(bio).output_;
        if (output == nullptr) return -1;
        output->append(from, static_cast<std::size_t>(size));
        return size;
    }
    static long control(BIO*, int command, long, void*) {
        return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH ? 1 : 0;
    }
    static const BIO_METHOD* method() {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "borrowed");
            if (m == nullptr) throw std::bad_alloc();
            BIO_meth_set_read(m, read);
            BIO_meth_set_write(m, write);
            BIO_meth_set_ctrl(m, control);
            return m;
        }();
        return made;
    }
};

namespace {

/// What another call left there would be taken for the next one's. It is empty nearly always, and
/// clearing it costs a tenth of encrypting a short record.
void forget_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

// While a call runs, the engine writes into the caller's string; afterwards into nothing.
struct OutputScope {
    OutputScope(std::string*& slot, std::string& output) : slot_(slot) { slot_ = &output; }
    OutputScope(const OutputScope&) = delete;
    OutputScope& operator=(const OutputScope&) = delete;
    ~OutputScope() { slot_ = nullptr; }
    std::string*& slot_;
};

}  // namespace

void TlsEngine::fix_certificate() { SSL_set_app_data(ssl_.get(), this); }

bool TlsEngine::certificate_is_fixed(const SSL* ssl) { return SSL_get_app_data(ssl) != nullptr; }

TlsEngine::TlsEngine(SSL_CTX* context, Role role, std::shared_ptr<const void> owner,
                     const std::string& server_name)
    : ssl_(SSL_new(context)), owner_(std::move(owner)), role_(role) {
    BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(EngineBio::method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    if (role == Role::client) {
        if (!server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str());
        SSL_set_connect_state(ssl_.get());
    } else {
        SSL_set_accept_state(ssl_.get());
    }
}

std::size_t TlsEngine::whole_records(std::string_view ciphertext) {
    constexpr std::size_t header = 5;
    constexpr std::size_t longest = 16384 + 2048;
    std::size_t at = 0;
    while (ciphertext.size() - at >= header) {
        const auto byte = [&](std::size_t i) {
            return static_cast<unsigned char>(ciphertext[at + i]);
        };
        const std::size_t length = static_cast<std::size_t>(byte(3)) << 8 | byte(4);
        if (byte(0) < 20 || byte(0) > 24 || length > longest) return ciphertext.size();
        if (ciphertext.size() - at < header + length) break;
        at += header + length;
    }
    // The first byte already tells a stranger from a record.
    if (at < ciphertext.size()) {
        const auto type = static_cast<unsigned char>(ciphertext[at]);
        if (type < 20 || type > 24) return ciphertext.size();
    }
    return at;
}

TlsEngine::Status TlsEngine::status_of(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_NONE: return Status::done;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return Status::want_input;
        case SSL_ERROR_ZERO_RETURN: return Status::closed;
        default: break;
    }
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    const long verified = SSL_get_verify_result(ssl_.get());
    error_ = reason == nullptr ? "the TLS connection broke" : fmt::format("TLS: {}", reason);
    if (verified != X509_V_OK && !established_) {
        error_ += fmt::format(" ({})", X509_verify_cert_error_string(verified));
    }
    ERR_clear_error();
    return Status::failed;
}

TlsEngine::Status TlsEngine::handshake(std::string& output) {
    const OutputScope scope(output_, output);
    forget_errors();
    const Status status = status_of(SSL_do_handshake(ssl_.get()));
    established_ = status == Status::done;
    if (established_) owner_.reset();
    return status;
}

TlsEngine::Status TlsEngine::decrypt(std::span<char> plain, std::size_t& bytes,
                                     std::string& output) {
    const OutputScope scope(output_, output);
    bytes = 0;
    forget_errors();
    return status_of(SSL_read_ex(ssl_.get(), plain.data(), plain.size(), &bytes));
}

TlsEngine::Status TlsEngine::encrypt(std::string_view plain, std::string& output) {
    const OutputScope scope(output_, output);
    while (!plain.empty()) {
        std::size_t written = 0;
        forget_errors();
        const Status status =
            status_of(SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written));
        if (status != Status::done) return status;
        plain.remove_prefix(written);
    }
    return Status::done;
}

void TlsEngine::shut_down(std::string& output) {
    const OutputScope scope(output_, output);
    ERR_clear_error();
    if (established_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

std::string TlsEngine::version() const { return SSL_get_version(ssl_.get()); }
std::string TlsEngine::cipher() const { return SSL_get_cipher_name(ssl_.get()); }

std::string TlsEngine::alpn() const {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &length);
    return name == nullptr ? std::string{}
                           : std::string(reinterpret_cast<const char*>(name), length);
}

std::string TlsEngine::requested_name() const {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string{} : std::string(name);
}

std::string TlsEngine::exporter_binding() const {
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    // RFC 9266 §3: below 1.3 only with the extended master secret is the value unique.
    if (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1) {
        return {};
    }
    std::array<unsigned char, 32> value{};
    if (SSL_export_keying_material(ssl_.get(), value.data(), value.size(), label.data(),
                                   label.size(), nullptr, 0, 0) != 1) {
        return {};
    }
    return {reinterpret_cast<const char*>(value.data()), value.size()};
}

std::string TlsEngine::unique_binding() const {
    if (SSL_session_reused(ssl_.get()) == 1 ||
        (SSL_version(ssl_.get()) < TLS1_3_VERSION && SSL_get_extms_support(ssl_.get()) != 1)) {
        return {};
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
    const std::size_t length = role_ == Role::server
                                   ? SSL_get_peer_finished(ssl_.get(), value.data(), value.size())
                                   : SSL_get_finished(ssl_.get(), value.data(), value.size());
    return {reinterpret_cast<const char*>(value.data()), std::min(length, value.size())};
}

std::string TlsEngine::server_end_point_binding() const {
    CertificatePointer peer;
    X509* certificate = nullptr;
    if (role_ == Role::server) {
        certificate = SSL_get_certificate(ssl_.get());
    } else {
        peer = peer_certificate();
        certificate = peer.get();
    }
    // Also right for RSA-PSS, where the hash is a parameter of the signature.
    int digest = NID_undef;
    if (certificate == nullptr ||
        X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr) != 1) {
        return {};
    }
    // RFC 5929 §4.1: MD5 and SHA-1 are raised to SHA-256; no single hash (Ed25519): not defined.
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
    const EVP_MD* hash = EVP_get_digestbynid(digest);
    std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
    unsigned length = 0;
    if (hash == nullptr || X509_digest(certificate, hash, value.data(), &length) != 1) return {};
    return {reinterpret_cast<const char*>(value.data()), length};
}

bool TlsEngine::shows_certificate_of(const SSL_CTX* context) const {
    const X509* shown = SSL_get_certificate(ssl_.get());
    const X509* other = SSL_CTX_get0_certificate(context);
    return shown != nullptr && other != nullptr && X509_cmp(shown, other) == 0;
}

CertificatePointer TlsEngine::peer_certificate() const {
    return CertificatePointer(SSL_get1_peer_certificate(ssl_.get()));
}

Outcome TlsEngine::peer_chain() const {
    if (peer_certificate() == nullptr) return Outcome::absent("no certificate was presented");
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) {
        return Outcome::policy(fmt::format("its certificate is not trusted: {}",
                                           X509_verify_cert_error_string(verified)));
    }
    // OpenSSL was told to accept any purpose, because it knows no "client or server".
    STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl_.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        if (!usable_for_tls(sk_X509_value(chain, i))) {
            return Outcome::policy("its certificate is not trusted: it was issued for another use");
        }
    }
    return {};
}

}  // namespace causeway
