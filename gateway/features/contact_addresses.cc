// XEP-0157 Contact Addresses for XMPP Services: whom to write to about this server, as a form of
// its service discovery.
#include <array>

#include "gateway/session/hub.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

std::optional<std::string> refuse_no_uri(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && colon != 0 && colon + 1 < text.size()) {
        return std::nullopt;
    }
    return "is no address with a scheme, such as mailto:admin@example.org or "
           "xmpp:admin@example.org";
}

constexpr FeatureOption addresses(std::string_view key, std::string_view doc) {
    return {.key = key,
            .kind = FeatureOption::Kind::list,
            .form = "a list of addresses, each with its scheme",
            .example = R"(["xmpp:admin@example.org", "mailto:admin@example.org"])",
            .doc = doc,
            .check = refuse_no_uri,
            .section_doc =
                "Whom people and other servers can write to about this server; told by "
                "service discovery (XEP-0157)."};
}

constexpr FeatureOption abuse = addresses("contact.abuse", "For reports of abuse.");
constexpr FeatureOption admin = addresses("contact.admin", "The administrators.");
constexpr FeatureOption feedback = addresses("contact.feedback", "For feedback of users.");
constexpr FeatureOption sales = addresses("contact.sales", "For sales.");
constexpr FeatureOption security =
    addresses("contact.security", "For reports of security problems.");
constexpr FeatureOption status =
    addresses("contact.status", "Where the state of the service is told.");
constexpr FeatureOption support = addresses("contact.support", "For help.");
constexpr std::array options{&abuse, &admin, &feedback, &sales, &security, &status, &support};

/// "contact.abuse" stands in the form as "abuse-addresses".
std::string field_of(const FeatureOption& option) {
    return std::string(option.key.substr(option.key.find('.') + 1)) + "-addresses";
}

void tell(const DiscoQuery& query, DiscoInfo& info) {
    if (!query.node.empty()) return;
    XmlBuilder form;
    form.open("x", ns::data_forms).attribute("type", "result");
    form.open("field").attribute("var", "FORM_TYPE").attribute("type", "hidden");
    form.element("value", ns::server_info).close();
    bool any = false;
    for (const FeatureOption* option : options) {
        const std::vector<std::string> values = option->list(*query.hub.config);
        if (values.empty()) continue;
        any = true;
        form.open("field").attribute("var", field_of(*option)).attribute("type", "list-multi");
        for (const std::string& value : values) form.element("value", value);
        form.close();
    }
    if (any) info.forms.push_back(form.take());
}

constexpr std::array sources{DiscoSource{.of = DiscoSource::Of::server, .info = tell}};

}  // namespace

extern const Feature contact_addresses;
const Feature contact_addresses{.name = "contact_addresses",
                                .xep = 157,
                                .version = "1.1.1",
                                .disco = sources,
                                .options = options};

}  // namespace causeway
