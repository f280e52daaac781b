#include "gateway/features/conversions/card_photo.h"

#include <algorithm>
#include <string_view>

#include "gateway/base/encoding.h"
#include "gateway/features/conversions/passes.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway::conversions {

using personal_events::Avatar;

namespace {

constexpr std::string_view photo_name = "PHOTO";
constexpr std::string_view base64_mark = ";base64";

bool is_link(const Element& photo, Arena& arena) {
    const Element* link = photo.child(ns::vcard, "EXTVAL");
    return link != nullptr && !without_spaces(link->text(arena)).empty();
}

Result<Avatar> avatar_in(const Element& photo, Arena& arena) {
    const Element* data = photo.child(ns::vcard, "BINVAL");
    const auto picture =
        base64_decode(data == nullptr ? std::string{} : without_spaces(data->text(arena)));
    if (!picture) return Outcome::malformed("the photo of the card is no base64");
    if (picture->empty()) {
        if (is_link(photo, arena)) return Outcome::malformed("the photo of the card is a link");
        return Avatar{};
    }
    const Element* told = photo.child(ns::vcard, "TYPE");
    std::string type = told == nullptr ? std::string{} : without_spaces(told->text(arena));
    if (!type.starts_with("image/")) type = std::string(personal_events::type_of_picture(*picture));
    if (type.empty()) {
        return Outcome::malformed("the card does not say what kind of picture its photo is");
    }
    return Avatar{std::move(type), base64_encode(*picture)};
}

void append_photo(XmlBuilder& xml, const Avatar& photo) {
    if (photo.base64.empty()) return;
    xml.open(photo_name).element("TYPE", photo.type).element("BINVAL", photo.base64).close();
}

}  // namespace

Result<Avatar> photo_in(const std::string& card) {
    Result<Avatar> found = Avatar{};
    if (card.empty()) return found;
    const bool read = look_at(card, [&](Element& element, Arena& arena) {
        const Element* photo = element.child(ns::vcard, photo_name);
        if (photo != nullptr) found = avatar_in(*photo, arena);
    });
    return read ? found : Outcome::malformed("the card cannot be read");
}

bool has_linked_photo(const std::string& card) {
    bool linked = false;
    if (card.empty()) return linked;
    look_at(card, [&](const Element& element, Arena& arena) {
        const Element* photo = element.child(ns::vcard, photo_name);
        linked = photo != nullptr && is_link(*photo, arena);
    });
    return linked;
}

std::string with_photo(const std::string& card, const Avatar& photo) {
    XmlBuilder xml;
    xml.open("vCard", ns::vcard);
    bool placed = false;
    const auto copy = [&](const Element& element) {
        for (const Attribute* one = element.first_attribute; one != nullptr; one = one->next) {
            if (one->ns.empty()) xml.attribute(one->name, one->value);
        }
        for (const Element* child = element.first_element(); child != nullptr;
             child = child->next_element()) {
            if (child->is(ns::vcard, photo_name)) {
                if (!placed) append_photo(xml, photo);
                placed = true;
            } else {
                std::string kept;
                append_element(kept, *child, ns::vcard);
                xml.raw(kept);
            }
        }
    };
    look_at(card, [&](const Element& element, Arena&) { copy(element); });
    if (!placed) append_photo(xml, photo);
    return xml.take();
}

std::string photo_uri(std::string_view type, std::string_view data) {
    const auto picture = base64_decode(without_spaces(data));
    if (!picture || picture->empty()) return {};
    if (!type.starts_with("image/")) type = personal_events::type_of_picture(*picture);
    if (type.empty()) return {};
    std::string made(data_scheme);
    made.append(type).append(base64_mark).append(",").append(base64_encode(*picture));
    return made;
}

std::pair<std::string_view, std::string_view> split_photo(std::string_view photo) {
    const std::size_t comma = std::min(photo.find(','), photo.size());
    std::string_view head = photo.substr(0, comma);
    head.remove_prefix(std::min(data_scheme.size(), head.size()));
    if (!head.ends_with(base64_mark)) return {};
    return {head.substr(0, head.size() - base64_mark.size()),
            photo.substr(std::min(comma + 1, photo.size()))};
}

}  // namespace causeway::conversions
