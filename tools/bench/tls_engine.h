// TLS for the load generator: one OpenSSL context, and streams that turn ciphertext held in the
// caller's buffers into plaintext and back without touching a descriptor.
//
// TlsEngine owns the context and the buffers that all streams share (everything runs in one
// thread); a TlsStream owns its SSL object and must not outlive its engine. Failures are returned
// as values.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tools/bench/failure.h"

namespace causeway::bench {

struct TlsSettings {
    std::string authorities;   ///< PEM bundle to verify servers against; empty: no verification
    bool allow_tls12 = false;  ///< offer TLS 1.2 beside 1.3
};

class TlsEngine {
public:
    TlsEngine() = default;
    TlsEngine(const TlsEngine&) = delete;
    TlsEngine& operator=(const TlsEngine&) = delete;

    /// Creates the context; must succeed before any stream is made.
    [[nodiscard]] Failure open(const TlsSettings& settings);

    [[nodiscard]] bool verifies() const { return verifies_; }

private:
    friend class TlsStream;
    static constexpr std::size_t plaintext_bytes = 16384;

    struct ContextFree {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    struct MethodFree {
        void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
    };

    static int bio_read(BIO* bio, char* data, int size);
    static int bio_write(BIO* bio, const char* data, int size);
    static long bio_control(BIO* bio, int command, long number, void* pointer);

    std::unique_ptr<BIO_METHOD, MethodFree> method_;
    std::unique_ptr<SSL_CTX, ContextFree> context_;
    std::string_view incoming_;        // ciphertext that the stream in progress has not read yet
    std::string* outgoing_ = nullptr;  // where the stream in progress appends ciphertext
    std::array<char, plaintext_bytes> plaintext_{};
    bool verifies_ = false;
};

class TlsStream {
public:
    enum class Status { handshaking, open, closed, failed };

    /// A client stream to the server called `domain` (SNI and, if the engine verifies, its name).
    TlsStream(TlsEngine& engine, const std::string& domain, std::string_view protocol);

    /// Feeds received ciphertext (empty to begin the handshake). Answers go to `output`, decrypted
    /// data to `sink`, which may be called several times and must not destroy the stream.
    Status feed(std::string_view ciphertext, std::string& output,
                const std::function<void(std::string_view)>& sink);

    /// Appends `plaintext`, encrypted, to `output`; false when the stream is not open or broken.
    [[nodiscard]] bool encrypt(std::string_view plaintext, std::string& output);

    /// Appends a close alert to `output`.
    void close(std::string& output);

    /// Why the stream failed, for people.
    [[nodiscard]] std::string failure_reason() const;

    /// Protocol version and cipher suite, such as "TLSv1.3 TLS_AES_256_GCM_SHA384".
    [[nodiscard]] std::string description() const;

private:
    struct SslFree {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };

    TlsEngine& engine_;
    std::unique_ptr<SSL, SslFree> ssl_;
};

}  // namespace causeway::bench
