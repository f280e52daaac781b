#include "gateway/xmpp/data_form.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

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

Result<FormValues> read_fields(const Element& form, Arena& arena, std::size_t most) {
    FormValues all;
    for (const Element* field = form.first_element(); field != nullptr;
         field = field->next_element()) {
        if (!field->is(ns::data_forms, "field")) continue;
        const std::string_view name = field->attribute("var");
        // A text that was shown (XEP-0004 §3.3): Gajim, for one, sends the whole form back. The
        // type may be left out.
        const std::string_view type = field->attribute("type");
        if (!field->has_attribute("var") && (type.empty() || type == "fixed")) continue;
        if (name.empty()) return Outcome::malformed("A field of the form has no name (var).");
        if (all.size() == most) {
            return Outcome::malformed(fmt::format("The form has more than {} fields.", most));
        }
        auto values = values_of(*field, arena, most);
        if (!values) return values.error();
        const auto [known, first] = all.try_emplace(std::string(name), *values);
        // Psi says twice what kind of form it is.
        if (!first && (name != "FORM_TYPE" || known->second != *values)) {
            return Outcome::malformed(fmt::format("The form has the field \"{}\" twice.", name));
        }
    }
    return all;
}

constexpr std::array<std::string_view, 10> type_names{
    "boolean",    "fixed",       "hidden",     "jid-multi",    "jid-single",
    "list-multi", "list-single", "text-multi", "text-private", "text-single"};

Outcome missing(std::string_view name) {
    return Outcome::malformed(fmt::format("The form needs a value for the field \"{}\".", name));
}

}  // namespace

Result<FormValues> read_form(const Element& form, std::string_view form_type, Arena& arena,
                             std::size_t most) {
    if (form.attribute("type") != "submit") {
        return Outcome::malformed("The form's type is not \"submit\".");
    }
    auto read = read_fields(form, arena, most);
    if (!read) return read;
    FormValues& all = *read;
    const auto type = all.find("FORM_TYPE");
    if (type == all.end() || type->second != std::vector<std::string>{std::string(form_type)}) {
        return Outcome::malformed(fmt::format("The form's FORM_TYPE is not \"{}\".", form_type));
    }
    all.erase(type);
    return read;
}

Result<FormValues> read_submission(const Element& form, Arena& arena, std::size_t most) {
    auto read = read_fields(form, arena, most);
    if (read) read->erase("FORM_TYPE");
    return read;
}

// ---- FormReader ----

const std::vector<std::string>* FormReader::find(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
}

Result<std::string> FormReader::text(std::string_view name) const {
    auto read = text_or(name, {});
    if (read && read->empty()) return missing(name);
    return read;
}

Result<std::string> FormReader::text_or(std::string_view name, std::string_view otherwise) const {
    const auto* values = find(name);
    if (values == nullptr || values->empty()) return std::string(otherwise);
    if (values->size() > 1) {
        return Outcome::malformed(fmt::format(
            "The field \"{}\" of the form takes one value, not {}.", name, values->size()));
    }
    return values->front().empty() ? std::string(otherwise) : values->front();
}

std::string FormReader::lines(std::string_view name) const {
    const auto* values = find(name);
    return values == nullptr ? std::string{} : fmt::format("{}", fmt::join(*values, "\n"));
}

Result<bool> FormReader::flag(std::string_view name, bool otherwise) const {
    const auto read = text_or(name, otherwise ? "1" : "0");
    if (!read) return read.error();
    if (*read == "1" || *read == "true") return true;
    if (*read == "0" || *read == "false") return false;
    return Outcome::malformed(
        fmt::format("The field \"{}\" of the form is \"true\" or \"false\".", name));
}

Result<std::string> FormReader::one_of(std::string_view name,
                                       std::span<const std::string_view> allowed) const {
    auto read = text(name);
    if (read && std::ranges::find(allowed, *read) == allowed.end()) {
        return Outcome::malformed(fmt::format("The field \"{}\" of the form is one of: {}.", name,
                                              fmt::join(allowed, ", ")));
    }
    return read;
}

Result<Jid> FormReader::jid(std::string_view name) const {
    const auto read = text(name);
    if (!read) return read.error();
    auto address = Jid::parse(*read);
    if (address) return address;
    return Outcome::malformed(fmt::format("\"{}\" in the field \"{}\" is not an address: {}", *read,
                                          name, address.error().why()));
}

Result<std::vector<Jid>> FormReader::jids(std::string_view name, std::size_t most) const {
    const auto* values = find(name);
    if (values == nullptr || values->empty()) return missing(name);
    if (values->size() > most) {
        return Outcome::malformed(
            fmt::format("The field \"{}\" of the form takes at most {} addresses.", name, most));
    }
    std::vector<Jid> addresses;
    for (const std::string& value : *values) {
        auto address = Jid::parse(value);
        if (!address) {
            return Outcome::malformed(
                fmt::format("\"{}\" in the field \"{}\" is not an address: {}", value, name,
                            address.error().why()));
        }
        addresses.push_back(std::move(*address));
    }
    return addresses;
}

// ---- FormBuilder ----

FormBuilder::FormBuilder(std::string_view type, std::string_view form_type)
    : form_type_(form_type) {
    xml_.open("x", ns::data_forms).attribute("type", type);
}

FormBuilder& FormBuilder::title(std::string_view text) {
    xml_.element("title", text);
    return *this;
}

FormBuilder& FormBuilder::instructions(std::string_view text) {
    xml_.element("instructions", text);
    return *this;
}

void FormBuilder::begin_fields() {
    if (form_type_.empty()) return;
    xml_.open("field").attribute("var", "FORM_TYPE").attribute("type", "hidden");
    xml_.element("value", form_type_).close();
    form_type_.clear();
}

void FormBuilder::open_field(const FormField& field) {
    xml_.open("field")
        .attribute_if("var", field.name)
        .attribute("type", type_names[static_cast<std::size_t>(field.type)])
        .attribute_if("label", field.label);
}

FormBuilder& FormBuilder::field(const FormField& field) {
    begin_fields();
    open_field(field);
    if (field.required) xml_.empty("required");
    for (const std::string& value : field.values) xml_.element("value", value);
    for (const FormOption& option : field.options) {
        xml_.open("option").attribute_if("label", option.label);
        xml_.element("value", option.value).close();
    }
    xml_.close();
    return *this;
}

FormBuilder& FormBuilder::reported(std::span<const FormField> columns) {
    begin_fields();
    xml_.open("reported");
    for (const FormField& column : columns) {
        open_field(column);
        xml_.close();
    }
    xml_.close();
    return *this;
}

FormBuilder& FormBuilder::item(std::span<const FormField> columns,
                               std::span<const std::string> values) {
    xml_.open("item");
    for (std::size_t i = 0; i < columns.size() && i < values.size(); ++i) {
        xml_.open("field").attribute("var", columns[i].name);
        xml_.element("value", values[i]).close();
    }
    xml_.close();
    return *this;
}

std::string FormBuilder::take() {
    begin_fields();
    return xml_.take();
}

// ---- by hand ----

void open_form(XmlBuilder& xml, std::string_view type, std::string_view form_type) {
    xml.open("x", ns::data_forms).attribute("type", type);
    xml.open("field").attribute("var", "FORM_TYPE").attribute("type", "hidden");
    xml.element("value", form_type).close();
}

void add_field(XmlBuilder& xml, std::string_view name, std::string_view type) {
    xml.open("field").attribute("var", name).attribute("type", type).close();
}

}  // namespace causeway
