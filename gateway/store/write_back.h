// Writing a file back gently: what the system holds of it in memory goes to the disk in small
// parts, one after the other. One flush of all of it would fill the disk's queue, and a commit that
// flushes another file meanwhile would stand behind that.
#pragma once

#include <functional>

namespace causeway {

/// Gives the disk what has been written to the open file. Asks `goes_on` before each part. Nothing
/// is durable by that, and nothing is reported: flush the file afterwards, which then takes little.
void write_back_gently(int file, const std::function<bool()>& goes_on);

}  // namespace causeway
