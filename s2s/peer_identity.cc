#include "s2s/peer_identity.h"

#include <fmt/format.h>

#include "gateway/net/certificate.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

Outcome certificate_proves(const TlsEngine* engine, std::string_view domain) {
    if (engine == nullptr) return Outcome::policy("the connection is not encrypted");
    const CertificatePointer certificate = engine->peer_certificate();
    if (certificate == nullptr) return Outcome::policy("no certificate was presented");
    if (Outcome chain = engine->peer_chain(); !chain) return chain;
    if (!usable_for_tls(certificate.get())) {
        return Outcome::policy("its certificate is not meant for TLS");
    }
    const CertificateNames names = names_of(certificate.get());
    const std::string ascii = domain_to_ascii(domain);
    if (ascii.empty() || !covers(names, ascii, "_xmpp-server")) {
        return Outcome::policy(
            fmt::format("its certificate is for {}, not for {}", describe(names), domain));
    }
    return {};
}

}  // namespace causeway
