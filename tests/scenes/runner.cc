// Plays conversations and reports in TAP, one line a scene:
//
//     scenes [--sockets] [--shards N] [--split] [--piece N] [--log] [--only TEXT]
//            [--first-failure] [--again N] PATH...
//
// A path is a file, or a folder whose *.scene files are played in the order of their names.
// The simulation is the default; --sockets plays what needs no simulated time over loopback.
// --split sends everything one byte at a time, --piece lets the simulated network move so many
// bytes at once. A scene that fails tells where, what was expected and what came; --first-failure
// ends with the first one. With --again up to N scenes that fail are played once more, and fail
// only if they do so again: over sockets two connections have no common order, and a scene may have
// forgotten to wait. What failed the first time is told all the same. Exit status 1 if any did.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/features/registry.h"
#include "tests/support/scene_stage.h"

namespace {

using namespace causeway;
using namespace causeway::scene;

struct Arguments {
    Mode mode;
    std::string only;
    bool log = false;
    bool first_failure = false;
    std::size_t again = 0;  ///< scenes that may be played once more
    std::vector<std::string> files;
};

/// The file itself, or the scenes of a folder.
std::vector<std::string> files_of(const std::string& path) {
    if (!std::filesystem::is_directory(path)) return {path};
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
        if (entry.path().extension() == ".scene") files.push_back(entry.path().string());
    }
    std::ranges::sort(files);
    return files;
}

Arguments read_arguments(const std::vector<std::string>& given) {
    Arguments arguments;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const auto value = [&] {
            if (++i == given.size()) throw std::runtime_error(given[i - 1] + " needs a value");
            return given[i];
        };
        if (given[i] == "--sockets") {
            arguments.mode.sockets = true;
        } else if (given[i] == "--split") {
            arguments.mode.split_input = true;
        } else if (given[i] == "--log") {
            arguments.log = true;
        } else if (given[i] == "--first-failure") {
            arguments.first_failure = true;
        } else if (given[i] == "--shards") {
            arguments.mode.shards = static_cast<unsigned>(std::stoul(value()));
        } else if (given[i] == "--piece") {
            arguments.mode.piece = std::stoul(value());
        } else if (given[i] == "--again") {
            arguments.again = std::stoul(value());
        } else if (given[i] == "--only") {
            arguments.only = value();
        } else if (given[i].starts_with("--")) {
            throw std::runtime_error("unknown option " + given[i]);
        } else {
            std::ranges::copy(files_of(given[i]), std::back_inserter(arguments.files));
        }
    }
    return arguments;
}

/// Why it failed; empty if it did not.
std::string play(const Scene& scene, const Mode& mode, SceneCertificates& certificates) {
    try {
        const TestDirectory directory;
        const auto world = mode.sockets ? make_socket_world(mode, directory.path_of({}))
                                        : make_simulated_world(mode);
        Stage stage(*world, certificates, mode);
        stage.play(scene);
        return {};
    } catch (const std::exception& failure) {
        return failure.what();
    }
}

std::string commented(const std::string& text) {
    std::string out = "# ";
    for (const char c : text) {
        out += c;
        if (c == '\n') out += "# ";
    }
    return out;
}

int run(Arguments arguments) {
    std::vector<Scene> scenes;
    for (const std::string& file : arguments.files) {
        for (Scene& scene : read_scenes(file)) {
            if (scene.name.find(arguments.only) != std::string::npos) {
                scenes.push_back(std::move(scene));
            }
        }
    }
    if (scenes.empty()) throw std::runtime_error("there is no scene to play");
    if (arguments.log) log::configure(log::Level::debug, false);
    SceneCertificates certificates;
    SceneSchemas schemas(CAUSEWAY_SCHEMAS);
    arguments.mode.schemas = &schemas;
    fmt::print("1..{}\n", scenes.size());
    std::size_t number = 0;
    std::size_t failed = 0;
    for (const Scene& scene : scenes) {
        ++number;
        if (const auto missing = Stage::missing(scene, arguments.mode); !missing.empty()) {
            fmt::print("ok {} {} # SKIP {}\n", number, scene.name, missing);
            continue;
        }
        std::string why = play(scene, arguments.mode, certificates);
        if (!why.empty() && arguments.again > 0) {
            --arguments.again;
            fmt::print("# once more: {}\n{}\n", scene.name, commented(why));
            why = play(scene, arguments.mode, certificates);
        }
        fmt::print("{} {} {}\n", why.empty() ? "ok" : "not ok", number, scene.name);
        if (!why.empty()) fmt::print("{}\n", commented(why));
        failed += why.empty() ? 0 : 1;
        std::fflush(stdout);
        if (failed != 0 && arguments.first_failure) break;
    }
    fmt::print("# {} of {} scenes failed\n", failed, scenes.size());
    if (arguments.log) log::stop();
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    causeway::declare_feature_options();
    try {
        return run(read_arguments({argv + 1, argv + argc}));
    } catch (const std::exception& error) {
        fmt::print("Bail out! {}\n", error.what());
        return 1;
    }
}
