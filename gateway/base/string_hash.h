// StringHash: with std::equal_to<> it lets a map keyed by std::string be searched by a string_view.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace causeway {

struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

}  // namespace causeway
