// The way of a StreamChannel from one shard to another, and what holds it on the way.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/net/channel_rig.h"

using namespace causeway;
using namespace causeway::test;

TEST_CASE("a connection moves to another shard at any byte, and nothing is lost or seen twice") {
    const std::string text = pattern(120);
    for (const bool tls : {false, true}) {
        for (const std::size_t piece : {1UL, 10UL, 0UL}) {
            for (std::size_t seen = 0; seen < text.size(); seen += tls ? 30 : 7) {
                CAPTURE(tls);
                CAPTURE(piece);
                CAPTURE(seen);
                Rig rig({.read_piece = piece});
                rig.join();
                if (tls) rig.start_tls();
                // Records of 30 bytes, so that a read brings several.
                for (std::size_t i = 0; i < text.size(); i += 30) {
                    rig.client->write(text.substr(i, 30));
                    rig.shards[0].turn(Duration::zero());
                }
                std::unique_ptr<DetachedChannel> moving;
                rig.at_server.when_bytes = [&](std::string_view) {
                    if (moving != nullptr || rig.at_server.received.size() <= seen) return;
                    rig.server->write("written before the move ");
                    rig.server->hold();
                    moving = rig.server->detach();
                };
                rig.run();
                REQUIRE(moving != nullptr);
                CHECK(rig.at_server.received == text.substr(0, rig.at_server.received.size()));
                const int before = rig.at_server.deliveries;
                rig.server.reset();

                Recorder there;
                StreamChannel adopted(rig.shards[1], rig.net, std::move(*moving));
                adopted.set_handler(&there);
                CHECK(there.deliveries == 0);
                rig.run();
                CHECK(rig.at_server.deliveries == before);
                CHECK(rig.at_server.received + there.received == text);
                adopted.write("and after");
                rig.client->write("!");
                rig.run();
                CHECK(there.received.ends_with("!"));
                CHECK(rig.at_client.received == "written before the move and after");
                CHECK(adopted.remote() == rig.server_address);
                CHECK((adopted.tls() != nullptr) == tls);
            }
        }
    }
}

TEST_CASE("what comes between hold and detach goes along; so does output that waits") {
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        Rig rig({.capacity = 600});
        rig.join();
        if (tls) rig.start_tls();
        rig.client->pause_reading();
        const std::string large = pattern(5000);
        rig.server->write(large);
        rig.run();
        rig.server->write("behind");
        rig.at_server.when_bytes = [&](std::string_view) { rig.server->hold(); };
        for (const char* part : {"one", "two", "three"}) {
            rig.client->write(part);
            rig.shards[0].turn(Duration::zero());
        }
        rig.run();
        rig.client->write("four");
        rig.run();
        auto moving = rig.server->detach();
        REQUIRE(moving != nullptr);
        CHECK(moving->remote == rig.server->remote());
        rig.server->close();
        rig.run();
        CHECK(rig.at_server.closed == 0);
        CHECK(rig.server->detach() == nullptr);

        Recorder there;
        auto adopted = std::make_unique<StreamChannel>(rig.shards[1], rig.net, std::move(*moving));
        rig.run();
        CHECK(there.received.empty());
        adopted->set_handler(&there);
        rig.client->resume_reading();
        rig.run();
        CHECK(rig.at_server.received + there.received == "onetwothreefour");
        CHECK(rig.at_client.received == large + "behind");
        adopted->close();
        rig.run();
        CHECK(there.closed == 1);
    }
}

TEST_CASE("a held channel that stays after all delivers what it kept") {
    for (const bool tls : {false, true}) {
        Rig rig;
        rig.join();
        if (tls) rig.start_tls();
        rig.at_server.when_bytes = [&](std::string_view) {
            if (rig.at_server.deliveries == 1) rig.server->hold();
        };
        rig.client->write("one ");
        rig.shards[0].turn(Duration::zero());
        rig.client->write("two ");
        rig.run();
        rig.client->write("three");
        rig.run();
        if (tls) CHECK(rig.at_server.received == "one ");
        rig.server->resume_reading();
        rig.run();
        CHECK(rig.at_server.received == "one two three");
    }
}

TEST_CASE("a held channel tells of the peer's end behind what came before it") {
    for (const bool moves : {false, true}) {
        CAPTURE(moves);
        Rig rig;
        rig.join();
        rig.start_tls();
        rig.at_server.when_bytes = [&](std::string_view) {
            if (rig.at_server.deliveries == 1) rig.server->hold();
        };
        rig.client->write("one ");
        rig.shards[0].turn(Duration::zero());
        rig.client->write("two");
        rig.client->close();
        rig.run();
        CHECK(rig.at_server.received == "one ");
        CHECK(rig.at_server.closed == 0);
        Recorder there;
        std::unique_ptr<StreamChannel> adopted;
        if (moves) {
            auto moving = rig.server->detach();
            REQUIRE(moving != nullptr);
            adopted = std::make_unique<StreamChannel>(rig.shards[1], rig.net, std::move(*moving));
            adopted->set_handler(&there);
        } else {
            rig.server->resume_reading();
        }
        rig.run();
        CHECK(rig.at_server.received + there.received == "one two");
        CHECK(rig.at_server.closed + there.closed == 1);
    }
}

TEST_CASE("a connection that cannot be taken over ends") {
    Rig rig;
    DetachedChannel gone;  // a descriptor that is none
    gone.undelivered = "text";
    Recorder there;
    StreamChannel adopted(rig.shards[1], rig.net, std::move(gone));
    adopted.set_handler(&there);
    adopted.write("x");
    adopted.close();
    rig.run();
    CHECK(there.closed == 1);
    CHECK(there.reason.cause() == Cause::retry);
    CHECK(there.received.empty());
}

TEST_CASE("a descriptor that nobody adopts is closed") {
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    {
        DetachedChannel first;
        first.descriptor = ends[0];
        const DetachedChannel second(std::move(first));
        CHECK(::fcntl(ends[0], F_GETFD) >= 0);
    }
    CHECK(::fcntl(ends[0], F_GETFD) < 0);
    ::close(ends[1]);
}
