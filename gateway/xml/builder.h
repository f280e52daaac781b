// XmlBuilder: XML put together element by element. Names are ours; every value and every text is
// escaped by construction, and no element can be left open or closed in the wrong order.
//
//     XmlBuilder xml;
//     xml.open("query", ns::version).element("name", "Causeway").element("version", number);
//     return xml.take();
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace causeway {

class XmlBuilder {
public:
    XmlBuilder() = default;

    /// Begins `<name xmlns='ns'`; without `ns` the element is in its parent's namespace. `name` is
    /// a constant of the program and outlives the builder.
    XmlBuilder& open(std::string_view name, std::string_view ns = {});
    /// An attribute of the element that was opened last, before it has content.
    XmlBuilder& attribute(std::string_view name, std::string_view value);
    /// The same, left out where the value is empty.
    XmlBuilder& attribute_if(std::string_view name, std::string_view value);
    XmlBuilder& text(std::string_view content);
    /// XML that is canonical already, such as Packet::bytes().
    XmlBuilder& raw(std::string_view xml);
    /// Ends the innermost open element.
    XmlBuilder& close();
    /// A whole element that holds nothing but `content`, which may be empty.
    XmlBuilder& element(std::string_view name, std::string_view content, std::string_view ns = {});
    /// A whole element without content.
    XmlBuilder& empty(std::string_view name, std::string_view ns = {});

    /// Ends every open element and gives the text away; the builder is empty afterwards.
    [[nodiscard]] std::string take();

private:
    void content();

    std::string out_;
    std::vector<std::string_view> open_;
    bool in_tag_ = false;  ///< the start tag of the innermost element is not finished
};

}  // namespace causeway
