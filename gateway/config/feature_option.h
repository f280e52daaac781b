// FeatureOption: an option that belongs to one feature. The feature declares it as a constant in
// its own file and reads it through that constant; the loader, the diff and the option reference
// know it like every other row of the table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/diff.h"

namespace causeway {

struct FeatureOption {
    enum class Kind : unsigned char { integer, text, list, boolean };

    std::string_view key;  ///< dotted: "contact.abuse"
    Kind kind = Kind::text;
    Reload reload = Reload::live;
    std::string_view form;     ///< of a text or list: what a value is
    std::string_view example;  ///< a value as TOML text
    std::string_view doc;
    std::string_view if_unset = {};         ///< what it is then, in words, where that is no value
    std::int64_t minimum = 0, maximum = 0;  ///< of an integer
    std::int64_t fallback = 0;              ///< of an integer; of a boolean: 0 or 1
    /// Why a text, or an item of a list, is refused; nullopt: it is not.
    std::optional<std::string> (*check)(std::string_view text) = nullptr;
    /// What the section is for, if no other option is in it.
    std::string_view section_doc = {};

    /// A [[domain]] may have a value of its own, under the same key.
    bool per_domain = false;

    // The value in force; the default where the file has none. With `domain`, that domain's.
    [[nodiscard]] std::int64_t integer(const Config& config, std::string_view domain = {}) const;
    [[nodiscard]] std::string text(const Config& config, std::string_view domain = {}) const;
    [[nodiscard]] std::vector<std::string> list(const Config& config,
                                                std::string_view domain = {}) const;
    [[nodiscard]] bool boolean(const Config& config, std::string_view domain = {}) const;
};

/// Adds rows to the table of options. Once, when the process starts, before anything reads the
/// table; the options live as long as the process.
void declare_options(std::span<const FeatureOption* const> options);
/// What was declared.
const std::vector<const FeatureOption*>& declared_options();

}  // namespace causeway
