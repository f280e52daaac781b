#include "tests/support/test_certificates.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace causeway {
namespace {

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPointer = std::unique_ptr<BIO, BioDeleter>;

void require(bool done) {
    if (!done) throw std::runtime_error("OpenSSL refused to make a test certificate");
}

std::string text_of(const BioPointer& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

KeyPointer make_key(CertificateRequest::Key kind) {
    switch (kind) {
        case CertificateRequest::Key::ec: return KeyPointer(EVP_EC_gen("P-256"));
        case CertificateRequest::Key::ed25519:
            return KeyPointer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
        case CertificateRequest::Key::rsa_pss: return KeyPointer(EVP_RSA_gen(2048));
    }
    return nullptr;
}

GENERAL_NAME* other_name(int kind, int type, const std::string& text) {
    ASN1_STRING* value = ASN1_STRING_type_new(type);
    require(value != nullptr &&
            ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1);
    ASN1_TYPE* typed = ASN1_TYPE_new();
    ASN1_TYPE_set(typed, type, value);
    GENERAL_NAME* name = GENERAL_NAME_new();
    require(GENERAL_NAME_set0_othername(name, OBJ_nid2obj(kind), typed) == 1);
    return name;
}

GENERAL_NAME* dns_name(const std::string& text) {
    ASN1_IA5STRING* value = ASN1_IA5STRING_new();
    require(ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1);
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_DNS, value);
    return name;
}

void add_names(X509* certificate, const CertificateRequest& request) {
    GENERAL_NAMES* names = sk_GENERAL_NAME_new_null();
    for (const auto& text : request.dns) sk_GENERAL_NAME_push(names, dns_name(text));
    for (const auto& text : request.services) {
        sk_GENERAL_NAME_push(names, other_name(NID_SRVName, V_ASN1_IA5STRING, text));
    }
    for (const auto& text : request.addresses) {
        sk_GENERAL_NAME_push(names, other_name(NID_XmppAddr, V_ASN1_UTF8STRING, text));
    }
    if (sk_GENERAL_NAME_num(names) > 0) {
        require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

void add_extension(X509* certificate, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
    require(extension != nullptr);
    require(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

void sign(X509* certificate, EVP_PKEY* key) {
    const int kind = EVP_PKEY_get_base_id(key);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_PKEY_CTX* parameters = nullptr;
    const EVP_MD* digest = kind == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
    if (kind == EVP_PKEY_RSA) digest = EVP_sha384();
    require(EVP_DigestSignInit(context, &parameters, digest, nullptr, key) == 1);
    if (kind == EVP_PKEY_RSA) {
        require(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
    }
    require(X509_sign_ctx(certificate, context) > 0);
    EVP_MD_CTX_free(context);
}

}  // namespace

std::string TestCertificate::certificate_pem() const {
    const BioPointer out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509(out.get(), certificate.get()) == 1);
    return text_of(out);
}

std::string TestCertificate::key_pem(const std::string& passphrase) const {
    const BioPointer out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_PKCS8PrivateKey(
                out.get(), key.get(), passphrase.empty() ? nullptr : EVP_aes_256_cbc(),
                passphrase.empty() ? nullptr : passphrase.data(),
                static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
    return text_of(out);
}

TestCertificate issue(const CertificateRequest& request, const TestCertificate* issuer) {
    static long serial = 1;
    TestCertificate made;
    made.key = make_key(request.key);
    made.certificate.reset(X509_new());
    X509* certificate = made.certificate.get();
    require(made.key != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), request.begins);
    X509_gmtime_adj(X509_getm_notAfter(certificate), request.ends);
    X509_set_pubkey(certificate, made.key.get());
    X509_NAME* subject = X509_get_subject_name(certificate);
    require(X509_NAME_add_entry_by_txt(
                subject, "CN", MBSTRING_UTF8,
                reinterpret_cast<const unsigned char*>(request.common_name.data()),
                static_cast<int>(request.common_name.size()), -1, 0) == 1);
    const TestCertificate& signer = issuer == nullptr ? made : *issuer;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
    add_extension(certificate, NID_basic_constraints, request.authority ? "CA:TRUE" : "CA:FALSE");
    if (!request.extended_usage.empty()) {
        add_extension(certificate, NID_ext_key_usage, request.extended_usage.c_str());
    }
    add_names(certificate, request);
    sign(certificate, signer.key.get());
    return made;
}

TestDirectory::TestDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "causeway-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory for a test");
    path_ = pattern;
}

TestDirectory::~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TestDirectory::write(const std::string& name, std::string_view content) const {
    std::ofstream file(path_ / name, std::ios::binary);
    file << content;
    if (!file.flush()) throw std::runtime_error("cannot write a test's file");
    return path_ / name;
}

}  // namespace causeway
