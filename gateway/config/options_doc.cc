// The option table as people read it: forms and defaults in words, the reference in Markdown and in
// mdoc. The reference is checked in, and a test compares it with what stands here.
#include <fmt/format.h>

#include <array>

#include "gateway/base/escape.h"
#include "gateway/config/options.h"

namespace causeway {
namespace {

struct Unit {
    std::int64_t size;
    std::string_view singular, plural;
};

constexpr std::array time_units{Unit{86400, "day", "days"}, Unit{3600, "hour", "hours"},
                                Unit{60, "minute", "minutes"}};
constexpr std::array size_units{Unit{1024 * 1024 * 1024, "GiB", "GiB"},
                                Unit{1024 * 1024, "MiB", "MiB"}, Unit{1024, "KiB", "KiB"}};

template <std::size_t n>
std::string in_words(std::int64_t value, const std::array<Unit, n>& units) {
    for (const Unit& unit : units) {
        if (value < unit.size || value % unit.size != 0) continue;
        const std::int64_t count = value / unit.size;
        return fmt::format(" ({} {})", count, count == 1 ? unit.singular : unit.plural);
    }
    return {};
}

/// 16384 with "16 KiB" behind it, where the key's name says that it is bytes or seconds.
std::string with_unit(const Option& option, std::int64_t value) {
    std::string text = fmt::format("{}", value);
    if (option.key.ends_with("_seconds")) return text + in_words(value, time_units);
    if (option.key.find("_bytes") != std::string_view::npos)
        return text + in_words(value, size_units);
    return text;
}

std::string escape_markdown(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '<' || c == '*' || c == '_' || c == '[' || c == ']') out += '\\';
        out += c;
    }
    return out;
}

/// `text` as text lines of mdoc, one a sentence: nothing in it is taken for a macro or an escape.
std::string escape_mdoc(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ' ' && out.ends_with('.')) {
            out += '\n';
        } else if (c == '\\') {
            out += "\\e";
        } else if (c == '"') {
            out += "\\(dq";
        } else {
            out += c;
        }
    }
    if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
    return out;
}

std::string_view when(Reload reload) {
    switch (reload) {
        case Reload::live: return "at once";
        case Reload::new_streams: return "for new streams";
        case Reload::restart: return "after a restart";
    }
    return {};
}

std::string_view sentence(Reload reload) {
    switch (reload) {
        case Reload::live: return "A reload changes it at once.";
        case Reload::new_streams: return "A reload changes it for new streams.";
        case Reload::restart: return "A change needs a restart.";
    }
    return {};
}

std::string header_of(std::string_view section) {
    return fmt::format(fmt::runtime(section == "domain" ? "[[{}]]" : "[{}]"), section);
}

}  // namespace

std::string toml_quote(std::string_view text) {
    std::string out = "\"";
    append_escaped(out, text, Escape::json);
    out += '"';
    return out;
}

std::string describe_form(const Option& option) {
    if (option.kind == Option::Kind::boolean) return "true or false";
    if (option.kind != Option::Kind::integer) return std::string(option.form);
    return fmt::format("an integer from {} to {}", with_unit(option, option.minimum),
                       with_unit(option, option.maximum));
}

std::string describe_default(const Option& option) {
    if (!option.fallback.empty()) return std::string(option.fallback);
    const Config defaults;
    std::string text = option.get(defaults, nullptr);
    if (option.kind != Option::Kind::integer) return text;
    return with_unit(option, std::stoll(text));
}

std::string options_markdown() {
    std::string out =
        "# Options of the configuration file\n\n"
        "This file is made from the option table in `gateway/config/options.cc`; a test keeps them "
        "the same.\n"
        "Relative paths are relative to the configuration file. Sizes are bytes and times are "
        "seconds. "
        "An\nendpoint is `\"192.0.2.10:5222\"`, `\"[2001:db8::10]:5222\"`, or a port alone "
        "(`\"5222\"`) for every\naddress of both families, which is the same as "
        "`\"[::]:5222\"`.\n\n"
        "The last column says when a changed value takes effect after a reload.\n";
    for (const auto section : option_sections()) {
        out += fmt::format(
            "\n## {}\n\n{}\n\n| key | value | default | meaning | reload |\n"
            "|---|---|---|---|---|\n",
            header_of(section), section_doc(section));
        for (const Option& option : options()) {
            if (option.section() != section) continue;
            out += fmt::format("| `{}` | {} | {} | {} | {} |\n", option.name(),
                               escape_markdown(describe_form(option)),
                               escape_markdown(describe_default(option)),
                               escape_markdown(option.doc), when(option.reload));
        }
    }
    return out;
}

std::string options_mdoc() {
    std::string out;
    for (const auto section : option_sections()) {
        out += fmt::format(".Ss {}\n{}\n.Bl -tag -width Ds\n", header_of(section),
                           escape_mdoc(section_doc(section)));
        for (const Option& option : options()) {
            if (option.section() != section) continue;
            out += fmt::format(".It Cm {}\n{}\nValue: {}.\nDefault: {}.\n{}\n", option.name(),
                               escape_mdoc(option.doc), escape_mdoc(describe_form(option)),
                               escape_mdoc(describe_default(option)), sentence(option.reload));
        }
        out += ".El\n";
    }
    return out;
}

}  // namespace causeway
