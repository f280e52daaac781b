// A password for causewayctl: asked twice on the terminal without echo, or one line of standard
// input; never from the command line, where every user of the machine could read it.
#pragma once

#include <string>

#include "gateway/base/outcome.h"

namespace causeway::ctl {

/// From the controlling terminal, even when standard input is something else. Policy without one;
/// malformed if the two entries differ or are empty.
Result<std::string> ask_password(const std::string& whose);

/// The first line of standard input. Malformed if it is empty.
Result<std::string> read_password();

}  // namespace causeway::ctl
