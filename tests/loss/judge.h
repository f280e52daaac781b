// The judge of tests/loss: says of every message what should not have become of it, by what
// docs/reliability.md promises. A pure function of the history.
#pragma once

#include <string>
#include <vector>

#include "tests/loss/history.h"

namespace causeway::loss {

struct Finding {
    enum class Kind : unsigned char {
        lost,
        twice,
        refused_and_read,
        refused_twice,
        reordered,
        unknown,
        left_over,
        not_archived,
        archived_twice,
        wrong,
    };
    Kind kind = Kind::lost;
    std::size_t which = 0;  ///< the message; of `wrong`, the client
    std::string text = {};  ///< for people
};

struct Verdict {
    std::vector<Finding> findings = {};
    /// What is not promised (docs/reliability.md), and happened.
    std::vector<Finding> tolerated = {};
};

std::string_view name_of(Finding::Kind kind);
Verdict judge(const History& history);

}  // namespace causeway::loss
