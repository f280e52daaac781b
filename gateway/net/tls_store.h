// TlsStore: the certificates of all served domains and the trust in others', as immutable
// snapshots. A reload builds a whole new snapshot, checks it and swaps it in; streams that run keep
// the old one.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"
#include "gateway/config/config.h"
#include "gateway/net/tls_engine.h"

namespace causeway {

using SslContextPointer = std::unique_ptr<SSL_CTX, SslContextDeleter>;

/// What the TLS of one domain needs, for each of the three parts it plays.
struct DomainTls {
    std::string domain;
    SslContextPointer client_facing;  ///< accepts clients
    SslContextPointer peer_facing;    ///< accepts other servers, asks them for a certificate
    SslContextPointer connecting;     ///< connects to other servers, shows our certificate
    UnixMillis expires = 0;
    std::string issuer;
    std::string file;  ///< that the certificate was read from

    /// Whether other servers are shown the same certificate for both domains.
    [[nodiscard]] bool same_certificate(const DomainTls& other) const;
};

/// Immutable and shared by all shards.
class TlsSnapshot {
public:
    /// Loads every certificate and key, and checks that they fit each other and cover the domain.
    /// An error names the file and what would mend it; warnings are appended (expiry, names).
    static Result<std::shared_ptr<const TlsSnapshot>> load(const Config& config,
                                                           std::vector<std::string>& warnings);

    /// nullptr if the domain is not served.
    [[nodiscard]] const DomainTls* find(std::string_view domain) const;
    /// For a client that names no domain: the first one configured.
    [[nodiscard]] const DomainTls& first() const { return *order_.front(); }
    [[nodiscard]] const std::vector<const DomainTls*>& all() const { return order_; }
    /// What stands among the warnings of a load at that time: each certificate that has expired, or
    /// will within three weeks.
    [[nodiscard]] std::vector<std::string> expiring(UnixMillis now) const;

private:
    friend struct SniHandler;
    std::map<std::string, DomainTls, std::less<>> domains_;
    std::map<std::string, const DomainTls*, std::less<>> by_ascii_;  ///< by A-labels, for SNI
    std::vector<const DomainTls*> order_;
};

}  // namespace causeway
