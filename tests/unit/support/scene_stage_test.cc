#include "tests/support/scene_stage.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "gateway/features/registry.h"

using namespace causeway;
using namespace causeway::scene;

namespace {

/// Why a scene of two servers with that last step fails; empty if it does not.
std::string failure_of(const std::string& step) {
    static const bool declared = (declare_feature_options(), true);
    static SceneCertificates certificates;
    static const TestDirectory directory;
    CHECK(declared);
    const std::string path = directory.path_of("one.scene");
    std::ofstream(path) << "[server] a.test\n[server] b.test\n[client] Juliet juliet@a.test/x\n"
                           "Juliet connects\nserver b.test goes down\n"
                        << step << '\n';
    const Mode mode;
    const auto world = make_simulated_world(mode);
    Stage stage(*world, certificates, mode);
    try {
        stage.play(read_scenes(path).at(0));
        return {};
    } catch (const std::exception& failure) {
        return failure.what();
    }
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("scene player: a step that needs a server that is down fails, and no more") {
    for (const char* step :
         {"server b.test shuts down", "server b.test is told: domain.services = []",
          "server b.test explains m1: never", "the link from b.test to a.test is: state up",
          "b.test has counted 1 carbons_copies sent",
          "the administrator of b.test types access list romeo@b.test",
          "the administrator of b.test closes the streams with a.test",
          "the administrator of b.test tries a.test again"}) {
        CAPTURE(step);
        CHECK(contains(failure_of(step), "that server is down"));
    }
    CHECK(failure_of("server b.test comes back").empty());
}

TEST_CASE("scene player: what is no verb is an answer, and no end of the player") {
    CHECK(contains(failure_of("the administrator of a.test types frob juliet@a.test"),
                   "error: there is no such verb"));
    CHECK(contains(failure_of("the administrator of a.test types user show a b c"),
                   "error: too many arguments"));
}
