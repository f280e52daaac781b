// The option table: the one place that knows a key's type, range, reload class and meaning. The
// loader, the diff, the option reference and the manual page all read it, so none can disagree.
// To add an option: a member of Config or Limits with its default, and a row in options.cc or
// options_limits.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/diff.h"

namespace causeway {

/// Why an option refused a value; `item` is the index of the offending item of a list.
struct OptionRefusal {
    std::string why;
    std::size_t item = 0;
};

/// What an option reads and writes: a Config, and for the options of a [[domain]] one of its
/// domains.
struct OptionTarget {
    Config& config;
    DomainConfig* domain = nullptr;
};

/// One row of the table of options: how it is read, and what the reference says of it.
struct Option {
    enum class Kind : unsigned char { integer, text, list, boolean };

    std::string_view key;  ///< dotted: "c2s.listen"; "domain.name" stands in each [[domain]]
    Kind kind = Kind::text;
    Reload reload = Reload::live;
    std::string_view form;      ///< what a value is: "a path", "an integer from 1 to 64"
    std::string_view example;   ///< a value as TOML text
    std::string_view fallback;  ///< how the default is described; empty: the default's TOML text
    std::string_view doc;
    std::int64_t minimum = 0, maximum = 0;  ///< of an integer
    /// Stores a value of the right kind and range, or says why it is not one.
    std::function<std::optional<OptionRefusal>(OptionTarget, const OptionValue&)> set;
    /// The value as TOML text.
    std::function<std::string(const Config&, const DomainConfig*)> get;

    /// "c2s" of "c2s.listen".
    [[nodiscard]] std::string_view section() const { return key.substr(0, key.find('.')); }
    /// "listen" of "c2s.listen".
    [[nodiscard]] std::string_view name() const { return key.substr(key.find('.') + 1); }
    [[nodiscard]] bool of_domain() const { return section() == "domain"; }
};

/// Every option, grouped by section; built at the first call.
std::span<const Option> options();
/// The option of that dotted key; nullptr when there is none.
const Option* find_option(std::string_view key);
/// The rows of [limits], from their own file; part of options().
std::vector<Option> limit_options();
/// The rows of options that features declared, from their own file; part of options().
std::vector<Option> feature_options();

/// The sections in the order of the table.
std::vector<std::string_view> option_sections();
/// What a section is for, in one sentence.
std::string_view section_doc(std::string_view section);

/// The known key or section that a mistaken one most likely means.
std::string_view nearest_option(std::string_view key);

/// "an integer from 1 to 64"; the form of other kinds.
std::string describe_form(const Option& option);
/// The default as people read it: "16384 (16 KiB)", "259200 (3 days)", "the system's store".
std::string describe_default(const Option& option);
/// `text` as a TOML basic string.
std::string toml_quote(std::string_view text);

/// The whole option reference in Markdown (schemas/options.md).
std::string options_markdown();
/// The whole option reference in mdoc (the OPTIONS section of causeway.toml(5)).
std::string options_mdoc();

}  // namespace causeway
