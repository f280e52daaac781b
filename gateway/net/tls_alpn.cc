#include "gateway/net/tls_alpn.h"

#include <string>
#include <string_view>

namespace causeway {
namespace {

constexpr std::string_view client_protocol = "xmpp-client";
constexpr std::string_view server_protocol = "xmpp-server";

/// Where a connection keeps what it expects. OpenSSL's application data is TlsEngine's.
int expectation() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// Takes `ours`, wherever it stands in the offer.
int select_protocol(std::string_view ours, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* in, unsigned in_length) {
    // OpenSSL has made sure that the offer is a list of names with their lengths.
    for (unsigned at = 0; at < in_length; at += 1U + in[at]) {
        const std::string_view offered(reinterpret_cast<const char*>(in + at + 1), in[at]);
        if (offered == ours) {
            *out = in + at + 1;
            *out_length = in[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int select_for_client(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                      const unsigned char* in, unsigned in_length, void*) {
    const auto* expected = static_cast<const char*>(SSL_get_ex_data(ssl, expectation()));
    return select_protocol(expected == nullptr ? client_protocol : expected, out, out_length, in,
                           in_length);
}

int select_for_server(SSL*, const unsigned char** out, unsigned char* out_length,
                      const unsigned char* in, unsigned in_length, void*) {
    return select_protocol(server_protocol, out, out_length, in, in_length);
}

}  // namespace

void take_client_protocol(SSL_CTX* context) {
    SSL_CTX_set_alpn_select_cb(context, select_for_client, nullptr);
}

void take_server_protocol(SSL_CTX* context) {
    SSL_CTX_set_alpn_select_cb(context, select_for_server, nullptr);
}

void expect_protocol(TlsEngine& engine, const char* name) {
    SSL_set_ex_data(engine.native(), expectation(), const_cast<char*>(name));
}

void offer_server_protocol(SSL_CTX* context) {
    const std::string wire =
        static_cast<char>(server_protocol.size()) + std::string(server_protocol);
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(wire.data()),
                            static_cast<unsigned>(wire.size()));
}

}  // namespace causeway
