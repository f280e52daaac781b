// Whether what servers send is valid by the schemas of schemas/xml. An element may be faulty only
// where somebody of the scene sent it so, and the server passed it on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "tests/support/scene_xml.h"

namespace causeway::scene {

/// Every element that the people of a scene sent, at any depth. It is only asked about what is not
/// valid, so texts are not read before.
class SentElements {
public:
    /// `text` is what was sent at once; elements that begin in one text and end in another are not
    /// known.
    void note(std::string_view text, std::string_view content_ns);
    [[nodiscard]] bool contains(const XmlNode& element);
    /// Whether some stanza had that attribute.
    [[nodiscard]] bool contains_attribute(const XmlAttribute& attribute);

private:
    void read();

    struct Text {
        std::string text, content_ns;
    };

    std::vector<Text> unread_;
    std::unordered_set<std::uint64_t> known_;  ///< hashes of elements and attributes
};

/// The schemas, compiled once for all scenes. Used by one thread.
class SceneSchemas {
public:
    /// Throws std::runtime_error if one of them is not as it should be.
    explicit SceneSchemas(const std::string& folder);
    SceneSchemas(const SceneSchemas&) = delete;
    SceneSchemas& operator=(const SceneSchemas&) = delete;
    ~SceneSchemas();

    /// What is wrong with an element that a server sent, and by which schema; empty if nothing is.
    /// Wildcards of the schemas are lax, but here every element of an extension must have a
    /// declaration, unless it was sent by somebody of the scene.
    [[nodiscard]] std::string fault(const XmlNode& element, SentElements& sent);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace causeway::scene
