// The main of a fuzz target without a fuzzer: runs every file of the directories (and the files)
// given on the command line through LLVMFuzzerTestOneInput, in the order of their names, and prints
// how many. So the corpora are part of the ordinary suite. Fails when there is nothing to run, and
// names the input when one aborts.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

/// What runs now; read by the signal handler alone, which must not allocate.
const char* current_input = "";

extern "C" void name_input(int signal_number) {
    constexpr const char* text = "replay: aborted on ";
    // Nothing can be done about a failed write here.
    const bool told = write(STDERR_FILENO, text, std::strlen(text)) > 0 &&
                      write(STDERR_FILENO, current_input, std::strlen(current_input)) > 0 &&
                      write(STDERR_FILENO, "\n", 1) > 0;
    static_cast<void>(told);
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
}

std::vector<fs::path> inputs_of(const fs::path& place) {
    std::vector<fs::path> files;
    if (!fs::is_directory(place)) {
        files.push_back(place);
    } else {
        for (const auto& entry : fs::directory_iterator(place)) {
            if (entry.is_regular_file()) files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// False when the file cannot be read.
bool run(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    if (!file) {
        std::fprintf(stderr, "replay: cannot read %s\n", name.c_str());
        return false;
    }
    const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
    // A copy of its exact size, so that sanitizers see a read past the end.
    const std::vector<std::uint8_t> bytes(content.begin(), content.end());
    current_input = name.c_str();
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    current_input = "";
    return true;
}

int replay(const std::vector<std::string>& places) {
    std::size_t count = 0;
    bool readable = true;
    for (const std::string& place : places) {
        for (const fs::path& file : inputs_of(place)) {
            readable = run(file.string()) && readable;
            ++count;
        }
    }
    std::printf("replayed %zu inputs\n", count);
    if (count == 0) std::fprintf(stderr, "replay: there was nothing to run\n");
    return readable && count > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGABRT, name_input);
    std::signal(SIGILL, name_input);
    try {
        return replay({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replay: %s\n", error.what());
        return 1;
    }
}
