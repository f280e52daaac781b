// A node's configuration as a data form (XEP-0060 §16.4.4, XEP-0004): read from what clients
// submit, and made for those that ask.
#pragma once

#include <optional>
#include <span>

#include "gateway/features/personal_events/model.h"
#include "gateway/xml/builder.h"
#include "gateway/xmpp/data_form.h"

namespace causeway::personal_events {

/// Why a form is not taken.
struct FormFault {
    enum class Kind : unsigned char { unknown_field, bad_value, access_model };
    Kind kind = Kind::bad_value;
    std::string text;  ///< a sentence that says what would be right
};

/// Changes `config` by the fields of the form; `most_items` is what a node may hold.
std::optional<FormFault> apply(const FormValues& form, std::uint64_t most_items,
                               NodeConfig& config);

/// How a node is made of whose configuration nothing is said. What is for the account's own clients
/// alone is so whether its client thought of that or not: bookmarks, with the passwords of rooms
/// (XEP-0402 §3, XEP-0048 §3), what was displayed (XEP-0490 §8), notes on contacts (XEP-0292 §4).
NodeConfig first_config(std::string_view node);

/// Appends the form. `form_type` is that of a configuration or of a node's metadata.
void append_config_form(XmlBuilder& xml, std::string_view type, const NodeConfig& config,
                        std::span<const std::string> roster_groups);
/// Appends what anybody who may see the node is told of it (XEP-0060 §5.4).
std::string metadata_form(const Node& node, std::string_view owner);

}  // namespace causeway::personal_events
