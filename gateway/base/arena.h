// Arena: bump allocation for one stanza's tree; everything in it is released together by reset().
// Owner: the parser or scope that builds the tree. Nothing allocated here has its destructor run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace causeway {

class Arena {
public:
    static constexpr std::size_t block_size = 4096;

    /// The first block has `first_block` bytes, and each further one twice as many as the one
    /// before, up to block_size.
    explicit Arena(std::size_t first_block = block_size) : next_block_(first_block) {}
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    Arena(Arena&&) = default;
    Arena& operator=(Arena&&) = default;
    ~Arena() = default;

    void* allocate(std::size_t bytes, std::size_t alignment) {
        const std::size_t start = (used_ + alignment - 1) & ~(alignment - 1);
        if (blocks_.empty() || start + bytes > size_) return allocate_block(bytes);
        used_ = start + bytes;
        return blocks_.back().get() + start;
    }

    template <class T, class... Arguments>
    T* make(Arguments&&... arguments) {
        static_assert(std::is_trivially_destructible_v<T>);
        return ::new (allocate(sizeof(T), alignof(T))) T(std::forward<Arguments>(arguments)...);
    }

    /// A copy of `text` that lives as long as the arena's content.
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* at = static_cast<char*>(allocate(text.size(), 1));
        std::memcpy(at, text.data(), text.size());
        return {at, text.size()};
    }

    /// `left` followed by `right`; in place when `left` was the newest allocation and there is
    /// room.
    std::string_view append(std::string_view left, std::string_view right) {
        if (!left.empty() && !blocks_.empty() &&
            left.data() + left.size() == blocks_.back().get() + used_ &&
            used_ + right.size() <= size_) {
            std::memcpy(blocks_.back().get() + used_, right.data(), right.size());
            used_ += right.size();
            return {left.data(), left.size() + right.size()};
        }
        // Twice the room, so that text arriving in pieces is not copied once for each of them.
        const std::size_t total = left.size() + right.size();
        char* at = static_cast<char*>(allocate(total * 2, 1));
        if (!left.empty()) std::memcpy(at, left.data(), left.size());
        std::memcpy(at + left.size(), right.data(), right.size());
        used_ -= total;
        return {at, total};
    }

    /// Forgets everything; one block is kept for the next use.
    void reset() {
        if (blocks_.size() > 1 || size_ > block_size) {
            blocks_.clear();
            size_ = 0;
            held_ = 0;
        }
        used_ = 0;
    }

    /// Bytes of memory held, used or not.
    [[nodiscard]] std::size_t held() const { return held_; }

private:
    void* allocate_block(std::size_t bytes) {
        size_ = std::max(bytes, next_block_);
        next_block_ = std::min(next_block_ * 2, block_size);
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(size_));
        held_ += size_;
        used_ = bytes;
        return blocks_.back().get();
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    std::size_t next_block_;
    std::size_t size_ = 0;  ///< of the newest block
    std::size_t used_ = 0;  ///< in the newest block
    std::size_t held_ = 0;
};

}  // namespace causeway
