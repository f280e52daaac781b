#include "gateway/trace/ring.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace causeway {

/// Before the texts of an event, which stand in the order of their lengths here.
struct TraceRing::Header {
    UnixMillis at;
    std::uint64_t stanza_id;
    Moment moment;
    std::uint16_t size;  ///< with the texts; 0: nothing follows up to the end of the memory
    TraceStage stage;
    TraceVerdict verdict;
    StanzaKind kind;
    StanzaType type;
    std::array<std::uint8_t, 5> lengths;
};

namespace {

constexpr std::string_view cut_mark = "…";
constexpr std::size_t alignment = alignof(std::uint64_t);
constexpr std::size_t texts = 5;

std::array<std::string_view, texts> texts_of(const TraceEvent& event) {
    return {event.from, event.to, event.id, event.where, event.reason};
}

/// How much of a text stands before the mark: whole characters of UTF-8.
std::size_t kept_of(std::string_view text) {
    std::size_t kept = TraceRing::longest_text - cut_mark.size();
    while (kept > 0 && (static_cast<unsigned char>(text[kept]) & 0xC0U) == 0x80U) --kept;
    return kept;
}

}  // namespace

TraceRing::TraceRing(std::size_t bytes) : bytes_(bytes / alignment * alignment) {
    constexpr std::size_t longest = sizeof(Header) + texts * longest_text + alignment;
    if (bytes_ < 2 * longest) bytes_ = 0;
}

const TraceRing::Header& TraceRing::header(std::size_t at) const {
    return *std::launder(reinterpret_cast<const Header*>(memory_.get() + at));
}

std::size_t TraceRing::begin_of_next(std::size_t at) const {
    return bytes_ - at < sizeof(Header) || header(at).size == 0 ? 0 : at;
}

std::size_t TraceRing::after(std::size_t at) const {
    const std::size_t end = at + header(at).size;
    return end == head_ ? end : begin_of_next(end);
}

void TraceRing::drop_oldest() {
    tail_ = after(tail_);
    --count_;
    overwritten_ = true;
}

/// At head_, which may go back to the beginning.
void TraceRing::make_room(std::size_t size) {
    if (bytes_ - head_ < size) {
        while (count_ > 0 && tail_ >= head_) drop_oldest();
        if (bytes_ - head_ >= sizeof(Header)) {
            ::new (memory_.get() + head_) Header{};
        }
        head_ = 0;
        if (count_ == 0) tail_ = 0;
    }
    while (count_ > 0 && tail_ >= head_ && tail_ < head_ + size) drop_oldest();
    if (count_ == 0) tail_ = head_;
}

void TraceRing::append(const TraceEvent& event) {
    if (bytes_ == 0) return;
    if (memory_ == nullptr) memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes_);
    const auto given = texts_of(event);
    Header header{.at = event.at,
                  .stanza_id = event.stanza_id,
                  .moment = event.moment,
                  .size = 0,
                  .stage = event.stage,
                  .verdict = event.verdict,
                  .kind = event.kind,
                  .type = event.type,
                  .lengths = {}};
    std::size_t size = sizeof(Header);
    for (std::size_t i = 0; i < texts; ++i) {
        const std::size_t length =
            given[i].size() <= longest_text ? given[i].size() : kept_of(given[i]) + cut_mark.size();
        header.lengths[i] = static_cast<std::uint8_t>(length);
        size += length;
    }
    size = (size + alignment - 1) / alignment * alignment;
    header.size = static_cast<std::uint16_t>(size);
    make_room(size);
    ::new (memory_.get() + head_) Header(header);
    auto* out = reinterpret_cast<char*>(memory_.get() + head_ + sizeof(Header));
    for (std::size_t i = 0; i < texts; ++i) {
        if (given[i].size() <= longest_text) {
            out = std::ranges::copy(given[i], out).out;
        } else {
            out = std::ranges::copy(given[i].substr(0, kept_of(given[i])), out).out;
            out = std::ranges::copy(cut_mark, out).out;
        }
    }
    head_ += size;
    ++count_;
}

TraceEvent TraceRing::read(std::size_t at) const {
    const Header& its = header(at);
    const char* text = reinterpret_cast<const char*>(memory_.get() + at + sizeof(Header));
    std::array<std::string_view, texts> read{};
    for (std::size_t i = 0; i < texts; ++i) {
        read[i] = {text, its.lengths[i]};
        text += its.lengths[i];
    }
    return {.at = its.at,
            .stanza_id = its.stanza_id,
            .moment = its.moment,
            .stage = its.stage,
            .verdict = its.verdict,
            .kind = its.kind,
            .type = its.type,
            .from = read[0],
            .to = read[1],
            .id = read[2],
            .where = read[3],
            .reason = read[4]};
}

}  // namespace causeway
