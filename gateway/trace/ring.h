// TraceRing: the latest events of one shard in a piece of memory of fixed size. A new event
// overwrites the oldest. Events stand behind each other, each as long as its texts are, so one
// takes about 130 bytes and none asks for memory. Touched by the shard's thread alone.
#pragma once

#include <cstddef>
#include <memory>

#include "gateway/trace/event.h"

namespace causeway {

class TraceRing {
public:
    /// A text that is longer is cut, and ends with "…".
    static constexpr std::size_t longest_text = 255;

    /// With less memory than the longest event may need it remembers nothing.
    explicit TraceRing(std::size_t bytes);

    void append(const TraceEvent& event);
    /// Oldest first. `visit` does not append.
    template <class Visit>
    void each(Visit visit) const {
        std::size_t at = tail_;
        for (std::size_t left = count_; left > 0; --left) {
            visit(read(at));
            at = after(at);
        }
    }
    [[nodiscard]] std::size_t size() const { return count_; }
    /// When the oldest event happened, if older ones were overwritten; else 0.
    [[nodiscard]] UnixMillis forgotten_before() const {
        return overwritten_ && count_ > 0 ? read(tail_).at : 0;
    }

private:
    struct Header;
    [[nodiscard]] TraceEvent read(std::size_t at) const;
    [[nodiscard]] const Header& header(std::size_t at) const;
    /// Where the event behind that one begins.
    [[nodiscard]] std::size_t after(std::size_t at) const;
    [[nodiscard]] std::size_t begin_of_next(std::size_t at) const;
    void drop_oldest();
    void make_room(std::size_t size);

    std::size_t bytes_;
    std::unique_ptr<std::byte[]> memory_;  ///< none until the first event
    std::size_t head_ = 0;                 ///< where the next event goes
    std::size_t tail_ = 0;                 ///< the oldest
    std::size_t count_ = 0;
    bool overwritten_ = false;
};

}  // namespace causeway
