#include "gateway/features/registry.h"

#include <array>

#include "gateway/config/peer_options.h"

namespace causeway {

// One line a feature. Each is defined at the bottom of the file of that name.
extern const Feature starttls;       // RFC 6120 §5
extern const Feature bidirectional;  // XEP-0288
extern const Feature sasl;           // RFC 6120 §6, XEP-0440
extern const Feature sasl_external;  // XEP-0178
extern const Feature bind;           // RFC 6120 §7
extern const Feature roster;         // RFC 6121 §2
extern const Feature access_rules;
extern const Feature presence_views;
extern const Feature unreachable_contacts;     // RFC 6121 §4.3
extern const Feature last_activity;            // XEP-0012
extern const Feature disco;                    // XEP-0030
extern const Feature private_storage;          // XEP-0049
extern const Feature ad_hoc_commands;          // XEP-0050
extern const Feature vcard;                    // XEP-0054, XEP-0153
extern const Feature account_registration;     // XEP-0077
extern const Feature version;                  // XEP-0092
extern const Feature admin_commands;           // XEP-0133
extern const Feature contact_addresses;        // XEP-0157
extern const Feature blocking;                 // XEP-0191, XEP-0377
extern const Feature anonymous_accounts;       // XEP-0175
extern const Feature personal_events_feature;  // XEP-0060, XEP-0115, XEP-0163
extern const Feature stream_management;        // XEP-0198
extern const Feature ping;                     // XEP-0199
extern const Feature entity_time;              // XEP-0202
extern const Feature delay;                    // XEP-0203
extern const Feature dialback;                 // XEP-0220
extern const Feature carbons;                  // XEP-0280
extern const Feature message_archive;          // XEP-0313, XEP-0441
extern const Feature vcard4;                   // XEP-0292
extern const Feature client_state;             // XEP-0352
extern const Feature stanza_ids;               // XEP-0359
extern const Feature avatar_conversion;        // XEP-0398
extern const Feature bookmark_conversion;      // XEP-0402, XEP-0411
extern const Feature message_retraction;       // XEP-0424
extern const Feature stream_limits;            // XEP-0478
extern const Feature displayed;                // XEP-0490
extern const Feature service_profiles;         // these are last: they leave out
extern const Feature anonymous_discovery;      // what others announce

std::span<const Feature* const> all_features() {
    // This is also the order within <stream:features/>.
    static constexpr std::array all{
        &starttls,
        &bidirectional,  // before whatever authenticates
        &sasl,
        &sasl_external,
        &bind,
        &roster,
        &access_rules,
        &presence_views,
        &unreachable_contacts,
        &last_activity,
        &disco,
        &private_storage,
        &ad_hoc_commands,
        &vcard,
        &account_registration,
        &version,
        &admin_commands,
        &contact_addresses,
        &blocking,
        &anonymous_accounts,
        &personal_events_feature,
        &stream_management,
        &ping,
        &entity_time,
        &delay,
        &dialback,
        &carbons,
        &message_archive,
        &client_state,
        &vcard4,
        &stanza_ids,
        &avatar_conversion,
        &bookmark_conversion,
        &message_retraction,
        &stream_limits,
        &displayed,
        &service_profiles,
        &anonymous_discovery,
    };
    return all;
}

void declare_feature_options() {
    for (const Feature* feature : all_features()) declare_options(feature->options);
    declare_options(peer_options);
}

}  // namespace causeway
