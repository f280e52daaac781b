// XML as conversations see it: a reader of streams over libxml2, so that what the server writes is
// judged by another parser than its own, and patterns that are compared with what came.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::scene {

struct XmlAttribute {
    std::string ns, name, value;
};

/// One element; `text` is all text directly inside, joined.
struct XmlNode {
    std::string ns, name, text;
    std::vector<XmlAttribute> attributes;
    std::vector<XmlNode> children;

    /// nullptr where there is none.
    [[nodiscard]] const std::string* attribute(std::string_view wanted,
                                               std::string_view wanted_ns = {}) const;
    [[nodiscard]] const XmlNode* child(std::string_view wanted_ns, std::string_view wanted) const;
};

/// For people: indented, with a namespace wherever it changes.
std::string to_text(const XmlNode& node, std::string_view outer_ns = {}, std::size_t depth = 0);

/// Reads one stream, in any pieces. Not well-formed input throws std::runtime_error.
class XmlReader {
public:
    struct Events {
        std::function<void(XmlNode header)> opened;
        std::function<void(XmlNode child)> element;
        std::function<void()> closed;
    };

    explicit XmlReader(Events events);
    XmlReader(const XmlReader&) = delete;
    XmlReader& operator=(const XmlReader&) = delete;
    ~XmlReader();

    void feed(std::string_view bytes);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Any number of elements, as they would stand in a stream of that namespace; the prefixes stream
/// and db are known. Throws std::runtime_error.
std::vector<XmlNode> parse_fragment(std::string_view text, std::string_view content_ns);

/// What a scene has captured, by name.
using Variables = std::map<std::string, std::string, std::less<>>;

/// `text` with every {name} replaced, and {20 times x} written out ({number} in x: which one it is,
/// from 1). Throws std::runtime_error for a name that is not known.
std::string substitute(std::string_view text, const Variables& variables);

/// Makes a pattern fit for parse_fragment(): {absent} and {exactly} in a tag become attributes, and
/// {20 times x} is written out.
std::string prepare_pattern(std::string_view text);

/// Compares: the name, the attributes and children that `pattern` gives must be there, text only if
/// it gives some. {any} stands for anything, {capture:name} remembers, {name} is what was
/// remembered; {absent} in a child's tag: no such child; {exactly}: no other attributes or
/// children. Empty if it fits, else what does not.
std::string mismatch(const XmlNode& pattern, const XmlNode& actual, Variables& variables);

}  // namespace causeway::scene
