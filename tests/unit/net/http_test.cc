// HttpConnection over a Channel in memory: every answer of its table, the bounds, and the upgrade.
#include <doctest/doctest.h>

#include "gateway/net/http_connection.h"
#include "tests/support/memory_channel.h"
#include "tests/support/sim_clock.h"
#include "tests/support/websocket_frames.h"

using namespace causeway;

namespace {

struct Listener {
    Listener() {
        settings.domains = {"a.test", "xn--bcher-kva.test"};
        settings.origins = {"https://chat.a.test"};
    }
    void connect() {
        auto channel = std::make_unique<MemoryChannel>(shard, wire);
        connection = std::make_unique<HttpConnection>(
            shard, std::move(channel), std::make_shared<const HttpSettings>(settings),
            [this](std::unique_ptr<Channel> made) { upgraded = std::move(made); },
            [this](HttpConnection& which) {
                ++finished;
                CHECK(&which == connection.get());
                shard.condemn(std::move(connection));
            });
    }
    void run() {
        for (int quiet = 0; quiet < 2;) quiet = shard.turn(Duration::zero()) == 0 ? quiet + 1 : 0;
    }
    /// What one request, or part of one, brings.
    std::string ask(std::string_view bytes) {
        if (connection == nullptr) connect();
        wire->channel->receive(bytes);
        run();
        return std::exchange(wire->sent, {});
    }

    SimClock clock;
    Shard shard{0, 1, clock};
    std::shared_ptr<MemoryChannel::Wire> wire = std::make_shared<MemoryChannel::Wire>();
    HttpSettings settings;
    std::unique_ptr<HttpConnection> connection;
    std::unique_ptr<Channel> upgraded;
    int finished = 0;
};

std::string get(std::string_view path, std::string_view host = "a.test:5281") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::string body_of(std::string_view response) {
    return std::string(response.substr(response.find("\r\n\r\n") + 4));
}

constexpr std::string_view upgrade_request =
    "GET /xmpp-websocket HTTP/1.1\r\n"
    "Host: a.test\r\n"
    "Upgrade: WebSocket\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: other, xmpp\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Origin: https://chat.a.test\r\n"
    "\r\n";

std::string changed(std::string_view from, std::string_view to) {
    std::string text(upgrade_request);
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("host-meta tells where the WebSocket is, in both forms and to everybody") {
    Listener listener;
    const std::string xml = listener.ask(get("/.well-known/host-meta"));
    CHECK(xml.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(contains(xml, "Content-Type: application/xrd+xml"));
    CHECK(contains(xml, "Access-Control-Allow-Origin: *\r\n"));
    CHECK(contains(xml, "X-Content-Type-Options: nosniff\r\n"));
    CHECK(contains(xml, "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"));
    CHECK(body_of(xml) ==
          "<?xml version='1.0' encoding='utf-8'?>\n"
          "<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>"
          "<Link rel='urn:xmpp:alt-connections:websocket' "
          "href='wss://a.test:5281/xmpp-websocket'/></XRD>\n");
    CHECK(contains(xml, "Content-Length: " + std::to_string(body_of(xml).size()) + "\r\n"));

    const std::string json = listener.ask(get("/.well-known/host-meta.json"));
    CHECK(json.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(contains(json, "Content-Type: application/json\r\n"));
    CHECK(contains(json, "Access-Control-Allow-Origin: *\r\n"));
    CHECK(body_of(json) ==
          "{\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\","
          "\"href\":\"wss://a.test:5281/xmpp-websocket\"}]}\n");

    // HEAD: the same without the body.
    std::string head = get("/.well-known/host-meta.json").replace(0, 3, "HEAD");
    const std::string without = listener.ask(head);
    CHECK(without + body_of(json) == json);
}

TEST_CASE("the Host header chooses among the served domains and names no other") {
    const auto href_for = [](std::string_view host, std::uint16_t public_port) {
        Listener listener;
        listener.settings.public_port = public_port;
        const std::string body = body_of(listener.ask(get("/.well-known/host-meta", host)));
        const std::size_t from = body.find("href='") + 6;
        return body.substr(from, body.find('\'', from) - from);
    };
    CHECK(href_for("a.test", 0) == "wss://a.test/xmpp-websocket");
    CHECK(href_for("A.TEST.:443", 0) == "wss://a.test/xmpp-websocket");
    CHECK(href_for("xn--bcher-kva.test:8443", 0) == "wss://xn--bcher-kva.test:8443/xmpp-websocket");
    CHECK(href_for("xn--bcher-kva.test:8443", 5281) ==
          "wss://xn--bcher-kva.test:5281/xmpp-websocket");
    CHECK(href_for("evil.test", 5281) == "wss://a.test:5281/xmpp-websocket");
    CHECK(href_for("a.test:", 0) == "wss://a.test/xmpp-websocket");
    CHECK(href_for("[::1]:81", 0) == "wss://a.test:81/xmpp-websocket");
    CHECK(href_for("[v7.x:y]:81", 0) == "wss://a.test:81/xmpp-websocket");
    CHECK(href_for("a%2etest", 0) == "wss://a.test/xmpp-websocket");
    CHECK(href_for("'&;x", 0) == "wss://a.test/xmpp-websocket");
    CHECK(href_for("", 0) == "wss://a.test/xmpp-websocket");
}

TEST_CASE("a Host header that is missing, doubled or invalid is refused (RFC 9112 3.2)") {
    std::vector<std::string> hosts{"", "Host: a.test\r\nHost: a.test\r\n"};
    for (const char* value : {"a.test:99999", "a.test:80x", "a.test:80:80", "a.test:-1", "[::1",
                              "[::1]x", "[a.test]", "[fe80::1%25eth0]", "[v.x]", "::1", "'><x",
                              "a test", "user@a.test", "a.test/x", "a%2", "a%zz", "a\\b",
                              "b\xc3\xbc"
                              "cher.test"}) {
        hosts.push_back(std::string("Host: ") + value + "\r\n");
    }
    for (const std::string& host : hosts) {
        CAPTURE(host);
        Listener listener;
        const std::string response = listener.ask(changed("Host: a.test\r\n", host));
        CHECK(response.starts_with("HTTP/1.1 400 "));
        CHECK(listener.upgraded == nullptr);
        for (const char* path : {"/.well-known/host-meta", "/nothing"}) {
            Listener other;
            CHECK(other.ask("GET " + std::string(path) + " HTTP/1.1\r\n" + host + "\r\n")
                      .starts_with("HTTP/1.1 400 "));
        }
    }
}

TEST_CASE("only exact paths exist") {
    Listener listener;
    for (const char* path :
         {"/", "/xmpp-websocket//", "/XMPP-websocket", "/xmpp-websocket/x?y", "/xmpp%2Dwebsocket",
          "//xmpp-websocket", "/./xmpp-websocket", "/.well-known/host-meta.xml",
          "/.well-known/../xmpp-websocket", "*", "http://a.test/xmpp-websocket", "/%u002e%u002e"}) {
        CAPTURE(path);
        const std::string response = listener.ask(get(path));
        CHECK(response.starts_with("HTTP/1.1 404 Not Found\r\n"));
        CHECK(contains(response, "Content-Type: text/plain"));
        CHECK(contains(response, "nosniff"));
        CHECK_FALSE(contains(response, path[1] == '\0' ? "<" : path));
    }
    CHECK_FALSE(listener.wire->closing);
}

TEST_CASE("a query, and a slash behind the path of the WebSocket, are passed over") {
    for (const char* query : {"", "?", "?room=lobby&token=a/b", "?a?b"}) {
        CAPTURE(query);
        Listener listener;
        const std::string document =
            listener.ask(get(std::string("/.well-known/host-meta") + query));
        CHECK(document.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK_FALSE(contains(document, "lobby"));
        for (const std::string path : {"/xmpp-websocket", "/xmpp-websocket/"}) {
            Listener upgrading;
            const std::string request = changed("/xmpp-websocket ", path + query + " ");
            CHECK(upgrading.ask(request).starts_with("HTTP/1.1 101 "));
            CHECK(upgrading.upgraded != nullptr);
        }
    }
}

TEST_CASE("methods that do not fit are told which do") {
    Listener listener;
    std::string response = listener.ask(get("/.well-known/host-meta").replace(0, 3, "DELETE"));
    CHECK(response.starts_with("HTTP/1.1 405 "));
    CHECK(contains(response, "Allow: GET, HEAD\r\n"));
    response = listener.ask(get("/xmpp-websocket").replace(0, 3, "OPTIONS"));
    CHECK(response.starts_with("HTTP/1.1 405 "));
    CHECK(contains(response, "Allow: GET\r\n"));
    response = listener.ask(get("/xmpp-websocket").replace(0, 3, "HEAD"));
    CHECK(response.starts_with("HTTP/1.1 405 "));
    CHECK(response.ends_with("\r\n\r\n"));
}

TEST_CASE("a request is understood however it is cut, and several in a row are answered in order") {
    const std::string bytes = get("/nothing") + get("/.well-known/host-meta") +
                              get("/xmpp-websocket") + get("/.well-known/host-meta.json");
    std::string whole;
    {
        Listener listener;
        whole = listener.ask(bytes);
    }
    CHECK(contains(whole, "404"));
    for (std::size_t piece = 1; piece < 80; ++piece) {
        Listener listener;
        std::string answers;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            answers += listener.ask(std::string_view(bytes).substr(at, piece));
        }
        CHECK(answers == whole);
    }
}

TEST_CASE("persistence is the client's choice, up to a number of requests") {
    {
        Listener listener;
        const std::string response =
            listener.ask("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        CHECK(contains(response, "Connection: close\r\n"));
        CHECK(listener.wire->closing);
        CHECK(listener.finished == 0);
        listener.wire->channel->end();
        CHECK(listener.finished == 1);
    }
    {
        Listener listener;
        CHECK(contains(listener.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                       "Connection: close\r\n"));
        CHECK(listener.wire->closing);
    }
    Listener listener;
    std::string many;
    for (unsigned i = 0; i < HttpConnection::request_limit + 5; ++i) many += get("/");
    const std::string answers = listener.ask(many);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = answers.find("404 Not Found", at)) != std::string::npos; ++at) {
        ++count;
    }
    CHECK(count == HttpConnection::request_limit);
    CHECK(answers.find("Connection: close") > answers.size() - 250);
    CHECK(listener.wire->closing);
}

TEST_CASE("what is no request of ours is refused with its status, and the connection closed") {
    struct Bad {
        std::string bytes;
        const char* status;
    };
    const std::string long_line = "GET /" + std::string(9000, 'x');
    std::string many_fields = "GET / HTTP/1.1\r\nHost: a.test\r\n";
    for (int i = 0; i < 1000; ++i) many_fields += "X-Field: something\r\n";
    const std::vector<Bad> requests{
        {"<?xml version='1.0'?><stream:stream>\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost a.test\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "413"},
        {"POST /xmpp-websocket HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "413"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {long_line, "431"},
        {many_fields, "431"},
    };
    for (const Bad& bad : requests) {
        for (const std::size_t piece : {bad.bytes.size(), std::size_t{100}, std::size_t{19}}) {
            CAPTURE(bad.bytes.substr(0, 60));
            CAPTURE(piece);
            Listener listener;
            std::string response;
            for (std::size_t at = 0; at < bad.bytes.size(); at += piece) {
                response += listener.ask(std::string_view(bad.bytes).substr(at, piece));
            }
            CHECK(response.starts_with(std::string("HTTP/1.1 ") + bad.status));
            CHECK(response.find("HTTP/1.1", 9) == std::string::npos);
            CHECK(contains(response, "Connection: close\r\n"));
            CHECK(listener.wire->closing);
        }
    }
    Listener listener;
    CHECK(listener.ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
    CHECK(
        listener.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_CASE("the deadline is absolute") {
    Listener listener;
    listener.settings.deadline = Duration(1000);
    for (int i = 0; i < 9; ++i) {
        CHECK(listener.ask(get("/")).starts_with("HTTP/1.1 404 "));
        listener.clock.advance(Duration(100));
    }
    listener.ask("GET / HT");
    CHECK_FALSE(listener.wire->closing);
    listener.clock.advance(Duration(120));
    listener.run();
    CHECK(listener.wire->closing);
    CHECK(listener.finished == 0);
    listener.wire->channel->end();
    CHECK(listener.finished == 1);
    listener.run();
    CHECK(listener.wire->channel == nullptr);
}

TEST_CASE("an upgrade that is not one gets the status that says why") {
    struct Wrong {
        std::string bytes;
        const char* status;
        const char* says;
    };
    const std::vector<Wrong> requests{
        {get("/xmpp-websocket"), "426", "Upgrade: websocket\r\n"},
        {changed("Upgrade: WebSocket\r\n", ""), "426", "Connection: Upgrade\r\n"},
        {changed("keep-alive, Upgrade", "keep-alive"), "426", "Sec-WebSocket-Version: 13\r\n"},
        {changed("Version: 13", "Version: 8"), "426", "Sec-WebSocket-Version: 13\r\n"},
        {changed("Sec-WebSocket-Version: 13\r\n", ""), "426", "Sec-WebSocket-Version: 13\r\n"},
        {changed("HTTP/1.1", "HTTP/1.0"), "426", "websocket"},
        {changed("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"), "400", "Sec-WebSocket-Key"},
        {changed("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all"), "400", "Sec-WebSocket-Key"},
        {changed("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), "400", "Key"},
        {changed("other, xmpp", "other"), "400", "xmpp"},
        {changed("Sec-WebSocket-Protocol: other, xmpp\r\n", ""), "400", "RFC 7395"},
        {changed("https://chat.a.test", "https://evil.test"), "403", "origin"},
        {changed("https://chat.a.test", "null"), "403", "origin"},
        {std::string(upgrade_request) + "frames", "400", "before its answer"},
    };
    for (const Wrong& wrong : requests) {
        CAPTURE(wrong.bytes);
        Listener listener;
        const std::string response = listener.ask(wrong.bytes);
        CHECK(response.starts_with(std::string("HTTP/1.1 ") + wrong.status));
        CHECK(contains(response, wrong.says));
        CHECK_FALSE(listener.upgraded);
    }
}

TEST_CASE("the upgrade hands on a channel of messages, and the connection is finished") {
    for (const std::string& request :
         {std::string(upgrade_request), changed("Origin: https://chat.a.test\r\n", ""),
          changed("Sec-WebSocket-Protocol: other, xmpp",
                  "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: xmpp")}) {
        Listener listener;
        listener.settings.message_limit = 100;
        const std::string response = listener.ask(request);
        CHECK(response.starts_with("HTTP/1.1 101 "));
        CHECK(contains(response, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        REQUIRE(listener.upgraded != nullptr);
        CHECK(listener.finished == 1);
        CHECK(listener.connection == nullptr);
        // The deadline of HTTP is over as well: the stream has its own.
        listener.clock.advance(listener.settings.deadline * 2);
        listener.run();
        CHECK_FALSE(listener.wire->closing);

        CHECK(listener.upgraded->kind() == TransportKind::websocket);
        listener.upgraded->write("<open/>");
        listener.run();
        const auto frames = take_server_frames(listener.wire->sent);
        REQUIRE(frames.has_value());
        CHECK(*frames == std::vector<Frame>{{FrameKind::text, "<open/>"}});
        listener.wire->channel->receive(client_frame(FrameKind::text, std::string(101, 'x')));
        listener.run();
        CHECK(listener.wire->closing);
    }
    Listener listener;
    listener.settings.origins.clear();
    listener.ask(get("/.well-known/host-meta"));
    listener.ask(changed("https://chat.a.test", "https://anywhere.test"));
    CHECK(listener.upgraded != nullptr);
}

TEST_CASE("behind a proxy, the last address of X-Forwarded-For is the client's") {
    const auto remote = [](std::string_view lines, bool behind_proxy = true) {
        Listener listener;
        listener.settings.behind_proxy = behind_proxy;
        listener.ask(
            changed("Upgrade: WebSocket\r\n", "Upgrade: WebSocket\r\n" + std::string(lines)));
        REQUIRE(listener.upgraded != nullptr);
        return listener.upgraded->remote().address().to_string();
    };
    const std::string proxy = remote("");
    CHECK(remote("X-Forwarded-For: 192.0.2.7\r\n") == "192.0.2.7");
    CHECK(remote("x-forwarded-for: 10.0.0.1, 192.0.2.7 \r\n") == "192.0.2.7");
    CHECK(remote("X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 2001:db8::7\r\n") == "2001:db8::7");
    CHECK(remote("X-Forwarded-For: 192.0.2.7:4711\r\n") == "192.0.2.7");
    CHECK(remote("X-Forwarded-For: [2001:db8::7]:4711\r\n") == "2001:db8::7");
    for (const char* nobody : {"", "unknown", "10.0.0.1,", "10.0.0.1, x", "300.1.1.1", "_hidden"}) {
        CAPTURE(nobody);
        CHECK(remote("X-Forwarded-For: " + std::string(nobody) + "\r\n") == proxy);
    }
    CHECK(remote("X-Forwarded-For: 192.0.2.7\r\n", false) == proxy);
}

TEST_CASE("the end of the connection finishes it, and it may be condemned at once") {
    Listener listener;
    listener.ask("GET / HTTP/1.1\r\nHo");
    listener.wire->channel->end(Outcome::retry("connection reset"));
    CHECK(listener.finished == 1);
    listener.run();
    CHECK(listener.wire->channel == nullptr);

    Listener stopping;
    stopping.connect();
    stopping.connection->close();
    CHECK(stopping.wire->closing);
    stopping.shard.condemn(std::move(stopping.connection));
    stopping.run();
    CHECK(stopping.wire->channel == nullptr);
    CHECK(stopping.finished == 0);
}
