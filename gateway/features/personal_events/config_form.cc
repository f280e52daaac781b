#include "gateway/features/personal_events/config_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/base/escape.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

constexpr std::size_t longest_text = 1024;
constexpr std::size_t most_groups = 64;

using Fault = std::optional<FormFault>;
using Values = std::vector<std::string>;

FormFault bad(std::string_view field, std::string_view right) {
    return {FormFault::Kind::bad_value, fmt::format("The field {} must be {}.", field, right)};
}

std::string_view single(const Values& values) {
    return values.size() == 1 ? std::string_view(values.front()) : std::string_view{};
}

struct Flag {
    std::string_view field, label;
    bool NodeConfig::*member;
};
constexpr std::array flags{
    Flag{"pubsub#deliver_notifications", "Send notifications", &NodeConfig::deliver_notifications},
    Flag{"pubsub#deliver_payloads", "Notifications hold the items", &NodeConfig::deliver_payloads},
    Flag{"pubsub#notify_config", "Notify of a change of the configuration",
         &NodeConfig::notify_config},
    Flag{"pubsub#notify_delete", "Notify when the node is deleted", &NodeConfig::notify_delete},
    Flag{"pubsub#notify_retract", "Notify when items are removed", &NodeConfig::notify_retract},
    Flag{"pubsub#notify_sub", "Tell the owner who subscribes and unsubscribes",
         &NodeConfig::notify_sub},
    Flag{"pubsub#persist_items", "Keep the items", &NodeConfig::persist_items},
};

struct Text {
    std::string_view field, label;
    std::string NodeConfig::*member;
};
constexpr std::array texts{
    Text{"pubsub#title", "Name of the node", &NodeConfig::title},
    Text{"pubsub#description", "What the node is for", &NodeConfig::description},
    Text{"pubsub#type", "Namespace of the items", &NodeConfig::type},
};

constexpr std::array access_models{AccessModel::presence, AccessModel::open, AccessModel::roster,
                                   AccessModel::authorize, AccessModel::whitelist};
constexpr std::array publish_models{PublishModel::publishers, PublishModel::subscribers,
                                    PublishModel::open};
constexpr std::array send_last_values{SendLast::on_subscription_and_presence,
                                      SendLast::on_subscription, SendLast::never};

struct Number {
    std::string_view field, label;
    std::uint64_t most;
    std::uint64_t NodeConfig::*member;  ///< 0: "max"
};
constexpr std::array numbers{
    Number{"pubsub#item_expire", "Seconds that an item is kept, or max", 100ULL * 365 * 86'400,
           &NodeConfig::keep_seconds},
    Number{"pubsub#max_payload_size", "Bytes of an item, or max", 1ULL << 30U,
           &NodeConfig::max_payload},
};

/// What is the same for all nodes here: a form may say it, and nothing else.
struct Fixed {
    std::string_view field, value;
};
constexpr std::array fixed{
    Fixed{"pubsub#node_type", "leaf"},  Fixed{"pubsub#subscribe", "1"},
    Fixed{"pubsub#purge_offline", "0"}, Fixed{"pubsub#tempsub", "0"},
    Fixed{"pubsub#collection", ""},
};

/// What a node has no use for here: it may stand in a form, as it does in those that libraries fill
/// in for themselves, and says something to people or to collections of nodes only. Notifications
/// reach those alone who are online whatever is said of that: they are headlines, or not stored.
constexpr std::array<std::string_view, 9> passed_over{"pubsub#contact",
                                                      "pubsub#presence_based_delivery",
                                                      "pubsub#language",
                                                      "pubsub#body_xslt",
                                                      "pubsub#dataform_xslt",
                                                      "pubsub#children",
                                                      "pubsub#children_max",
                                                      "pubsub#children_association_policy",
                                                      "pubsub#children_association_whitelist"};

/// XEP-0060 §7.1.2.4 and, by the other name, §7.1.3.4: what becomes of items when a node is full.
constexpr std::array<std::string_view, 2> full_node{"pubsub#publish_node_full",
                                                    "pubsub#publish_full_node"};

std::optional<bool> flag_of(std::string_view text) {
    if (text == "1" || text == "true") return true;
    if (text == "0" || text == "false") return false;
    return std::nullopt;
}

template <class Value, std::size_t N>
Fault choose(std::string_view field, const Values& values, const std::array<Value, N>& known,
             Value& member) {
    const auto* const found = std::ranges::find_if(
        known, [&](Value value) { return to_string(value) == single(values); });
    if (found == known.end()) {
        std::string names;
        for (const Value value : known) {
            if (!names.empty()) names += ", ";
            names += to_string(value);
        }
        return bad(field, fmt::format("one of: {}", names));
    }
    member = *found;
    return {};
}

/// "max", which is 0, or a number.
Fault read_number(std::string_view field, const Values& values, std::uint64_t most,
                  std::uint64_t& number) {
    const std::string_view text = single(values);
    if (text == "max") {
        number = 0;
        return {};
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (whole && number > 0 && number <= most) return {};
    return bad(field, fmt::format("\"max\" or a number from 1 to {}", most));
}

Fault read_max_items(const Values& values, std::uint64_t most, NodeConfig& config) {
    static_assert(NodeConfig::max == 0);
    std::uint64_t number = 0;
    if (auto fault = read_number("pubsub#max_items", values, most, number)) return fault;
    config.max_items = static_cast<std::uint32_t>(number);
    return {};
}

/// XEP-0060 §13.17: whether items name their publisher. Who is not the account itself is named in
/// any case.
Fault read_item_reply(const Values& values, NodeConfig& config) {
    const std::string_view value = single(values);
    if (!value.empty() && value != "publisher" && value != "owner" && value != "none") {
        return bad("pubsub#itemreply", "publisher, owner or none");
    }
    config.name_publisher = value == "publisher";
    return {};
}

Fault read_field(std::string_view field, const Values& values, std::uint64_t most_items,
                 NodeConfig& config) {
    for (const Flag& flag : flags) {
        if (field != flag.field) continue;
        const auto value = flag_of(single(values));
        if (!value) return bad(field, "0 or 1");
        config.*flag.member = *value;
        return {};
    }
    for (const Text& text : texts) {
        if (field != text.field) continue;
        const std::string_view value = single(values);
        if (values.size() > 1 || value.size() > longest_text) {
            return bad(field, fmt::format("a text of at most {} bytes", longest_text));
        }
        config.*text.member = std::string(value);
        return {};
    }
    for (const Number& row : numbers) {
        if (field == row.field) return read_number(field, values, row.most, config.*row.member);
    }
    if (std::ranges::find(passed_over, field) != passed_over.end()) return {};
    for (const Fixed& row : fixed) {
        if (field != row.field) continue;
        const auto given = flag_of(single(values));
        const bool same = single(values) == row.value || (given && given == flag_of(row.value));
        return same ? Fault{} : bad(field, fmt::format("\"{}\" here", row.value));
    }
    if (std::ranges::find(full_node, field) != full_node.end()) {
        const bool as_here =
            single(values) == "retract-oldest" || single(values) == "discard-oldest";
        return as_here ? Fault{} : bad(field, "retract-oldest or discard-oldest here");
    }
    if (field == "pubsub#access_model") {
        Fault fault = choose(field, values, access_models, config.access);
        if (fault) fault->kind = FormFault::Kind::access_model;
        return fault;
    }
    if (field == "pubsub#publish_model") {
        return choose(field, values, publish_models, config.publish);
    }
    if (field == "pubsub#send_last_published_item") {
        return choose(field, values, send_last_values, config.send_last);
    }
    if (field == "pubsub#max_items") return read_max_items(values, most_items, config);
    if (field == "pubsub#notification_type") {
        if (single(values) != "headline" && single(values) != "normal") {
            return bad(field, "headline or normal");
        }
        config.headlines = single(values) == "headline";
        return {};
    }
    if (field == "pubsub#itemreply") return read_item_reply(values, config);
    if (field == "pubsub#roster_groups_allowed") {
        const bool long_one = std::ranges::any_of(
            values, [](const std::string& group) { return group.size() > longest_text; });
        if (values.size() > most_groups || long_one) {
            return bad(field, fmt::format("at most {} groups", most_groups));
        }
        config.groups = values;
        std::erase(config.groups, "");
        return {};
    }
    return FormFault{FormFault::Kind::unknown_field,
                     fmt::format("The field {} is not known here.", cut_text(field, 80))};
}

void add_value(XmlBuilder& xml, std::string_view field, std::string_view type,
               std::string_view label, std::string_view value) {
    xml.open("field").attribute("var", field).attribute("type", type).attribute("label", label);
    xml.element("value", value).close();
}

template <class Value, std::size_t N>
void add_choice(XmlBuilder& xml, std::string_view field, std::string_view label,
                const std::array<Value, N>& known, Value value) {
    xml.open("field")
        .attribute("var", field)
        .attribute("type", "list-single")
        .attribute("label", label);
    xml.element("value", to_string(value));
    for (const Value option : known) {
        xml.open("option").element("value", to_string(option)).close();
    }
    xml.close();
}

void add_either(XmlBuilder& xml, std::string_view field, std::string_view label,
                std::string_view value, std::array<std::string_view, 2> options) {
    xml.open("field")
        .attribute("var", field)
        .attribute("type", "list-single")
        .attribute("label", label);
    xml.element("value", value);
    for (const std::string_view option : options) {
        xml.open("option").element("value", option).close();
    }
    xml.close();
}

void add_groups(XmlBuilder& xml, const NodeConfig& config,
                std::span<const std::string> roster_groups) {
    xml.open("field")
        .attribute("var", "pubsub#roster_groups_allowed")
        .attribute("type", "list-multi")
        .attribute("label", "Groups of the roster that may see the items");
    for (const std::string& group : config.groups) xml.element("value", group);
    for (const std::string& group : roster_groups) {
        xml.open("option").element("value", group).close();
    }
    xml.close();
}

std::string number_or_max(std::uint64_t number) {
    return number == 0 ? "max" : std::to_string(number);
}

}  // namespace

std::optional<FormFault> apply(const FormValues& form, std::uint64_t most_items,
                               NodeConfig& config) {
    for (const auto& [field, values] : form) {
        if (auto fault = read_field(field, values, most_items, config)) return fault;
    }
    return {};
}

NodeConfig first_config(std::string_view node) {
    constexpr std::array<std::string_view, 3> private_items{ns::bookmarks, ns::displayed,
                                                            "urn:xmpp:contacts"};
    NodeConfig config;
    if (std::ranges::find(private_items, node) != private_items.end()) {
        config.access = AccessModel::whitelist;
        config.max_items = NodeConfig::max;
        config.send_last = SendLast::never;
    } else if (node == ns::bookmark_list) {
        config.access = AccessModel::whitelist;
    }
    return config;
}

void append_config_form(XmlBuilder& xml, std::string_view type, const NodeConfig& config,
                        std::span<const std::string> roster_groups) {
    open_form(xml, type, ns::pubsub_node_config);
    for (const Text& text : texts) {
        add_value(xml, text.field, "text-single", text.label, config.*text.member);
    }
    add_choice(xml, "pubsub#access_model", "Who may see the items", access_models, config.access);
    add_groups(xml, config, roster_groups);
    add_choice(xml, "pubsub#publish_model", "Who may publish", publish_models, config.publish);
    add_value(xml, "pubsub#max_items", "text-single", "Items that are kept: a number, or max",
              number_or_max(config.max_items));
    for (const Number& row : numbers) {
        add_value(xml, row.field, "text-single", row.label, number_or_max(config.*row.member));
    }
    for (const Flag& flag : flags) {
        add_value(xml, flag.field, "boolean", flag.label, config.*flag.member ? "1" : "0");
    }
    add_choice(xml, "pubsub#send_last_published_item", "When the last item is sent",
               send_last_values, config.send_last);
    add_either(xml, "pubsub#itemreply", "Whom items name, where the account published them",
               config.name_publisher ? "publisher" : "none", {"publisher", "none"});
    add_either(xml, "pubsub#notification_type", "Type of the notifications",
               config.headlines ? "headline" : "normal", {"headline", "normal"});
    xml.close();
}

std::string metadata_form(const Node& node, std::string_view owner) {
    const NodeConfig& config = node.config();
    XmlBuilder xml;
    open_form(xml, "result", ns::pubsub_metadata);
    for (const Text& text : texts) {
        if (!(config.*text.member).empty()) {
            add_value(xml, text.field, "text-single", text.label, config.*text.member);
        }
    }
    add_value(xml, "pubsub#owner", "jid-multi", "Owner", owner);
    add_value(xml, "pubsub#access_model", "list-single", "Who may see the items",
              to_string(config.access));
    add_value(xml, "pubsub#publish_model", "list-single", "Who may publish",
              to_string(config.publish));
    add_value(xml, "pubsub#max_items", "text-single", "Items that are kept",
              number_or_max(config.max_items));
    add_value(xml, "pubsub#num_items", "text-single", "Items that are there",
              std::to_string(node.tally.items));
    return xml.take();
}

}  // namespace causeway::personal_events
