#include "gateway/features/conversions/card_fields.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "gateway/features/conversions/card_photo.h"
#include "gateway/features/conversions/passes.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/element.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway::conversions {

/// How a property stands in both forms.
struct CardProperty {
    enum class Shape : unsigned char {
        plain,  ///< one value; in vcard-temp the text of the element, or of its only part
        parts,  ///< values with names, one each
        list,   ///< values in the order of their parts; the last part may come again
        photo,
    };
    Shape shape = Shape::plain;
    std::string_view temp, four;                        ///< its names
    std::span<const std::string_view> temp_parts = {};  ///< names of its parts
    std::span<const std::string_view> four_parts = {};
    std::string_view scheme = {};  ///< of the URI that vCard4 has for the value
    bool typed = false;
};

namespace {

using Parts = std::string_view;

constexpr std::size_t most_fields = 200;

constexpr std::array<Parts, 1> text{"text"};
constexpr std::array<Parts, 1> uri{"uri"};
constexpr std::array<Parts, 1> date{"date"};
constexpr std::array<Parts, 5> temp_name{"FAMILY", "GIVEN", "MIDDLE", "PREFIX", "SUFFIX"};
constexpr std::array<Parts, 5> four_name{"surname", "given", "additional", "prefix", "suffix"};
constexpr std::array<Parts, 7> temp_address{"POBOX",  "EXTADD", "STREET", "LOCALITY",
                                            "REGION", "PCODE",  "CTRY"};
constexpr std::array<Parts, 7> four_address{"pobox",  "ext",  "street", "locality",
                                            "region", "code", "country"};
constexpr std::array<Parts, 2> temp_organisation{"ORGNAME", "ORGUNIT"};
constexpr std::array<Parts, 1> temp_email{"USERID"};
constexpr std::array<Parts, 1> temp_number{"NUMBER"};

using Shape = CardProperty::Shape;
constexpr std::array properties{
    CardProperty{Shape::plain, "FN", "fn", {}, text},
    CardProperty{Shape::parts, "N", "n", temp_name, four_name},
    CardProperty{Shape::plain, "NICKNAME", "nickname", {}, text},
    CardProperty{Shape::photo, "PHOTO", "photo", {}, uri},
    CardProperty{Shape::plain, "BDAY", "bday", {}, date},
    CardProperty{Shape::parts, "ADR", "adr", temp_address, four_address, {}, true},
    CardProperty{Shape::plain, "TEL", "tel", temp_number, text, "tel:", true},
    CardProperty{Shape::plain, "EMAIL", "email", temp_email, text, {}, true},
    CardProperty{Shape::plain, "JABBERID", "impp", {}, uri, "xmpp:"},
    CardProperty{Shape::plain, "TITLE", "title", {}, text},
    CardProperty{Shape::plain, "ROLE", "role", {}, text},
    CardProperty{Shape::list, "ORG", "org", temp_organisation, text},
    CardProperty{Shape::plain, "URL", "url", {}, uri},
    CardProperty{Shape::plain, "NOTE", "note", {}, text},
};
/// XEP-0292 §9.1: what vcard-temp also calls a note.
constexpr std::string_view description = "DESC";

/// Types that both forms have, by their names in vCard4 and in vcard-temp.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> known_types{
    {{"cell", "CELL"},
     {"fax", "FAX"},
     {"home", "HOME"},
     {"pager", "PAGER"},
     {"pref", "PREF"},
     {"video", "VIDEO"},
     {"voice", "VOICE"},
     {"work", "WORK"}}};

std::string_view namespace_of(CardForm form) {
    return form == CardForm::temp ? ns::vcard : ns::vcard4;
}

std::string trimmed(std::string_view value) {
    constexpr std::string_view spaces = " \t\r\n";
    const std::size_t from = value.find_first_not_of(spaces);
    if (from == std::string_view::npos) return {};
    return std::string(value.substr(from, value.find_last_not_of(spaces) - from + 1));
}

const CardProperty* property_of(const Element& element, CardForm form) {
    if (element.ns != namespace_of(form)) return nullptr;
    const bool temp = form == CardForm::temp;
    const std::string_view name = temp && element.name == description ? "NOTE" : element.name;
    const auto* const found =
        std::ranges::find(properties, name, temp ? &CardProperty::temp : &CardProperty::four);
    return found == properties.end() ? nullptr : found;
}

std::string child_text(const Element& element, std::string_view name, Arena& arena) {
    const Element* child = element.child(element.ns, name);
    return child == nullptr ? std::string{} : trimmed(child->text(arena));
}

// ---- photos ----

std::string photo_value(const Element& element, CardForm form, Arena& arena) {
    if (form == CardForm::temp) {
        if (element.child(element.ns, "BINVAL") == nullptr) {
            return child_text(element, "EXTVAL", arena);
        }
        return photo_uri(child_text(element, "TYPE", arena), child_text(element, "BINVAL", arena));
    }
    std::string value = child_text(element, "uri", arena);
    if (!value.starts_with(data_scheme)) return value;
    const auto [type, data] = split_photo(value);
    return photo_uri(type, data);
}

// ---- reading ----

std::set<std::string, std::less<>> types_of(const Element& element, CardForm form, Arena& arena) {
    std::set<std::string, std::less<>> types;
    if (form == CardForm::temp) {
        for (const auto& [name, flag] : known_types) {
            if (element.child(element.ns, flag) != nullptr) types.emplace(name);
        }
        return types;
    }
    const Element* parameters = element.child(element.ns, "parameters");
    if (parameters == nullptr) return types;
    if (parameters->child(element.ns, "pref") != nullptr) types.emplace("pref");
    const Element* type = parameters->child(element.ns, "type");
    for (const Element* one = type == nullptr ? nullptr : type->first_element(); one != nullptr;
         one = one->next_element()) {
        const std::string name = trimmed(one->text(arena));
        const bool known = std::ranges::any_of(
            known_types, [&](const auto& row) { return row.first == name && name != "pref"; });
        if (known) types.insert(name);
    }
    return types;
}

/// The only value of a property; empty: it cannot be said in the other form.
std::string plain_value(const CardProperty& property, const Element& element, CardForm form,
                        Arena& arena) {
    if (form == CardForm::temp) {
        return property.temp_parts.empty() ? trimmed(element.text(arena))
                                           : child_text(element, property.temp_parts[0], arena);
    }
    std::string value;
    for (const std::string_view name : {"text", "uri", "date", "date-time"}) {
        if (value.empty()) value = child_text(element, name, arena);
    }
    if (value.starts_with(property.scheme)) return value.substr(property.scheme.size());
    // An address of another network is no Jabber ID; a number may be written as text.
    return property.four_parts[0] == "uri" ? std::string{} : value;
}

std::vector<std::string> listed_values(const CardProperty& property, const Element& element,
                                       CardForm form, Arena& arena) {
    const auto names = form == CardForm::temp ? property.temp_parts : property.four_parts;
    std::vector<std::string> values;
    for (const Element* child = element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->ns == element.ns && std::ranges::find(names, child->name) != names.end()) {
            values.push_back(trimmed(child->text(arena)));
        }
    }
    while (!values.empty() && values.back().empty()) values.pop_back();
    return values;
}

std::optional<CardField> read_field(const Element& element, CardForm form, Arena& arena) {
    const CardProperty* property = property_of(element, form);
    if (property == nullptr) return std::nullopt;
    CardField field{property, {}, {}};
    switch (property->shape) {
        case Shape::plain:
            field.values.push_back(plain_value(*property, element, form, arena));
            break;
        case Shape::photo: field.values.push_back(photo_value(element, form, arena)); break;
        case Shape::list: field.values = listed_values(*property, element, form, arena); break;
        case Shape::parts:
            for (const std::string_view name :
                 form == CardForm::temp ? property->temp_parts : property->four_parts) {
                field.values.push_back(child_text(element, name, arena));
            }
            break;
    }
    if (std::ranges::all_of(field.values, &std::string::empty)) return std::nullopt;
    if (property->typed) field.types = types_of(element, form, arena);
    return field;
}

// ---- writing ----

/// `name`: that of the element which it replaces.
void write_temp(XmlBuilder& xml, const CardField& field, std::string_view name) {
    const CardProperty& property = *field.property;
    xml.open(name);
    for (const auto& [type, flag] : known_types) {
        if (field.types.contains(type)) xml.empty(flag);
    }
    if (property.shape == Shape::photo) {
        const std::string& photo = field.values[0];
        if (photo.starts_with(data_scheme)) {
            const auto [type, data] = split_photo(photo);
            xml.element("TYPE", type).element("BINVAL", data);
        } else {
            xml.element("EXTVAL", photo);
        }
    } else if (property.temp_parts.empty()) {
        xml.text(field.values[0]);
    } else {
        for (std::size_t i = 0; i < field.values.size(); ++i) {
            const std::size_t part = std::min(i, property.temp_parts.size() - 1);
            if (!field.values[i].empty() || property.shape == Shape::list) {
                xml.element(property.temp_parts[part], field.values[i]);
            }
        }
    }
    xml.close();
}

void write_parameters(XmlBuilder& xml, const CardField& field) {
    if (field.types.empty()) return;
    xml.open("parameters");
    const bool preferred = field.types.contains("pref");
    if (field.types.size() > (preferred ? 1U : 0U)) {
        xml.open("type");
        for (const std::string& type : field.types) {
            if (type != "pref") xml.element("text", type);
        }
        xml.close();
    }
    if (preferred) xml.open("pref").element("integer", "1").close();
    xml.close();
}

/// RFC 3966: what a number that stands in a URI may hold.
bool is_number_of_uri(std::string_view value) {
    return value.starts_with('+') && value.find_first_not_of("+0123456789-.()") == value.npos;
}

/// RFC 6351 §5: the name of the element in which a date stands, which may come with a time, or as
/// any text.
std::string_view date_name(std::string_view value) {
    if (value.find_first_not_of("-0123456789") == value.npos) return "date";
    const bool with_time = value.find_first_not_of("-0123456789") == value.find('T') &&
                           value.find_first_not_of("-+:.0123456789TZ") == value.npos;
    return with_time ? "date-time" : "text";
}

void write_four(XmlBuilder& xml, const CardField& field) {
    const CardProperty& property = *field.property;
    xml.open(property.four);
    write_parameters(xml, field);
    if (property.shape == Shape::parts) {
        // RFC 6351 §5: all parts, in their order.
        for (std::size_t i = 0; i < field.values.size(); ++i) {
            xml.element(property.four_parts[i], field.values[i]);
        }
    } else if (property.scheme == "tel:") {
        const std::string& number = field.values[0];
        if (is_number_of_uri(number)) {
            xml.element("uri", std::string(property.scheme) + number);
        } else {
            xml.element("text", number);
        }
    } else if (property.four_parts[0] == date[0]) {
        xml.element(date_name(field.values[0]), field.values[0]);
    } else {
        for (const std::string& value : field.values) {
            xml.element(property.four_parts[0], std::string(property.scheme) + value);
        }
    }
    xml.close();
}

// ---- putting together ----

/// An element that says nothing, and may be filled in.
bool is_blank(const Element& element, Arena& arena) {
    if (!trimmed(element.text(arena)).empty()) return false;
    for (const Element* child = element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (!is_blank(*child, arena)) return false;
    }
    return true;
}

/// A card on the way to having other fields.
class Merge {
public:
    Merge(const Element& card, CardForm form, const CardChange& change, Arena& arena)
        : card_(card), form_(form), missing_(change.fields) {
        for (const Element* child = card.first_element(); child != nullptr;
             child = child->next_element()) {
            const CardProperty* property = property_of(*child, form);
            const CardProperty* replaced = nullptr;
            const bool concerned = property != nullptr && change.properties.contains(property);
            if (concerned && !stays(read_field(*child, form, arena))) {
                replaced = property;
                changes_ = true;
            }
            rows_.push_back({child, replaced});
            if (concerned && replaced == nullptr && is_blank(*child, arena)) blank_.insert(child);
        }
        // Many clients write all the elements that they know of, and read the first of each name.
        for (Row& row : rows_) {
            const CardProperty* property = property_of(*row.element, form);
            if (blank_.contains(row.element) &&
                std::ranges::find(missing_, property, &CardField::property) != missing_.end()) {
                row.replaced = property;
            }
        }
        changes_ = changes_ || !missing_.empty();
    }

    [[nodiscard]] bool changes() const { return changes_; }

    std::string take() {
        XmlBuilder xml;
        xml.open(card_.name, card_.ns);
        for (const Attribute* one = card_.first_attribute; one != nullptr; one = one->next) {
            if (one->ns.empty()) xml.attribute(one->name, one->value);
        }
        for (const Row& row : rows_) {
            if (row.replaced == nullptr) {
                std::string kept;
                append_element(kept, *row.element, card_.ns);
                xml.raw(kept);
                continue;
            }
            const auto next = std::ranges::find(missing_, row.replaced, &CardField::property);
            if (next == missing_.end()) continue;
            write(xml, *next, row.element->name);
            missing_.erase(next);
        }
        for (const CardField& field : missing_) write(xml, field, field.property->temp);
        return xml.take();
    }

private:
    struct Row {
        const Element* element;
        const CardProperty* replaced;  ///< nullptr: it stays
    };

    /// Whether the element of that field says something that is to be said, or nothing that counts.
    bool stays(const std::optional<CardField>& field) {
        if (!field) return true;
        const auto same = std::ranges::find(missing_, *field);
        if (same == missing_.end()) return false;
        missing_.erase(same);
        return true;
    }

    void write(XmlBuilder& xml, const CardField& field, std::string_view name) const {
        if (form_ == CardForm::temp) {
            write_temp(xml, field, name);
        } else {
            write_four(xml, field);
        }
    }

    const Element& card_;
    CardForm form_;
    std::vector<Row> rows_;
    std::vector<CardField> missing_;
    std::set<const Element*> blank_;
    bool changes_ = false;
};

std::string empty_card(CardForm form) {
    return XmlBuilder()
        .empty(form == CardForm::temp ? "vCard" : "vcard", namespace_of(form))
        .take();
}

}  // namespace

Result<std::vector<CardField>> fields_of(const std::string& card, CardForm form) {
    std::vector<CardField> fields;
    bool is_card = card.empty();
    if (is_card) return fields;
    look_at(card, [&](const Element& element, Arena& arena) {
        is_card = element.is(namespace_of(form), form == CardForm::temp ? "vCard" : "vcard");
        for (const Element* child = is_card ? element.first_element() : nullptr;
             child != nullptr && fields.size() <= most_fields; child = child->next_element()) {
            if (auto field = read_field(*child, form, arena)) fields.push_back(std::move(*field));
        }
    });
    if (!is_card) return Outcome::malformed("it is no card");
    if (fields.size() > most_fields) {
        return Outcome::policy("the card has more fields than are converted");
    }
    return fields;
}

Result<CardChange> change_of(const std::string& before, const std::string& after, CardForm form) {
    Result<std::vector<CardField>> now = fields_of(after, form);
    if (!now) return now.error();
    const Result<std::vector<CardField>> was = fields_of(before, form);
    CardChange change;
    for (const CardProperty& property : properties) {
        const auto only = [&](const CardField& field) { return field.property == &property; };
        std::vector<CardField> of_now;
        std::vector<CardField> of_before;
        std::ranges::copy_if(*now, std::back_inserter(of_now), only);
        if (was) std::ranges::copy_if(*was, std::back_inserter(of_before), only);
        if (of_now == of_before) continue;
        change.properties.insert(&property);
        change.fields.insert(change.fields.end(), of_now.begin(), of_now.end());
    }
    return change;
}

void keep_photo(CardChange& change) {
    const auto* const photo = std::ranges::find(properties, Shape::photo, &CardProperty::shape);
    const bool named =
        std::ranges::find(change.fields, photo, &CardField::property) != change.fields.end();
    if (!named) change.properties.erase(photo);
}

std::optional<std::string> with_change(const std::string& card, CardForm form,
                                       const CardChange& change) {
    std::optional<std::string> next;
    look_at(card.empty() ? empty_card(form) : card, [&](const Element& element, Arena& arena) {
        Merge merge(element, form, change, arena);
        if (merge.changes()) next = merge.take();
    });
    return next;
}

}  // namespace causeway::conversions
