#include "gateway/xmpp/data_form.h"

#include <fmt/format.h>

#include "gateway/xml/ns.h"

namespace causeway {
namespace {

Result<std::vector<std::string>> values_of(const Element& field, Arena& arena, std::size_t most) {
    std::vector<std::string> values;
    for (const Element* value = field.first_element(); value != nullptr;
         value = value->next_element()) {
        if (!value->is(ns::data_forms, "value")) continue;
        if (values.size() == most) {
            return Outcome::malformed(fmt::format("A field has more than {} values.", most));
        }
        values.emplace_back(value->text(arena));
    }
    return values;
}

}  // namespace

Result<FormValues> read_form(const Element& form, std::string_view form_type, Arena& arena,
                             std::size_t most) {
    if (form.attribute("type") != "submit") {
        return Outcome::malformed("The form's type is not \"submit\".");
    }
    FormValues all;
    for (const Element* field = form.first_element(); field != nullptr;
         field = field->next_element()) {
        if (!field->is(ns::data_forms, "field")) continue;
        const std::string_view name = field->attribute("var");
        if (name.empty()) return Outcome::malformed("A field of the form has no name (var).");
        if (all.size() == most) {
            return Outcome::malformed(fmt::format("The form has more than {} fields.", most));
        }
        auto values = values_of(*field, arena, most);
        if (!values) return values.error();
        if (!all.emplace(std::string(name), std::move(*values)).second) {
            return Outcome::malformed(fmt::format("The form has the field \"{}\" twice.", name));
        }
    }
    const auto type = all.find("FORM_TYPE");
    if (type == all.end() || type->second != std::vector<std::string>{std::string(form_type)}) {
        return Outcome::malformed(fmt::format("The form's FORM_TYPE is not \"{}\".", form_type));
    }
    all.erase(type);
    return all;
}

void open_form(XmlBuilder& xml, std::string_view type, std::string_view form_type) {
    xml.open("x", ns::data_forms).attribute("type", type);
    xml.open("field").attribute("var", "FORM_TYPE").attribute("type", "hidden");
    xml.element("value", form_type).close();
}

void add_field(XmlBuilder& xml, std::string_view name, std::string_view type) {
    xml.open("field").attribute("var", name).attribute("type", type).close();
}

}  // namespace causeway
