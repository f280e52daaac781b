#include "gateway/net/tls_store.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <optional>
#include <system_error>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/net/certificate.h"
#include "gateway/net/tls_alpn.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

/// Picks the certificate of the domain that a client names (RFC 6066 §3).
struct SniHandler {
    static int choose(SSL* ssl, int*, void* argument) {
        if (TlsEngine::certificate_is_fixed(ssl)) return SSL_TLSEXT_ERR_OK;
        const auto& snapshot = *static_cast<const TlsSnapshot*>(argument);
        const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
        const auto found = snapshot.by_ascii_.find(ascii_lower(name));
        if (found == snapshot.by_ascii_.end()) return SSL_TLSEXT_ERR_NOACK;
        const DomainTls& domain = *found->second;
        const bool peer = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
        SSL_set_SSL_CTX(ssl, peer ? domain.peer_facing.get() : domain.client_facing.get());
        return SSL_TLSEXT_ERR_OK;
    }
};

namespace {

constexpr UnixMillis day = 86'400'000;

std::string openssl_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
    const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
    return text == nullptr ? "unknown reason" : text;
}

/// There is nobody to ask for a passphrase: without this, OpenSSL would ask the terminal and wait.
int no_passphrase(char*, int, int, void* asked) {
    if (asked != nullptr) *static_cast<bool*>(asked) = true;
    return -1;
}

// The handshake goes on whatever the chain is worth: the result is kept, and the stream decides.
int note_verification(int, X509_STORE_CTX*) { return 1; }

SslContextPointer make_context(const SSL_METHOD* method) {
    SslContextPointer context(SSL_CTX_new(method));
    if (context == nullptr) return context;
    SSL_CTX* raw = context.get();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    // RFC 9325: forward secrecy and authenticated encryption only.
    SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!SHA1");
    SSL_CTX_set1_groups_list(raw, "X25519:P-256:P-384");
    SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
    return context;
}

Outcome load_pair(SSL_CTX* context, const DomainConfig& domain) {
    if (SSL_CTX_use_certificate_chain_file(context, domain.certificate.c_str()) != 1) {
        return Outcome::absent(
            fmt::format("certificate {} of {} cannot be read ({}): a PEM file is needed, the "
                        "domain's certificate first, then its intermediates",
                        domain.certificate, domain.name, openssl_reason()));
    }
    bool encrypted = false;
    SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
    const bool loaded =
        SSL_CTX_use_PrivateKey_file(context, domain.key.c_str(), SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
    const std::string reason = openssl_reason();
    if (encrypted) {
        return Outcome::policy(fmt::format(
            "key {} of {} is encrypted: a key without a passphrase is needed, readable by this "
            "server's user alone",
            domain.key, domain.name));
    }
    if (!loaded) {
        return Outcome::absent(
            fmt::format("key {} of {} cannot be read by this user, or is not the key of {} ({})",
                        domain.key, domain.name, domain.certificate, reason));
    }
    return {};
}

/// The authorities are read once, and shared by all contexts: the system's are some hundred.
Outcome load_trust(SSL_CTX* context, const Config& config, SSL_CTX* loaded_before) {
    if (loaded_before != nullptr) {
        SSL_CTX_set1_cert_store(context, SSL_CTX_get_cert_store(loaded_before));
        return {};
    }
    const bool loaded = config.tls.trust.empty()
                            ? SSL_CTX_set_default_verify_paths(context) == 1
                            : SSL_CTX_load_verify_file(context, config.tls.trust.c_str()) == 1;
    if (loaded) return {};
    return Outcome::absent(
        fmt::format("tls.trust {} cannot be read ({}): a PEM file of certificate "
                    "authorities is needed",
                    config.tls.trust, openssl_reason()));
}

/// `trusting`: a context that has the authorities; nullptr until there is one.
Outcome make_contexts(const Config& config, const DomainConfig& domain, DomainTls& tls,
                      SSL_CTX*& trusting) {
    tls.client_facing = make_context(TLS_server_method());
    tls.peer_facing = make_context(TLS_server_method());
    tls.connecting = make_context(TLS_client_method());
    for (SSL_CTX* context :
         {tls.client_facing.get(), tls.peer_facing.get(), tls.connecting.get()}) {
        if (context == nullptr) return Outcome::retry("OpenSSL has no memory");
        if (Outcome loaded = load_pair(context, domain); !loaded) return loaded;
    }
    for (SSL_CTX* context : {tls.peer_facing.get(), tls.connecting.get()}) {
        if (Outcome loaded = load_trust(context, config, trusting); !loaded) return loaded;
        trusting = context;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verification);
        // TlsEngine::peer_chain() judges it: serverAuth alone must do for a peer that connects to
        // us.
        SSL_CTX_set_purpose(context, X509_PURPOSE_ANY);
    }
    take_client_protocol(tls.client_facing.get());
    take_server_protocol(tls.peer_facing.get());
    offer_server_protocol(tls.connecting.get());
    return {};
}

std::optional<std::string> expiry_warning(const DomainTls& tls, UnixMillis now) {
    if (tls.expires >= now + 21 * day) return {};
    return fmt::format("certificate {} of {} {} on {}", tls.file, tls.domain,
                       tls.expires < now ? "expired" : "expires", format_date_time(tls.expires));
}

void note_certificate(DomainTls& tls, const DomainConfig& domain,
                      std::vector<std::string>& warnings) {
    X509* certificate = SSL_CTX_get0_certificate(tls.client_facing.get());
    tls.expires = not_after(certificate);
    tls.issuer = issuer_of(certificate);
    tls.file = domain.certificate;
    const CertificateNames names = names_of(certificate);
    if (!covers(names, domain_to_ascii(domain.name), "_xmpp-server")) {
        warnings.push_back(
            fmt::format("certificate {} is not for {} but for {}: others will refuse it",
                        domain.certificate, domain.name, describe(names)));
    }
    if (auto soon = expiry_warning(tls, SystemClock().wall())) warnings.push_back(*soon);
}

}  // namespace

Result<std::shared_ptr<const TlsSnapshot>> TlsSnapshot::load(const Config& config,
                                                             std::vector<std::string>& warnings) {
    auto snapshot = std::make_shared<TlsSnapshot>();
    SSL_CTX* trusting = nullptr;
    for (const DomainConfig& domain : config.domains) {
        DomainTls& tls = snapshot->domains_[domain.name];
        tls.domain = domain.name;
        if (Outcome made = make_contexts(config, domain, tls, trusting); !made) return made;
        for (SSL_CTX* context : {tls.client_facing.get(), tls.peer_facing.get()}) {
            SSL_CTX_set_tlsext_servername_callback(context, SniHandler::choose);
            SSL_CTX_set_tlsext_servername_arg(context, snapshot.get());
        }
        note_certificate(tls, domain, warnings);
        snapshot->order_.push_back(&tls);
        snapshot->by_ascii_[domain_to_ascii(domain.name)] = &tls;
    }
    return std::shared_ptr<const TlsSnapshot>(std::move(snapshot));
}

bool DomainTls::same_certificate(const DomainTls& other) const {
    const X509* mine = SSL_CTX_get0_certificate(connecting.get());
    const X509* theirs = SSL_CTX_get0_certificate(other.connecting.get());
    return mine != nullptr && theirs != nullptr && X509_cmp(mine, theirs) == 0;
}

std::vector<std::string> TlsSnapshot::expiring(UnixMillis now) const {
    std::vector<std::string> warnings;
    for (const DomainTls* domain : order_) {
        if (auto soon = expiry_warning(*domain, now)) warnings.push_back(std::move(*soon));
    }
    return warnings;
}

const DomainTls* TlsSnapshot::find(std::string_view domain) const {
    const auto found = domains_.find(domain);
    return found == domains_.end() ? nullptr : &found->second;
}

}  // namespace causeway
