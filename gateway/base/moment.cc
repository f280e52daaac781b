#include "gateway/base/moment.h"

#include <atomic>

namespace causeway {

Moment this_moment() {
    static std::atomic<std::uint64_t> last{0};
    return Moment{++last};
}

}  // namespace causeway
