// The text of conversations: files *.scene, each with one scene or several. What stands before the
// first "=== title" belongs to each of them. A step begins in the first column; indented lines
// below it are its block. "#" in the first column is a comment. docs/testing.md tells
// the steps.
#pragma once

#include <string>
#include <vector>

namespace causeway::scene {

struct Step {
    std::string file;
    unsigned line = 0;
    std::string text;   ///< without what follows a ": " or ":" at its end
    std::string block;  ///< that, or the indented lines, without their common indentation
};

struct Scene {
    std::string name;  ///< "delivery-bare: chat to nobody"
    std::vector<Step> steps;
};

/// Throws std::runtime_error, which names the line.
std::vector<Scene> read_scenes(const std::string& path);

/// The words of a step's text.
std::vector<std::string> words_of(const std::string& text);

}  // namespace causeway::scene
