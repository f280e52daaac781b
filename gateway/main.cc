// The server's program: its command line.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "gateway/base/version.h"
#include "gateway/features/registry.h"
#include "gateway/server/process.h"

int main(int argc, char** argv) {
    CLI::App app{"Causeway: a federated XMPP server at the edge of its domain"};
    std::string config_path;
    bool check = false;
    app.add_option("--config", config_path, "The TOML configuration file")->required();
    app.add_flag(
        "--check", check,
        "Look at it, the certificates and the store, report, and exit; nothing is changed");
    app.set_version_flag("--version", fmt::format("causeway {}", causeway::version_text));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    causeway::declare_feature_options();
    return causeway::run_process(config_path, check);
}
