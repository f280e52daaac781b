// Certificates made while a test runs, by OpenSSL's API, so that none expires in the repository.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/tls_engine.h"

namespace causeway {

struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyPointer = std::unique_ptr<EVP_PKEY, KeyDeleter>;

/// What a certificate is to say. Names may hold any bytes.
struct CertificateRequest {
    enum class Key : unsigned char { ec, ed25519, rsa_pss };

    std::string common_name = "Test";
    std::vector<std::string> dns = {};        ///< dNSName
    std::vector<std::string> services = {};   ///< SRVName
    std::vector<std::string> addresses = {};  ///< XmppAddr
    std::string extended_usage = {};          ///< such as "serverAuth,clientAuth"; empty: none
    bool authority = false;
    long begins = -3600;  ///< seconds from now
    long ends = 90L * 86400;
    Key key = Key::ec;
};

struct TestCertificate {
    CertificatePointer certificate;
    KeyPointer key;

    [[nodiscard]] std::string certificate_pem() const;
    /// Encrypted when a passphrase is given.
    [[nodiscard]] std::string key_pem(const std::string& passphrase = {}) const;
};

/// Signed by `issuer`, or by itself.
TestCertificate issue(const CertificateRequest& request, const TestCertificate* issuer = nullptr);

/// A directory that is removed with everything in it.
class TestDirectory {
public:
    TestDirectory();
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory();
    /// Writes a file and returns its path.
    std::string write(const std::string& name, std::string_view content) const;
    [[nodiscard]] std::string path_of(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

}  // namespace causeway
