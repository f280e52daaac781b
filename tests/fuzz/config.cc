// Any text as a configuration: it is read or refused, and never ends the process. Also checks that
// a refusal places each problem, and that the difference of a configuration with itself is empty.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/config/diff.h"
#include "gateway/config/load.h"

namespace {

/// A fuzzer notices an abort; a wrong answer must be one.
void require(bool right) {
    if (!right) std::abort();
}

/// Every line of a refusal begins with the file's name.
void require_places(std::string_view text) {
    require(!text.empty());
    while (!text.empty()) {
        require(text.starts_with("f.toml:"));
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto config = causeway::parse_config(text, "f.toml");
    if (!config) {
        require(config.error().cause() == causeway::Cause::malformed);
        require_places(config.error().why());
        return 0;
    }
    require(!config->domains.empty());
    for (const auto& domain : config->domains) require(!domain.name.empty());
    require(causeway::diff(*config, *config).empty());
    require(causeway::diff(causeway::Config{}, *config).size() >= config->domains.size());
    return 0;
}
