// Suspects: the messages that were under way when the peer ended the stream with an error. One of
// them may be why, so they are sent one at a time; the one with which the stream ends again and
// again is found, and the others are free.
#pragma once

#include <cstddef>
#include <cstdint>

namespace causeway {

class Suspects {
public:
    /// Breaks with the same message before it is found guilty.
    static constexpr unsigned most_breaks = 3;

    /// Messages are sent one at a time.
    [[nodiscard]] bool resend_one_at_a_time() const { return left_ > 0; }

    /// The stream broke by an error of the peer, with so many messages under way, at least one.
    /// True if the first of them is to be given up.
    bool broke(std::size_t under_way) {
        if (left_ == 0) {
            left_ = under_way;
            current_ = broke_with_ = 0;
            breaks_ = 0;
            return false;
        }
        if (current_ != broke_with_) breaks_ = 0;
        broke_with_ = current_;
        if (++breaks_ < most_breaks) return false;
        breaks_ = 0;
        return true;
    }
    /// The row that was sent, alone.
    void sent(std::uint64_t row) {
        if (left_ > 0) current_ = row;
    }
    void confirmed(std::size_t count) { left_ -= count < left_ ? count : left_; }

private:
    std::size_t left_ = 0;
    std::uint64_t current_ = 0;
    std::uint64_t broke_with_ = 0;
    unsigned breaks_ = 0;
};

}  // namespace causeway
