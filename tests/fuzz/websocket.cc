// Fuzz target: HTTP requests and WebSocket frames from a stranger. The first byte chooses what the
// rest is: 'h' an HTTP connection, 'w' bytes behind an upgrade, 'f' frames behind an upgrade, each
// as head byte, length byte, payload. The second byte is how large the pieces are in which it
// comes. Besides not crashing: what comes back is whole frames or HTTP answers, messages are within
// the limit and UTF-8, and cutting the input differently changes nothing of what was delivered and
// answered.
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/net/http_connection.h"
#include "gateway/net/websocket.h"
#include "tests/support/memory_channel.h"
#include "tests/support/sim_clock.h"
#include "tests/support/websocket_frames.h"

using namespace causeway;

namespace {

constexpr std::size_t message_limit = 2000;

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_utf8(std::string_view text) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto size = static_cast<std::int32_t>(text.size());
    for (std::int32_t at = 0; at < size;) {
        UChar32 character = 0;
        U8_NEXT(bytes, at, size, character);
        if (character < 0) return false;
    }
    return true;
}

void run(Shard& shard) {
    for (int quiet = 0; quiet < 3;) quiet = shard.turn(Duration::zero()) == 0 ? quiet + 1 : 0;
}

/// What came of one connection.
struct Story {
    std::vector<std::string> messages;
    std::string sent;
    bool closing = false;
    bool upgraded = false;
    Cause ended = Cause::ok;
    bool operator==(const Story&) const = default;
};

struct Recorder : ChannelHandler {
    explicit Recorder(Story& into) : story(into) {}
    void on_bytes(std::string_view bytes) override {
        require(bytes.size() <= message_limit);
        require(is_utf8(bytes));
        story.messages.emplace_back(bytes);
    }
    void on_secured() override {}
    void on_channel_closed(const Outcome& why) override { story.ended = why.cause(); }
    Story& story;
};

void feed(Shard& shard, MemoryChannel::Wire& wire, std::string_view bytes, std::size_t piece) {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        wire.channel->receive(bytes.substr(at, piece));
        run(shard);
    }
}

Story websocket_story(std::string_view bytes, std::size_t piece) {
    const SimClock clock;
    Shard shard(0, 1, clock);
    Story story;
    Recorder recorder(story);
    const auto wire = std::make_shared<MemoryChannel::Wire>();
    auto channel =
        std::make_unique<WebSocketChannel>(shard, std::make_unique<MemoryChannel>(shard, wire),
                                           "dGhlIHNhbXBsZSBub25jZQ==", message_limit);
    channel->set_handler(&recorder);
    run(shard);
    wire->sent.clear();
    feed(shard, *wire, bytes, piece);
    story.closing = wire->closing;
    story.sent = wire->sent;
    wire->channel->end();
    run(shard);
    return story;
}

Story http_story(std::string_view bytes, std::size_t piece) {
    const SimClock clock;
    Shard shard(0, 1, clock);
    Story story;
    const auto wire = std::make_shared<MemoryChannel::Wire>();
    auto settings = std::make_shared<HttpSettings>();
    settings->domains = {"a.test", "b.test"};
    settings->origins = {"https://a.test"};
    std::unique_ptr<Channel> upgraded;
    std::unique_ptr<HttpConnection> connection = std::make_unique<HttpConnection>(
        shard, std::make_unique<MemoryChannel>(shard, wire), settings,
        [&](std::unique_ptr<Channel> made) { upgraded = std::move(made); },
        [&](HttpConnection&) { shard.condemn(std::move(connection)); });
    // What follows an upgrade belongs to the WebSocket, and the cuts decide whether it may.
    for (std::size_t at = 0; at < bytes.size() && upgraded == nullptr; at += piece) {
        wire->channel->receive(bytes.substr(at, piece));
        run(shard);
    }
    story.closing = wire->closing;
    story.upgraded = upgraded != nullptr;
    story.sent = wire->sent;
    upgraded.reset();
    if (wire->channel != nullptr) wire->channel->end();
    run(shard);
    require(connection == nullptr && wire->channel == nullptr);
    return story;
}

/// The answers, without the refusal that ended the connection: when a request that is not whole is
/// already known to be none, and with which status, depends on the cuts.
std::vector<std::string> answers_of(const Story& story) {
    std::vector<std::string> answers;
    std::string_view rest = story.sent;
    while (!rest.empty()) {
        require(rest.starts_with("HTTP/1.1 "));
        const std::size_t end = std::min(rest.find("HTTP/1.1 ", 1), rest.size());
        answers.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end);
    }
    if (answers.empty() || answers.back().find("Connection: close") == std::string::npos) {
        return answers;
    }
    for (const char* status : {"400", "413", "431", "505"}) {
        if (answers.back().substr(9, 3) != status) continue;
        answers.pop_back();
        break;
    }
    return answers;
}

void check_http(std::string_view bytes, std::size_t piece) {
    const Story whole = http_story(bytes, bytes.size());
    const Story cut = http_story(bytes, piece);
    require(whole.sent.size() < HttpConnection::request_limit * 600);
    require(cut.upgraded || !whole.upgraded);
    const auto answers = answers_of(whole);
    // Bytes behind an upgrade are refused when they come with it.
    if (cut.upgraded == whole.upgraded) require(answers == answers_of(cut));
}

void check_websocket(std::string_view bytes, std::size_t piece) {
    const Story whole = websocket_story(bytes, bytes.size());
    const Story cut = websocket_story(bytes, piece);
    require(whole == cut);
    std::string sent = whole.sent;
    const auto frames = take_server_frames(sent);
    require(frames.has_value() && sent.empty());
    for (std::size_t i = 0; i < frames->size(); ++i) {
        const FrameKind kind = (*frames)[i].kind;
        require(kind == FrameKind::pong || kind == FrameKind::close);
        require((*frames)[i].payload.size() <= 125);
        require(kind != FrameKind::close || i + 1 == frames->size());
    }
}

std::string frames_of(std::string_view text) {
    std::string bytes;
    while (text.size() >= 2) {
        const auto head = static_cast<unsigned char>(text[0]);
        const auto length = static_cast<unsigned char>(text[1]);
        text.remove_prefix(2);
        bytes += client_frame(static_cast<FrameKind>(head & 0x0f), text.substr(0, length),
                              (head & 0x80) == 0);
        text.remove_prefix(std::min<std::size_t>(length, text.size()));
    }
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t piece = 1 + static_cast<unsigned char>(input[1]);
    const std::string_view rest = input.substr(2);
    if (input[0] == 'h') check_http(rest, piece);
    if (input[0] == 'w') check_websocket(rest, piece);
    if (input[0] == 'f') {
        const std::string frames = frames_of(rest);
        if (!frames.empty()) check_websocket(frames, piece);
    }
    return 0;
}
