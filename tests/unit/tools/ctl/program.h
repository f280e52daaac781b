// Program: runs causewayctl to its end and keeps what it said. Its path is what CAUSEWAYCTL says,
// or tools/causewayctl in the build directory.
#pragma once

#include <string>
#include <vector>

namespace causeway::ctl {

struct Ran {
    int status = -1;
    std::string out;
    std::string err;
};

/// With standard input from `input`, and without a terminal.
Ran run_program(const std::vector<std::string>& arguments, const std::string& input = {});

/// On a terminal of its own, at which `typed` is typed line by line, each after another prompt.
/// Everything that the terminal showed is in `out`.
Ran run_on_terminal(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& typed);

}  // namespace causeway::ctl
