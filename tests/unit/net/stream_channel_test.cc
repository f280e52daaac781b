// StreamChannel at both ends of a simulated connection, with and without TLS: every cut of input,
// short writes, full pipes, closing from either side, and resets.
#include <doctest/doctest.h>

#include "tests/unit/net/channel_rig.h"

using namespace causeway;
using namespace causeway::test;

TEST_CASE("everything written arrives in order, in the clear and with TLS, however it is cut") {
    const std::string large = pattern(3000);
    for (const bool tls : {false, true}) {
        for (const std::size_t piece : {0UL, 1UL, 2UL, 7UL, 1000UL}) {
            CAPTURE(tls);
            CAPTURE(piece);
            Rig rig({.read_piece = piece, .write_piece = piece});
            rig.join();
            if (tls) {
                rig.start_tls();
                CHECK(rig.at_client.secured == 1);
                CHECK(rig.at_server.secured == 1);
                REQUIRE(rig.server->tls() != nullptr);
                CHECK(rig.server->tls()->version() == "TLSv1.3");
                CHECK(rig.server->kind() == TransportKind::direct_tls);
            }
            rig.client->write("<a/>");
            rig.client->write(large);
            rig.server->write("x");
            rig.server->write("<a longer text than fits inline/>");
            rig.run();
            rig.client->write("more");
            rig.run();
            CHECK(rig.at_server.received == "<a/>" + large + "more");
            CHECK(rig.at_client.received == "x<a longer text than fits inline/>");
            CHECK(rig.client->queued() == 0);
            CHECK(rig.at_client.drained >= 1);
            CHECK(rig.at_client.closed + rig.at_server.closed == 0);
        }
    }
}

TEST_CASE("what a turn writes leaves at its end, together") {
    Rig rig;
    rig.server->write("one ");
    rig.server->write("two ");
    rig.server->write("three, long enough for the heap");
    rig.loop.run_until_idle();
    CHECK(rig.read_client().empty());
    CHECK(rig.server->queued() == 39);
    rig.run();
    rig.client_socket->want_read();
    rig.run();
    CHECK(rig.read_client() == "one two three, long enough for the heap");
    CHECK(rig.at_server.drained == 1);
}

TEST_CASE(
    "a full pipe holds output back, queued() tells how much, and on_drained when it is gone") {
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        Rig rig({.capacity = 5000});
        rig.join();
        if (tls) rig.start_tls();
        rig.client->pause_reading();
        const std::string large = pattern(200'000);
        rig.server->write(large);
        rig.run();
        const int drained = rig.at_server.drained;
        CHECK(rig.server->queued() > 190'000);
        CHECK(rig.at_client.received.empty());
        rig.server->write("behind");
        rig.run();
        CHECK(rig.at_server.drained == drained);
        rig.client->resume_reading();
        rig.run();
        CHECK(rig.at_client.received == large + "behind");
        CHECK(rig.server->queued() == 0);
        CHECK(rig.at_server.drained > drained);
    }
}

TEST_CASE("STARTTLS: the go-ahead leaves in the clear, everything after it does not") {
    for (const std::size_t capacity : {100'000UL, 3UL, 1UL}) {
        CAPTURE(capacity);
        Rig rig({.capacity = capacity});
        rig.join();
        const std::string clear = "a banner that fills the pipe <proceed/>";
        rig.at_client.when_bytes = [&](std::string_view) {
            if (rig.at_client.received != clear) return;
            rig.client->start_tls(client_engine(), TransportKind::starttls);
        };
        rig.server->write("a banner that fills the pipe ");
        rig.run();
        rig.server->write("<proceed/>");
        rig.server->start_tls(server_engine(), TransportKind::starttls);
        rig.server->write("secret");
        rig.run();
        CHECK(rig.at_client.secured == 1);
        CHECK(rig.at_server.secured == 1);
        CHECK(rig.server->kind() == TransportKind::starttls);
        CHECK(rig.at_client.received == clear + "secret");
    }
}

TEST_CASE("close sends what is queued, then TLS and TCP end, then both owners hear of it") {
    for (const bool tls : {false, true}) {
        for (const std::size_t piece : {0UL, 1UL}) {
            CAPTURE(tls);
            Rig rig({.read_piece = piece});
            rig.join();
            if (tls) rig.start_tls();
            rig.server->write("last words");
            rig.server->close();
            rig.server->close();
            rig.server->write("too late");
            rig.run();
            CHECK(rig.at_client.received == "last words");
            CHECK(rig.at_client.closed == 1);
            CHECK(rig.at_client.reason.ok());
            CHECK(rig.at_server.closed == 1);
            CHECK(rig.at_server.reason.ok());
            CHECK(rig.net.connections() == 0);
        }
    }
}

TEST_CASE("a peer that never closes its side is left after close_wait") {
    Rig rig;
    rig.server->write("bye");
    rig.server->close();
    rig.run();
    rig.client_socket->write("still talking");
    rig.run();
    CHECK(rig.at_server.received.empty());
    rig.pass(StreamChannel::close_wait - Duration(20));
    CHECK(rig.at_server.closed == 0);
    rig.pass(Duration(40));
    CHECK(rig.at_server.closed == 1);
    CHECK(rig.at_server.reason.ok());
    rig.pass(StreamChannel::close_wait * 2);
    CHECK(rig.at_server.closed == 1);
}

TEST_CASE("a peer that closed only its own side still gets the answer") {
    {
        Rig rig({.capacity = 16});
        const std::string answer = pattern(1000);
        rig.at_server.when_bytes = [&](std::string_view) { rig.server->write(answer); };
        rig.client_socket->write("question");
        rig.client_socket->shutdown_write();
        rig.run();
        std::string got;
        for (int i = 0; i < 200; ++i) got += rig.read_client();
        CHECK(got == answer);
        CHECK(rig.at_server.closed == 1);
        CHECK(rig.at_server.reason.ok());
    }
    for (const std::size_t piece : {0UL, 1UL, 50UL}) {
        Rig rig({.read_piece = piece});
        rig.join();
        rig.start_tls();
        rig.at_server.when_bytes = [&](std::string_view) {
            rig.server->write("</stream:stream>");
            rig.server->close();
        };
        rig.client->write("</stream:stream>");
        rig.client->close();
        rig.run();
        CHECK(rig.at_server.received.starts_with("</"));
        CHECK(rig.at_server.closed == 1);
        CHECK(rig.at_client.closed == 1);
        CHECK(rig.at_server.reason.ok());
    }
}

TEST_CASE("a reset ends both sides with its reason") {
    for (const bool tls : {false, true}) {
        Rig rig;
        rig.join();
        if (tls) rig.start_tls();
        rig.net.cut(rig.at);
        rig.run();
        CHECK(rig.at_server.closed == 1);
        CHECK(rig.at_server.reason.cause() == Cause::retry);
        CHECK(rig.at_server.reason.why() == "connection reset");
        CHECK(rig.at_client.closed == 1);
        rig.server->write("x");
        rig.server->close();
        rig.server->resume_reading();
        rig.run();
        CHECK(rig.server->detach() == nullptr);
    }
    // Noticed while writing.
    Rig rig;
    rig.client_socket.reset();
    rig.server->write("x");
    rig.run();
    CHECK(rig.at_server.closed == 1);
}

TEST_CASE("a paused channel takes nothing from the system") {
    Rig rig({.capacity = 100});
    rig.server->pause_reading();
    rig.client_socket->write(std::string(100, 'x'));
    rig.run();
    CHECK(rig.at_server.deliveries == 0);
    CHECK(rig.client_socket->write("more").status == IoResult::Status::again);
    rig.server->resume_reading();
    rig.server->resume_reading();
    rig.run();
    CHECK(rig.at_server.received.size() == 100);
    CHECK(rig.client_socket->write("more").bytes == 4);
    rig.run();
    CHECK(rig.at_server.received.size() == 104);
}

TEST_CASE("what is no TLS is refused, and what was tampered with gets an alert") {
    {
        Rig rig;
        rig.server->start_tls(server_engine(), TransportKind::direct_tls);
        rig.client_socket->write("<?xml version='1.0'?>");
        rig.run();
        CHECK(rig.at_server.closed == 1);
        CHECK(rig.at_server.reason.cause() == Cause::refused);
        CHECK(rig.at_server.reason.why().starts_with("TLS: "));
        CHECK(rig.read_client().empty());
    }
    {
        Rig rig;
        rig.join();
        rig.start_tls();
        // Behind the TLS of the client's end: bytes that no key made.
        auto detached = rig.client->detach();
        REQUIRE(detached != nullptr);
        const auto socket = rig.net.adopt(std::exchange(detached->descriptor, -1));
        socket->write(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
        rig.run();
        CHECK(rig.at_server.closed == 1);
        CHECK(rig.at_server.reason.cause() == Cause::malformed);
        CHECK(rig.at_server.received.empty());
        char alert[100];
        CHECK(socket->read(alert).bytes > 5);
    }
    {
        Rig rig;
        rig.server->start_tls(server_engine(), TransportKind::direct_tls);
        rig.client_socket->write("\x16\x03");
        rig.client_socket->shutdown_write();
        rig.run();
        CHECK(rig.at_server.closed == 1);
        CHECK(rig.at_server.secured == 0);
    }
}

TEST_CASE("closing in the middle of a handshake does not wait for it") {
    Rig rig;
    rig.server->start_tls(server_engine(), TransportKind::direct_tls);
    rig.server->write("never sent in the clear");
    rig.server->close();
    rig.run();
    CHECK(rig.read_client().empty());
    char buffer[10];
    CHECK(rig.client_socket->read(buffer).status == IoResult::Status::end);
    rig.client_socket.reset();
    rig.run();
    CHECK(rig.at_server.closed == 1);
}

TEST_CASE("a peer that asks for key updates and reads no answer is cut off") {
    Rig rig({.capacity = 4096});
    rig.server->start_tls(server_engine(), TransportKind::direct_tls);
    TlsEngine engine(Contexts::get().client.get(), Role::client, nullptr, "a.test");
    std::string out;
    TlsEngine::Status status = engine.handshake(out);
    std::string in;
    for (int i = 0; i < 10 && status == TlsEngine::Status::want_input; ++i) {
        rig.client_socket->write(std::exchange(out, {}));
        rig.run();
        in += rig.read_client();
        const std::string records = in.substr(0, TlsEngine::whole_records(in));
        in.erase(0, records.size());
        engine.set_input(records);
        status = engine.handshake(out);
    }
    REQUIRE(status == TlsEngine::Status::done);
    for (int i = 0; i < 50'000 && rig.at_server.closed == 0; ++i) {
        REQUIRE(SSL_key_update(engine.native(), SSL_KEY_UPDATE_REQUESTED) == 1);
        REQUIRE(engine.encrypt("x", out) == TlsEngine::Status::done);
        rig.client_socket->write(std::exchange(out, {}));
        rig.run();
    }
    CHECK(rig.at_server.secured == 1);
    CHECK(rig.at_server.closed == 1);
    CHECK(rig.at_server.reason.cause() == Cause::policy);
    // It was heard for a while, so the bound is not on key updates as such.
    CHECK(rig.at_server.received.size() > 1000);
}

TEST_CASE("the owner may condemn the channel in any callback") {
    for (const bool tls : {false, true}) {
        for (const char* when : {"bytes", "secured"}) {
            Rig rig;
            rig.join();
            const auto condemn = [&] {
                if (rig.server == nullptr) return;
                rig.server->set_handler(nullptr);
                rig.shards[0].condemn(std::move(rig.server));
            };
            if (std::string_view(when) == "secured") {
                rig.at_server.when_secured = condemn;
            } else {
                rig.at_server.when_bytes = [&](std::string_view) { condemn(); };
            }
            if (tls) rig.start_tls();
            rig.client->write("one");
            rig.shards[0].turn(Duration::zero());
            rig.client->write("two");
            rig.run();
            if (tls || std::string_view(when) == "bytes") {
                CHECK(rig.server == nullptr);
                CHECK(rig.at_client.closed == 1);
            }
            CHECK(rig.at_server.closed == 0);
        }
    }
}
