#include "gateway/session/kept_stream.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/base/encoding.h"
#include "gateway/base/random.h"
#include "gateway/base/serial_number.h"
#include "gateway/session/stream_records.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view of_feature = "feature:";

template <class Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc{} && end == text.data() + text.size();
}

/// Up to the next `separator`, which is taken as well; all if there is none.
std::string_view take_up_to(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view taken = text.substr(0, at);
    text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
    return taken;
}

// An item of a state: name, length, a line end, the value, a line end.
void append_item(std::string& text, std::string_view name, std::string_view value) {
    text += fmt::format("{} {}\n{}\n", name, value.size(), value);
}

/// What one process after another noted about a stream.
class Notes {
public:
    explicit Notes(KeptStream& stream) : stream_(stream) {}

    /// A line that cannot be read says nothing.
    void read(std::string_view notes) {
        while (!notes.empty()) {
            std::string_view line = take_up_to(notes, '\n');
            const std::string_view kind = take_up_to(line, ' ');
            std::uint32_t number{};
            if (!read_number(take_up_to(line, ' '), number)) continue;
            std::uint64_t detail{};
            if (kind == "h") {
                if (!begun_ || serial_distance(number, stream_.handled) > 0)
                    stream_.handled = number;
                begun_ = true;
            } else if (kind == "d" && read_number(line, detail, 16)) {
                stream_.safe[number] = detail;
            } else if (kind == "r" && read_number(line, detail, 16)) {
                stream_.repeats.emplace_back(number, detail);
            } else if (kind == "u") {
                stream_.safe.erase(number);
            } else if (kind == "s" && read_number(line, detail)) {
                stream_.sent.emplace_back(number, detail);
            } else if (kind == "c" && read_number(line, detail)) {
                stream_.copies.emplace_back(number, detail);
            } else if (kind == "m" && read_number(line, detail)) {
                stream_.missed.messages.push_back(detail);
            } else if (kind == "k" && read_number(line, detail)) {
                stream_.missed.copies.push_back(detail);
            } else if (kind == "w") {
                read_range(number, line);
            }
        }
    }

    /// What is handled without a gap is one number. False: there are notes, and none says how much
    /// is handled.
    bool finish() {
        if (!begun_ && !stream_.note_keys.empty()) return false;
        while (stream_.safe.contains(stream_.handled + 1)) ++stream_.handled;
        std::erase_if(stream_.safe, [&](const auto& entry) {
            return serial_distance(entry.first, stream_.handled) <= 0;
        });
        std::erase_if(stream_.repeats, [&](const auto& entry) {
            return serial_distance(entry.first, stream_.handled) <= 0;
        });
        return true;
    }

private:
    void read_range(std::uint32_t number, std::string_view line) {
        using While = Missed::Range::While;
        Missed::Range range{.session = number == 0 ? While::away : While::here};
        if (!read_number(take_up_to(line, ' '), range.above)) return;
        if (read_number(line, range.below)) stream_.missed.ranges.push_back(range);
    }

    KeptStream& stream_;
    bool begun_ = false;  ///< an `h` was read
};

}  // namespace

std::string StreamState::text() const {
    std::string text;
    append_item(text, "resource", resource);
    append_item(text, "token", token_hash);
    if (interested) append_item(text, "interested", {});
    if (unseen) append_item(text, "unseen", {});
    if (gone) append_item(text, "gone", {});
    if (process != 0) append_item(text, "process", fmt::format("{}", process));
    if (!presence.empty()) append_item(text, "presence", presence);
    for (const std::string& to : directed) append_item(text, "directed", to);
    for (const auto& [name, value] : of_features) {
        append_item(text, std::string(of_feature) + name, value);
    }
    return text;
}

std::optional<StreamState> StreamState::parse(std::string_view text) {
    StreamState state;
    while (!text.empty()) {
        std::string_view head = take_up_to(text, '\n');
        const std::string_view name = take_up_to(head, ' ');
        std::size_t size{};
        if (!read_number(head, size) || size >= text.size() || text[size] != '\n') {
            return std::nullopt;
        }
        std::string value(text.substr(0, size));
        text.remove_prefix(size + 1);
        if (name == "resource") state.resource = std::move(value);
        if (name == "token") state.token_hash = std::move(value);
        if (name == "interested") state.interested = true;
        if (name == "unseen") state.unseen = true;
        if (name == "gone") state.gone = true;
        if (name == "process" && !read_number(value, state.process)) state.process = 0;
        if (name == "presence") state.presence = std::move(value);
        if (name == "directed") state.directed.push_back(std::move(value));
        if (name.starts_with(of_feature)) {
            state.of_features.emplace_back(name.substr(of_feature.size()), std::move(value));
        }
    }
    if (state.resource.empty() || state.token_hash.empty()) return std::nullopt;
    return state;
}

void KeptStream::count_from_handled() {
    for (const auto& [number, fingerprint] : std::exchange(safe, {})) {
        if (fingerprint != 0) repeats.emplace_back(number, fingerprint);
    }
}

std::string KeptStream::notes() const {
    std::string text = fmt::format("h {}\n", handled);
    for (const auto& [number, fingerprint] : safe) {
        text += fmt::format("d {} {:x}\n", number, fingerprint);
    }
    for (const auto& [number, fingerprint] : repeats) {
        text += fmt::format("r {} {:x}\n", number, fingerprint);
    }
    return text;
}

// ---- what was sent ----

void Missed::sent_up_to(std::uint64_t id) {
    if (in_rows()) {
        std::erase_if(messages, [id](std::uint64_t row) { return row <= id; });
        std::erase_if(copies, [id](std::uint64_t row) { return row <= id; });
    } else if (!ranges.empty()) {
        ranges.front().above = std::max(ranges.front().above, id);
    }
}

void Missed::sent_part() {
    if (in_rows()) {
        messages.clear();
        copies.clear();
    } else if (!ranges.empty()) {
        ranges.erase(ranges.begin());
    }
}

std::string Missed::notes() const {
    std::string text;
    for (const std::uint64_t row : messages) text += fmt::format("m 0 {}\n", row);
    for (const std::uint64_t row : copies) text += fmt::format("k 0 {}\n", row);
    for (const Range& range : ranges) {
        text += fmt::format("w {} {} {}\n", range.session == Range::While::away ? 0 : 1,
                            range.above, range.below);
    }
    return text;
}

Reached reached_by(const KeptStream& stream, std::uint32_t h) {
    Reached reached{.missed = stream.missed};
    Missed& missed = reached.missed;
    const auto sort_out = [h](const auto& sent, std::vector<std::uint64_t>& has, auto& has_not) {
        for (const auto& [number, row] : sent) {
            (serial_distance(number, h) <= 0 ? has : has_not).push_back(row);
        }
    };
    sort_out(stream.sent, reached.messages, missed.messages);
    sort_out(stream.copies, reached.copies, missed.copies);
    for (std::vector<std::uint64_t>* rows : {&missed.messages, &missed.copies}) {
        std::ranges::sort(*rows);
        rows->erase(std::ranges::unique(*rows).begin(), rows->end());
    }
    return reached;
}

// ---- keys ----

std::uint64_t server_fingerprint(const Stanza& message) {
    for (const Element* child = message.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (!child->is(ns::stanza_ids, "stanza-id")) continue;
        const auto by = Jid::parse(child->attribute("by"));
        if (by && by->full() == message.from.bare()) {
            return StreamRecords::fingerprint(message.from, message.to, child->attribute("id"));
        }
    }
    return 0;
}

std::uint64_t server_fingerprint(const Packet& message) {
    std::uint64_t fingerprint = 0;
    static_cast<void>(Packet::visit_bytes(
        message.bytes(), [&](const Stanza& stanza) { fingerprint = server_fingerprint(stanza); }));
    return fingerprint;
}

std::uint64_t random_stream_id() {
    std::uint64_t id = 0;
    random_bytes({reinterpret_cast<unsigned char*>(&id), sizeof id});
    return id | (std::uint64_t{1} << 63U);  // and none that counts from 1
}

std::string make_stream_token(std::uint64_t stream) {
    return fmt::format("{:016x}", stream) + random_token();
}

std::string hash_of_token(std::string_view token) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(token.data(), token.size(), digest.data(), &size, EVP_sha256(), nullptr);
    return hex_encode({reinterpret_cast<const char*>(digest.data()), size});
}

namespace {

std::optional<KeptStream> read_stream(std::uint64_t id, const std::vector<MapEntry>& entries) {
    KeptStream stream;
    stream.id = id;
    const std::string prefix = stream_key_prefix(id);
    const std::string state_key = stream_state_key(id);
    Notes notes(stream);
    bool known = false;
    for (const MapEntry& entry : entries) {
        if (entry.key == state_key) {
            auto state = StreamState::parse(entry.value);
            if (!state) return std::nullopt;
            stream.state = std::move(*state);
            known = true;
        } else if (entry.key.starts_with(prefix)) {
            notes.read(entry.value);
            stream.note_keys.push_back(entry.key);
        }
    }
    if (!known || !notes.finish()) return std::nullopt;
    return stream;
}

}  // namespace

std::vector<KeptStream> kept_streams(const std::vector<MapEntry>& entries) {
    std::vector<KeptStream> streams;
    for (const MapEntry& entry : entries) {
        std::uint64_t id{};
        if (!read_number(std::string_view(entry.key).substr(0, 16), id, 16)) continue;
        if (entry.key != stream_state_key(id)) continue;
        if (auto stream = read_stream(id, entries)) streams.push_back(std::move(*stream));
    }
    return streams;
}

std::optional<KeptStream> find_kept_stream(const std::vector<MapEntry>& entries,
                                           std::string_view token) {
    std::uint64_t id{};
    if (!read_number(token.substr(0, 16), id, 16)) return std::nullopt;
    auto stream = read_stream(id, entries);
    if (!stream || !equal_in_constant_time(stream->state.token_hash, hash_of_token(token))) {
        return std::nullopt;
    }
    return stream;
}

}  // namespace causeway
