// The rows of the option table that belong to features.
#include <fmt/format.h>

#include <deque>

#include "gateway/config/feature_option.h"
#include "gateway/config/options.h"

namespace causeway {
namespace {

using Kind = Option::Kind;

Kind kind_of(const FeatureOption& own) {
    switch (own.kind) {
        case FeatureOption::Kind::integer: return Kind::integer;
        case FeatureOption::Kind::text: return Kind::text;
        case FeatureOption::Kind::list: return Kind::list;
        case FeatureOption::Kind::boolean: break;
    }
    return Kind::boolean;
}

std::string toml_list(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) {
        if (!text.empty()) text += ", ";
        text += toml_quote(item);
    }
    return "[" + text + "]";
}

std::optional<OptionRefusal> refuse(const FeatureOption& own, const OptionValue& value) {
    if (own.check == nullptr) return {};
    const auto* text = std::get_if<std::string>(&value);
    const std::vector<std::string> one =
        text == nullptr ? std::vector<std::string>{} : std::vector{*text};
    const auto* items = std::get_if<std::vector<std::string>>(&value);
    const auto& all = items == nullptr ? one : *items;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (auto why = own.check(all[i])) return OptionRefusal{std::move(*why), i};
    }
    return {};
}

std::string value_of(const FeatureOption& own, const Config& config, const DomainConfig* domain) {
    const std::string_view name = domain == nullptr ? std::string_view{} : domain->name;
    switch (own.kind) {
        case FeatureOption::Kind::integer: return fmt::format("{}", own.integer(config, name));
        case FeatureOption::Kind::text: return toml_quote(own.text(config, name));
        case FeatureOption::Kind::boolean: return own.boolean(config, name) ? "true" : "false";
        case FeatureOption::Kind::list: break;
    }
    return toml_list(own.list(config, name));
}

Option row_of(const FeatureOption& own) {
    Option option;
    option.key = own.key;
    option.kind = kind_of(own);
    option.reload = own.reload;
    option.form = own.form;
    option.example = own.example;
    option.doc = own.doc;
    option.fallback = own.if_unset;
    option.minimum = own.minimum;
    option.maximum = own.maximum;
    option.set = [&own](OptionTarget target, const OptionValue& value) {
        std::optional<OptionRefusal> refusal = refuse(own, value);
        FeatureValues& values =
            target.domain == nullptr ? target.config.of_features : target.domain->of_features;
        if (!refusal) values.insert_or_assign(std::string(own.key), value);
        return refusal;
    };
    option.get = [&own](const Config& config, const DomainConfig* domain) {
        return value_of(own, config, domain);
    };
    return option;
}

/// The same key within a [[domain]].
Option row_of_domain(const FeatureOption& own) {
    static std::deque<std::string> texts;
    Option option = row_of(own);
    option.key = texts.emplace_back(fmt::format("domain.{}", own.key));
    option.doc = texts.emplace_back(fmt::format("As {}, for this domain alone.", own.key));
    option.fallback = texts.emplace_back(fmt::format("the value of {}", own.key));
    return option;
}

}  // namespace

std::vector<Option> feature_options() {
    std::vector<Option> rows;
    for (const FeatureOption* own : declared_options()) {
        rows.push_back(row_of(*own));
        if (own->per_domain) rows.push_back(row_of_domain(*own));
    }
    return rows;
}

}  // namespace causeway
