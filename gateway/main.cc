// The server's program: its command line.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "gateway/base/version.h"
#include "gateway/features/registry.h"
#include "gateway/server/process.h"

int main(int argc, char** argv) {
    CLI::App app{"A federated XMPP server; see causeway(8) and causeway.toml(5)"};
    std::string config_path;
    bool check = false;
    app.add_option("--config", config_path, "The TOML configuration file")->required();
    app.add_flag(
        "--check", check,
        "Check it, the certificates and the store, print the result and exit; change nothing");
    app.set_version_flag("--version", fmt::format("causeway {}", causeway::version_text));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    causeway::declare_feature_options();
    return causeway::run_process(config_path, check);
}
