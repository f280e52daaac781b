// Writes the reference of all options to standard output: Markdown for schemas/options.md, or with
// --man the OPTIONS of docs/man/causeway.toml.5 in mdoc. The unit tests compare both with the
// table.
#include <iostream>
#include <string_view>

#include "gateway/config/options.h"
#include "gateway/features/registry.h"

int main(int argc, char** argv) {
    const bool man = argc == 2 && std::string_view(argv[1]) == "--man";
    if (argc > 1 && !man) {
        std::cerr << "usage: options_doc [--man]\n";
        return 2;
    }
    causeway::declare_feature_options();
    std::cout << (man ? causeway::options_mdoc() : causeway::options_markdown());
    return std::cout.flush().good() ? 0 : 1;
}
