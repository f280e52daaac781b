#include "tests/support/scene_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace causeway::scene {
namespace {

constexpr std::string_view title_mark = "=== ";

bool indented(const std::string& line) { return line.starts_with(' ') || line.starts_with('\t'); }
bool blank(const std::string& line) { return line.find_first_not_of(" \t\r") == std::string::npos; }

/// "X sends: <a/>" has its block on the line; "X sends:" has it below.
void split_block(Step& step) {
    const auto at = step.text.find(": ");
    if (at != std::string::npos) {
        step.block = step.text.substr(at + 2);
        step.text.resize(at);
    } else if (step.text.ends_with(':')) {
        step.text.pop_back();
    }
}

void add_to_block(Step& step, std::string line, std::size_t& indentation) {
    const auto begins = line.find_first_not_of(" \t");
    if (step.block.empty()) indentation = begins;
    line.erase(0, std::min(begins, indentation));
    if (!step.block.empty()) step.block += '\n';
    step.block += line;
}

}  // namespace

std::vector<Scene> read_scenes(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + ": cannot be read");
    const std::string subject = std::filesystem::path(path).stem().string();
    std::vector<Scene> scenes{{.name = subject, .steps = {}}};
    std::size_t indentation = 0;
    unsigned number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        while (line.ends_with('\r')) line.pop_back();
        if (blank(line) || line.starts_with('#')) continue;
        std::vector<Step>& steps = scenes.back().steps;
        if (line.starts_with(title_mark)) {
            const std::vector<Step> before = scenes.front().steps;
            scenes.push_back({subject + ": " + line.substr(title_mark.size()), before});
        } else if (indented(line)) {
            if (steps.empty())
                throw std::runtime_error(fmt::format("{}:{}: a block of nothing", path, number));
            add_to_block(steps.back(), line, indentation);
        } else {
            steps.push_back({path, number, line, {}});
            split_block(steps.back());
        }
    }
    // What stands before the first title is a scene only where there is no title.
    if (scenes.size() > 1) scenes.erase(scenes.begin());
    return scenes;
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

}  // namespace causeway::scene
