// How SASL fails: the conditions of RFC 6120 §6.5 in one table, and a result type that carries one.
// Nothing here is thrown; a failure is what the <failure/> element will say.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway {

/// Element names of RFC 6120 §6.5.1 to 6.5.11.
namespace sasl_condition {
inline constexpr std::string_view aborted = "aborted";
inline constexpr std::string_view account_disabled = "account-disabled";
inline constexpr std::string_view credentials_expired = "credentials-expired";
inline constexpr std::string_view encryption_required = "encryption-required";
inline constexpr std::string_view incorrect_encoding = "incorrect-encoding";
inline constexpr std::string_view invalid_authzid = "invalid-authzid";
inline constexpr std::string_view invalid_mechanism = "invalid-mechanism";
inline constexpr std::string_view malformed_request = "malformed-request";
inline constexpr std::string_view mechanism_too_weak = "mechanism-too-weak";
inline constexpr std::string_view not_authorized = "not-authorized";
inline constexpr std::string_view temporary_auth_failure = "temporary-auth-failure";

inline constexpr std::array all{
    aborted,
    account_disabled,
    credentials_expired,
    encryption_required,
    incorrect_encoding,
    invalid_authzid,
    invalid_mechanism,
    malformed_request,
    mechanism_too_weak,
    not_authorized,
    temporary_auth_failure,
};

/// Whether `name` is in the table; what a peer sends may not be.
inline bool is_known(std::string_view name) {
    return std::find(all.begin(), all.end(), name) != all.end();
}
}  // namespace sasl_condition

/// One of sasl_condition's names and a sentence for the person; never holds a secret, nor anything
/// that tells a wrong password from an unknown name.
struct SaslFailure {
    std::string_view condition;
    std::string text;
};

/// A value, or the failure that says why there is none.
template <class T>
using SaslResult = Result<T, SaslFailure>;

}  // namespace causeway
