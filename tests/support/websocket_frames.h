// WebSocket frames by hand (RFC 6455 §5), so that tests can write what no library would.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

enum class FrameKind : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
};

struct Frame {
    FrameKind kind = FrameKind::text;
    std::string payload;
    bool final = true;
    bool operator==(const Frame&) const = default;
};

/// A frame as a client sends it: masked, unless told otherwise.
inline std::string client_frame(FrameKind kind, std::string_view payload, bool final = true,
                                bool masked = true) {
    std::string out;
    const auto put = [&](std::uint64_t value) { out.push_back(static_cast<char>(value & 0xff)); };
    put((final ? 0x80U : 0U) | static_cast<unsigned>(kind));
    const unsigned mask_bit = masked ? 0x80U : 0U;
    if (payload.size() < 126) {
        put(mask_bit | payload.size());
    } else if (payload.size() < 65536) {
        put(mask_bit | 126U);
        put(payload.size() >> 8);
        put(payload.size());
    } else {
        put(mask_bit | 127U);
        for (int shift = 56; shift >= 0; shift -= 8) put(std::uint64_t{payload.size()} >> shift);
    }
    constexpr std::string_view key = "\x37\xfa\x21\x3d";
    if (masked) out += key;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out.push_back(masked ? static_cast<char>(payload[i] ^ key[i % 4]) : payload[i]);
    }
    return out;
}

inline std::string close_payload(unsigned code) {
    return {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
}

/// Takes whole unmasked frames from the front of `bytes`; nullopt if something else stands there.
inline std::optional<std::vector<Frame>> take_server_frames(std::string& bytes) {
    std::vector<Frame> frames;
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    while (bytes.size() >= 2) {
        if ((at(0) & 0x70) != 0 || (at(1) & 0x80) != 0) return std::nullopt;
        std::size_t header = 2;
        std::size_t length = at(1);
        if (length == 126) header = 4;
        if (length == 127) header = 10;
        if (bytes.size() < header) break;
        if (header > 2) {
            length = 0;
            for (std::size_t i = 2; i < header; ++i) length = length << 8 | at(i);
        }
        if (bytes.size() < header + length) break;
        frames.push_back({static_cast<FrameKind>(at(0) & 0x0f), bytes.substr(header, length),
                          (at(0) & 0x80) != 0});
        bytes.erase(0, header + length);
    }
    return frames;
}

}  // namespace causeway
