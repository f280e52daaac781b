// Each namespace that the server knows has an XML schema, or a reason why not.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

std::filesystem::path root() {
    const char* const given = std::getenv("CAUSEWAY_SOURCE_ROOT");
    return given == nullptr ? "." : given;
}

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

/// What the two groups of a pattern found, wherever it fits.
std::map<std::string, std::string> pairs_in(const std::string& text, const char* pattern) {
    const std::regex expression(pattern);
    std::map<std::string, std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
        found.emplace((*at)[1], (*at)[2]);
    }
    return found;
}

/// The namespace of each file; empty for one that others include.
std::map<std::string, std::string> schemas() {
    std::map<std::string, std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(root() / "schemas/xml")) {
        const std::string text = content_of(entry.path());
        std::smatch target;
        const bool has_one = std::regex_search(text, target, std::regex("targetNamespace='(.*?)'"));
        found.emplace(entry.path().stem(), has_one ? target[1].str() : std::string{});
    }
    return found;
}

}  // namespace

TEST_CASE("schemas: each namespace has the schema of its name, or a reason why it has none") {
    const auto namespaces = pairs_in(content_of(root() / "gateway/xml/ns.h"),
                                     R"re(string_view ([a-z0-9_]+) =\s+"([^"]+)")re");
    const auto reasons = pairs_in(content_of(root() / "schemas/README.md"),
                                  R"re(\n\| `([a-z]+:[^`]+)` \| ([^|\n]+) \|)re");
    const auto files = schemas();
    REQUIRE(namespaces.size() > 50);
    for (const auto& [name, ns] : namespaces) {
        CAPTURE(name);
        CAPTURE(ns);
        const auto file = files.find(name);
        CHECK((file != files.end()) != reasons.contains(ns));
        if (file != files.end()) CHECK(file->second == ns);
    }
}

TEST_CASE("schemas: no two are for one namespace, and no reason is left over") {
    const auto namespaces = pairs_in(content_of(root() / "gateway/xml/ns.h"),
                                     R"re(string_view ([a-z0-9_]+) =\s+"([^"]+)")re");
    std::set<std::string> known;
    for (const auto& [name, ns] : namespaces) known.insert(ns);
    for (const auto& [ns, why] : pairs_in(content_of(root() / "schemas/README.md"),
                                          R"re(\n\| `([a-z]+:[^`]+)` \| ([^|\n]+) \|)re")) {
        CAPTURE(ns);
        CHECK(known.contains(ns));
    }
    std::set<std::string> described;
    for (const auto& [file, ns] : schemas()) {
        CAPTURE(file);
        CHECK((ns.empty() || described.insert(ns).second));
    }
}
