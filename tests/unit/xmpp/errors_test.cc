#include "gateway/xmpp/errors.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace causeway::test {

TEST_CASE("errors: each condition has the name and the type of RFC 6120 8.3.3") {
    struct Row {
        StanzaCondition condition;
        std::string_view name, type;
    };
    using C = StanzaCondition;
    const Row rows[] = {
        {C::bad_request, "bad-request", "modify"},
        {C::conflict, "conflict", "cancel"},
        {C::feature_not_implemented, "feature-not-implemented", "cancel"},
        {C::forbidden, "forbidden", "auth"},
        {C::gone, "gone", "cancel"},
        {C::internal_server_error, "internal-server-error", "cancel"},
        {C::item_not_found, "item-not-found", "cancel"},
        {C::jid_malformed, "jid-malformed", "modify"},
        {C::not_acceptable, "not-acceptable", "modify"},
        {C::not_allowed, "not-allowed", "cancel"},
        {C::not_authorized, "not-authorized", "auth"},
        {C::policy_violation, "policy-violation", "modify"},
        {C::recipient_unavailable, "recipient-unavailable", "wait"},
        {C::redirect, "redirect", "modify"},
        {C::registration_required, "registration-required", "auth"},
        {C::remote_server_not_found, "remote-server-not-found", "cancel"},
        {C::remote_server_timeout, "remote-server-timeout", "wait"},
        {C::resource_constraint, "resource-constraint", "wait"},
        {C::service_unavailable, "service-unavailable", "cancel"},
        {C::subscription_required, "subscription-required", "auth"},
        // RFC 6120 leaves the type of this one to the application.
        {C::undefined_condition, "undefined-condition", "cancel"},
        {C::unexpected_request, "unexpected-request", "wait"},
    };
    std::set<StanzaCondition> seen;
    for (const Row& row : rows) {
        CHECK(name_of(row.condition) == row.name);
        CHECK(type_of(row.condition) == row.type);
        seen.insert(row.condition);
    }
    CHECK(seen.size() == static_cast<std::size_t>(StanzaCondition::unexpected_request) + 1);
}

TEST_CASE("errors: written with the type, the condition and a text for people") {
    std::string out;
    append_error(out, {.condition = StanzaCondition::item_not_found, .text = {}});
    CHECK(out ==
          "<error code='404' type='cancel'>"
          "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    out.clear();
    append_error(out, {.condition = StanzaCondition::not_allowed, .text = "No <b>."});
    CHECK(out ==
          "<error type='cancel'>"
          "<not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
          "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>No &lt;b>.</text>"
          "</error>");
}

TEST_CASE("errors: a type that is given takes the place of the usual one") {
    std::string out;
    append_error(
        out, {.condition = StanzaCondition::remote_server_timeout, .text = {}, .type = "cancel"});
    CHECK(out ==
          "<error type='cancel'>"
          "<remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
}

TEST_CASE("errors: an extension's own condition comes last") {
    std::string out;
    append_error(out, {.condition = StanzaCondition::bad_request,
                       .text = {},
                       .detail = "bad-action",
                       .detail_ns = "urn:x"});
    CHECK(out ==
          "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
          "<bad-action xmlns='urn:x'/></error>");
}

}  // namespace causeway::test
