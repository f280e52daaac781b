#include "gateway/xml/builder.h"

#include <utility>

#include "gateway/xml/writer.h"

namespace causeway {

void XmlBuilder::content() {
    if (std::exchange(in_tag_, false)) out_ += '>';
}

XmlBuilder& XmlBuilder::open(std::string_view name, std::string_view ns) {
    content();
    out_ += '<';
    out_ += name;
    open_.push_back(name);
    in_tag_ = true;
    if (!ns.empty()) append_attribute(out_, "xmlns", ns);
    return *this;
}

XmlBuilder& XmlBuilder::attribute(std::string_view name, std::string_view value) {
    if (in_tag_) append_attribute(out_, name, value);
    return *this;
}

XmlBuilder& XmlBuilder::attribute_if(std::string_view name, std::string_view value) {
    return value.empty() ? *this : attribute(name, value);
}

XmlBuilder& XmlBuilder::text(std::string_view content_text) {
    if (content_text.empty()) return *this;
    content();
    append_escaped(out_, content_text);
    return *this;
}

XmlBuilder& XmlBuilder::raw(std::string_view xml) {
    if (xml.empty()) return *this;
    content();
    out_ += xml;
    return *this;
}

XmlBuilder& XmlBuilder::close() {
    if (open_.empty()) return *this;
    if (std::exchange(in_tag_, false)) {
        out_ += "/>";
    } else {
        out_ += "</";
        out_ += open_.back();
        out_ += '>';
    }
    open_.pop_back();
    return *this;
}

XmlBuilder& XmlBuilder::element(std::string_view name, std::string_view content_text,
                                std::string_view ns) {
    return open(name, ns).text(content_text).close();
}

XmlBuilder& XmlBuilder::empty(std::string_view name, std::string_view ns) {
    return open(name, ns).close();
}

std::string XmlBuilder::take() {
    while (!open_.empty()) close();
    return std::exchange(out_, {});
}

}  // namespace causeway
