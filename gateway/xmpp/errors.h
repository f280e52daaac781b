// Stanza and stream error conditions (RFC 6120 §8.3.3 and §4.9.3), each once.
#pragma once

#include <string>
#include <string_view>

namespace causeway {

enum class StanzaCondition : unsigned char {
    bad_request,
    conflict,
    feature_not_implemented,
    forbidden,
    gone,
    internal_server_error,
    item_not_found,
    jid_malformed,
    not_acceptable,
    not_allowed,
    not_authorized,
    policy_violation,
    recipient_unavailable,
    redirect,
    registration_required,
    remote_server_not_found,
    remote_server_timeout,
    resource_constraint,
    service_unavailable,
    subscription_required,
    undefined_condition,
    unexpected_request,
};

/// Element name of a condition.
std::string_view name_of(StanzaCondition condition);
/// The error type that RFC 6120 associates with it: auth, cancel, modify or wait.
std::string_view type_of(StanzaCondition condition);

/// What a stanza is answered with.
struct StanzaError {
    StanzaCondition condition = StanzaCondition::undefined_condition;
    std::string text;            ///< for the person at the other end; may be empty
    std::string_view type = {};  ///< overrides type_of() when not empty
    /// Element name and namespace of an extension's own condition beside it (RFC 6120 §8.3.4);
    /// constants.
    std::string_view detail = {};
    std::string_view detail_ns = {};
};

/// Appends `<error type='…'><condition/><text/><detail/></error>` (jabber:client in scope).
void append_error(std::string& out, const StanzaError& error);

/// Stream error conditions, as the element names they are.
namespace stream_error {
inline constexpr std::string_view bad_format = "bad-format";
inline constexpr std::string_view conflict = "conflict";
inline constexpr std::string_view connection_timeout = "connection-timeout";
inline constexpr std::string_view host_gone = "host-gone";
inline constexpr std::string_view host_unknown = "host-unknown";
inline constexpr std::string_view improper_addressing = "improper-addressing";
inline constexpr std::string_view internal_server_error = "internal-server-error";
inline constexpr std::string_view invalid_from = "invalid-from";
inline constexpr std::string_view invalid_namespace = "invalid-namespace";
inline constexpr std::string_view invalid_xml = "invalid-xml";
inline constexpr std::string_view not_authorized = "not-authorized";
inline constexpr std::string_view not_well_formed = "not-well-formed";
inline constexpr std::string_view policy_violation = "policy-violation";
inline constexpr std::string_view remote_connection_failed = "remote-connection-failed";
inline constexpr std::string_view reset = "reset";
inline constexpr std::string_view resource_constraint = "resource-constraint";
inline constexpr std::string_view restricted_xml = "restricted-xml";
inline constexpr std::string_view system_shutdown = "system-shutdown";
inline constexpr std::string_view undefined_condition = "undefined-condition";
inline constexpr std::string_view unsupported_encoding = "unsupported-encoding";
inline constexpr std::string_view unsupported_feature = "unsupported-feature";
inline constexpr std::string_view unsupported_stanza_type = "unsupported-stanza-type";
inline constexpr std::string_view unsupported_version = "unsupported-version";
}  // namespace stream_error

}  // namespace causeway
