// The running process: configuration, log, certificates, store, server, control socket and signals,
// in this order; and back.
#pragma once

#include <string>

namespace causeway {

/// Exit status: 0 after an orderly end, 2 for a bad configuration, 1 for a failure while running.
/// `check`: look at the configuration, the certificates and the store, say what was found, and end;
/// nothing is created or changed.
int run_process(const std::string& config_path, bool check);

}  // namespace causeway
