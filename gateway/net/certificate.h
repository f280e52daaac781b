// Certificates: which XMPP domains one may speak for, and what people want to know of it. Names
// come from the subject alternative name alone, never from the common name (RFC 9525 §2).
#pragma once

#include <openssl/x509.h>

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"

namespace causeway {

/// The names in a certificate, lower case; text with an embedded NUL or beyond ASCII is left out.
struct CertificateNames {
    std::vector<std::string> dns;        ///< dNSName, may begin with "*."
    std::vector<std::string> services;   ///< SRVName (RFC 4985), such as "_xmpp-server.example.org"
    std::vector<std::string> addresses;  ///< XmppAddr (RFC 6120 §13.7.1.4), as A-labels
};

CertificateNames names_of(X509* certificate);

/// Whether the names cover `domain` (A-labels, lower case): dNSName, with a wildcard for exactly
/// one leftmost label; SRVName of `service` ("_xmpp-server"); XmppAddr.
bool covers(const CertificateNames& names, std::string_view domain, std::string_view service);

/// For a person: what the certificate is for.
std::string describe(const CertificateNames& names);

/// 0 when it cannot be told.
UnixMillis not_after(const X509* certificate);
UnixMillis not_before(const X509* certificate);

/// The issuer's distinguished name, for display only.
std::string issuer_of(const X509* certificate);

/// Whether the extended key usage, if there is one, allows TLS in either role. Public authorities
/// no longer issue clientAuth, so a peer that connects to us may hold serverAuth alone.
bool usable_for_tls(X509* certificate);

}  // namespace causeway
