// Queue: like std::deque, but takes nothing from the heap until it holds something. Of what there is one
// per account or session most stay empty for good, and an empty std::deque takes 600 bytes.
#pragma once

#include <boost/container/deque.hpp>

namespace causeway {

template <typename Value>
using Queue = boost::container::deque<Value>;

}  // namespace causeway
