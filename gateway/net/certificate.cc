#include "gateway/net/certificate.h"

#include <openssl/asn1.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "gateway/base/encoding.h"
#include "gateway/xmpp/jid.h"

namespace causeway {
namespace {

struct NamesDeleter {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

struct UsageDeleter {
    void operator()(EXTENDED_KEY_USAGE* usage) const {
        sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
    }
};

std::string_view bytes_of(const ASN1_STRING* text) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text))};
}

bool is_plain_ascii(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// id-on-xmppAddr 1.3.6.1.5.5.7.8.5 and id-on-dnsSRV 1.3.6.1.5.5.7.8.7
void add_other_name(const OTHERNAME& other, CertificateNames& names) {
    const int kind = OBJ_obj2nid(other.type_id);
    const ASN1_TYPE* value = other.value;
    if (value == nullptr) return;
    if (kind == NID_XmppAddr && value->type == V_ASN1_UTF8STRING) {
        const auto jid = Jid::parse(bytes_of(value->value.utf8string));
        if (jid && !jid->has_local() && !jid->has_resource()) {
            names.addresses.push_back(domain_to_ascii(jid->domain()));
        }
    } else if (kind == NID_SRVName && value->type == V_ASN1_IA5STRING) {
        const std::string_view text = bytes_of(value->value.ia5string);
        if (is_plain_ascii(text)) names.services.push_back(ascii_lower(text));
    }
}

bool wildcard_matches(std::string_view pattern, std::string_view domain) {
    if (!pattern.starts_with("*.")) return false;
    const std::size_t dot = domain.find('.');
    return dot != std::string_view::npos && dot > 0 && domain.substr(dot) == pattern.substr(1) &&
           pattern.substr(2).find('.') != std::string_view::npos;
}

UnixMillis millis_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return static_cast<UnixMillis>(timegm(&parts)) * 1000;
}

}  // namespace

CertificateNames names_of(X509* certificate) {
    CertificateNames names;
    const std::unique_ptr<GENERAL_NAMES, NamesDeleter> all(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (all == nullptr) return names;
    for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
        if (name->type == GEN_DNS) {
            const std::string_view text = bytes_of(name->d.dNSName);
            if (is_plain_ascii(text)) names.dns.push_back(ascii_lower(text));
        } else if (name->type == GEN_OTHERNAME) {
            add_other_name(*name->d.otherName, names);
        }
    }
    return names;
}

bool covers(const CertificateNames& names, std::string_view domain, std::string_view service) {
    const std::string wanted = std::string(service) + "." + std::string(domain);
    return std::ranges::any_of(names.dns,
                               [&](const std::string& name) {
                                   return name == domain || wildcard_matches(name, domain);
                               }) ||
           std::ranges::find(names.services, wanted) != names.services.end() ||
           std::ranges::find(names.addresses, domain) != names.addresses.end();
}

std::string describe(const CertificateNames& names) {
    std::string text;
    for (const auto* list : {&names.dns, &names.services, &names.addresses}) {
        for (const std::string& name : *list) {
            if (text.size() > 200) return text + ", …";
            if (!text.empty()) text += ", ";
            text += name;
        }
    }
    return text.empty() ? "no name at all" : text;
}

UnixMillis not_after(const X509* certificate) { return millis_of(X509_get0_notAfter(certificate)); }
UnixMillis not_before(const X509* certificate) {
    return millis_of(X509_get0_notBefore(certificate));
}

std::string issuer_of(const X509* certificate) {
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    if (out == nullptr) return {};
    X509_NAME_print_ex(out.get(), X509_get_issuer_name(certificate), 0, XN_FLAG_ONELINE);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string{};
}

bool usable_for_tls(X509* certificate) {
    const std::unique_ptr<EXTENDED_KEY_USAGE, UsageDeleter> usage(static_cast<EXTENDED_KEY_USAGE*>(
        X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
    if (usage == nullptr) return true;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage.get()); ++i) {
        const int purpose = OBJ_obj2nid(sk_ASN1_OBJECT_value(usage.get(), i));
        if (purpose == NID_client_auth || purpose == NID_server_auth ||
            purpose == NID_anyExtendedKeyUsage) {
            return true;
        }
    }
    return false;
}

}  // namespace causeway
