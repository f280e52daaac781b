#include "gateway/config/options.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "gateway/config/load.h"

using causeway::Config;
using causeway::DomainConfig;
using causeway::nearest_option;
using causeway::Option;
using causeway::options;

namespace {

/// A file of the source tree. Tests run in the build directory, which compiler paths are relative
/// to.
std::string source_file(const std::string& path) {
    const char* const given = std::getenv("CAUSEWAY_SOURCE_ROOT");
    const std::filesystem::path root =
        given != nullptr ? std::filesystem::path(given)
                         : std::filesystem::path(__FILE__).parent_path() / "../../..";
    std::ifstream file(root / path, std::ios::binary);
    INFO("file ", (root / path).string());
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("every option is complete and stands once, in a known section") {
    std::set<std::string_view> keys;
    for (const Option& option : options()) {
        CAPTURE(option.key);
        CHECK(keys.insert(option.key).second);
        CHECK_FALSE(causeway::section_doc(option.section()).empty());
        CHECK(option.doc.ends_with('.'));
        CHECK_FALSE(describe_form(option).empty());
        CHECK_FALSE(describe_default(option).empty());
        CHECK(option.set != nullptr);
        CHECK(option.get != nullptr);
    }
}

TEST_CASE("an option's default and example are values that it accepts") {
    for (const Option& option : options()) {
        CAPTURE(option.key);
        const std::string domain = "[[domain]]\nname = \"x.test\"\n";
        const auto accepted = [&](const std::string& value) {
            const std::string line = std::string(option.name()) + " = " + value + "\n";
            const std::string text =
                option.key == "domain.name" ? "[[domain]]\n" + line
                : option.of_domain()        ? domain + line
                                     : domain + "[" + std::string(option.section()) + "]\n" + line;
            const auto config = causeway::parse_config(text, "c.toml");
            INFO((config.ok() ? std::string() : config.error().why()));
            CHECK(config.ok());
        };
        const std::string value = option.get(Config{}, nullptr);
        if (value != "\"\"") accepted(value);
        if (!option.example.empty()) accepted(std::string(option.example));
    }
}

TEST_CASE("an integer's default lies in its range, and both ends can be set") {
    for (const Option& option : options()) {
        if (option.kind != Option::Kind::integer) continue;
        CAPTURE(option.key);
        const std::int64_t value = std::stoll(option.get(Config{}, nullptr));
        CHECK(option.minimum <= value);
        CHECK(value <= option.maximum);
        for (const std::int64_t end : {option.minimum, option.maximum}) {
            Config config;
            CHECK_FALSE(option.set({config}, end).has_value());
            CHECK(option.get(config, nullptr) == std::to_string(end));
        }
    }
}

TEST_CASE("no two limits share a member") {
    for (const Option& one : options()) {
        if (one.kind != Option::Kind::integer || one.of_domain()) continue;
        Config config;
        const std::int64_t other_value =
            std::stoll(one.get(config, nullptr)) == one.minimum ? one.maximum : one.minimum;
        REQUIRE_FALSE(one.set({config}, other_value).has_value());
        const auto changes = causeway::diff(Config{}, config);
        REQUIRE(changes.size() == 1);
        CHECK(changes[0].key == one.key);
    }
}

TEST_CASE("the nearest key is found for the slips people make") {
    CHECK(nearest_option("c2s.lisen") == "c2s.listen");
    CHECK(nearest_option("c2s.listen-tls") == "c2s.listen_tls");
    CHECK(nearest_option("S2S.Bind") == "s2s.bind");
    CHECK(nearest_option("limits.dpeth") == "limits.depth");
    CHECK(nearest_option("level") == "log.level");
    CHECK(nearest_option("sotre") == "store");
    CHECK(nearest_option("domian") == "domain");
    CHECK(nearest_option("server.certificate") == "domain.certificate");
    CHECK_FALSE(nearest_option("").empty());
    CHECK_FALSE(nearest_option(std::string(100'000, 'x')).empty());
}

TEST_CASE("text is quoted as TOML reads it") {
    CHECK(causeway::toml_quote("a\"b\\c\n\x7f") == R"("a\"b\\c\n\u007f")");
}

TEST_CASE("the checked-in references are those of the table (tools/options_doc writes both)") {
    CHECK(source_file("schemas/options.md") == causeway::options_markdown());
    const std::string manual = source_file("docs/man/causeway.toml.5");
    CHECK(manual.find(causeway::options_mdoc()) != std::string::npos);
}
