// TlsEngine: one TLS connection without any input or output of its own. Ciphertext is handed in by
// whole records and comes out into a string of the caller; between calls it owns nothing but
// OpenSSL's SSL object, whose buffers are released while idle. Not thread-safe; may move between
// threads.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/outcome.h"

namespace causeway {

struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};
struct SslContextDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct CertificateDeleter {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using CertificatePointer = std::unique_ptr<X509, CertificateDeleter>;

class TlsEngine {
public:
    enum class Role : unsigned char { server, client };
    enum class Status : unsigned char { done, want_input, closed, failed };

    /// Takes its own reference on `context`, and keeps `owner` (what the context's callbacks use)
    /// until the handshake is over. `server_name` (client only) is sent as SNI.
    TlsEngine(SSL_CTX* context, Role role, std::shared_ptr<const void> owner,
              const std::string& server_name = {});
    TlsEngine(const TlsEngine&) = delete;
    TlsEngine& operator=(const TlsEngine&) = delete;
    ~TlsEngine() = default;

    /// The certificate is that of the context, whatever name the peer asks for (SNI): the peer has
    /// said before whom it wants. Before the handshake.
    void fix_certificate();
    static bool certificate_is_fixed(const SSL* ssl);

    /// How many leading bytes of `ciphertext` are whole records (or are no TLS at all, to be
    /// refused by the engine). The rest must be kept until more has come.
    static std::size_t whole_records(std::string_view ciphertext);

    /// Sets what the next calls read; they consume it through remaining().
    void set_input(std::string_view ciphertext) { input_ = ciphertext; }
    [[nodiscard]] std::size_t remaining() const { return input_.size(); }
    /// Gives back what was not consumed, to be set again later.
    std::string take_input() { return std::string(std::exchange(input_, {})); }

    /// Continues the handshake; what must be sent, alerts included, is appended to `output`.
    Status handshake(std::string& output);
    /// Decrypts into `plain`; `bytes` tells how much.
    Status decrypt(std::span<char> plain, std::size_t& bytes, std::string& output);
    /// Encrypts all of `plain` into `output`.
    Status encrypt(std::string_view plain, std::string& output);
    /// Appends close_notify.
    void shut_down(std::string& output);

    /// Why the last call failed, in words.
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] bool established() const { return established_; }
    [[nodiscard]] Role role() const { return role_; }

    [[nodiscard]] std::string version() const;         ///< "TLSv1.3"
    [[nodiscard]] std::string cipher() const;          ///< "TLS_AES_256_GCM_SHA384"
    [[nodiscard]] std::string alpn() const;            ///< protocol agreed on, or empty
    [[nodiscard]] std::string requested_name() const;  ///< the client's SNI, or empty

    /// RFC 9266; empty below TLS 1.3 without extended master secret.
    [[nodiscard]] std::string exporter_binding() const;
    /// RFC 5929 §3 as clients compute it: the first Finished message. Not defined for TLS 1.3 (RFC
    /// 9266), where it is unique all the same, and the only type that some clients know.
    [[nodiscard]] std::string unique_binding() const;
    /// RFC 5929 §4 of our own certificate; empty when its hash is not defined.
    [[nodiscard]] std::string server_end_point_binding() const;

    [[nodiscard]] CertificatePointer peer_certificate() const;
    /// Whether the certificate that the peer was shown is also that of this context.
    [[nodiscard]] bool shows_certificate_of(const SSL_CTX* context) const;
    /// Whether the peer's chain leads to a trusted root and is meant for TLS, in either role (its
    /// name is judged elsewhere).
    [[nodiscard]] Outcome peer_chain() const;

    SSL* native() { return ssl_.get(); }

private:
    friend struct EngineBio;
    Status status_of(int result);

    std::unique_ptr<SSL, SslDeleter> ssl_;
    std::string_view input_;
    std::string* output_ = nullptr;
    std::shared_ptr<const void> owner_;
    std::string error_;
    Role role_;
    bool established_ = false;
};

}  // namespace causeway
