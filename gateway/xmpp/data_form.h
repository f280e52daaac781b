// Data forms (XEP-0004), as far as a server reads and makes them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/element.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

/// The fields of a submitted form, by name, each with its values.
using FormValues = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Reads `<x xmlns='jabber:x:data' type='submit'/>`. Malformed, with a sentence for the sender, if
/// it is of another type, has more fields or values than `most`, a field twice or without a name,
/// or a FORM_TYPE that is not `form_type`. FORM_TYPE itself is not among the values.
Result<FormValues> read_form(const Element& form, std::string_view form_type, Arena& arena,
                             std::size_t most = 256);

/// The same for a form whose FORM_TYPE, if it has one, does not matter.
Result<FormValues> read_submission(const Element& form, Arena& arena, std::size_t most = 256);

/// Reads the values of a submitted form. Malformed, with a sentence for the sender that names the
/// field, where a value is missing or is not what it must be.
class FormReader {
public:
    /// `values` outlives the reader.
    explicit FormReader(const FormValues& values) : values_(values) {}

    /// The only value, which is not empty.
    [[nodiscard]] Result<std::string> text(std::string_view name) const;
    /// The same; where the field is left out or empty: `otherwise`.
    [[nodiscard]] Result<std::string> text_or(std::string_view name,
                                              std::string_view otherwise) const;
    /// All values as lines of one text (text-multi); may be empty.
    [[nodiscard]] std::string lines(std::string_view name) const;
    /// XEP-0004 §3.3: "1", "true", "0" or "false"; left out: `otherwise`.
    [[nodiscard]] Result<bool> flag(std::string_view name, bool otherwise) const;
    /// One of `allowed`.
    [[nodiscard]] Result<std::string> one_of(std::string_view name,
                                             std::span<const std::string_view> allowed) const;
    [[nodiscard]] Result<Jid> jid(std::string_view name) const;
    /// One to `most` addresses.
    [[nodiscard]] Result<std::vector<Jid>> jids(std::string_view name, std::size_t most) const;

private:
    [[nodiscard]] const std::vector<std::string>* find(std::string_view name) const;

    const FormValues& values_;
};

enum class FieldType : unsigned char {
    boolean,
    fixed,
    hidden,
    jid_multi,
    jid_single,
    list_multi,
    list_single,
    text_multi,
    text_private,
    text_single,
};

struct FormOption {
    std::string value, label;
};

/// A field of a form that is made here.
struct FormField {
    std::string_view name;
    FieldType type = FieldType::text_single;
    std::string_view label = {};
    std::vector<std::string> values = {};
    std::vector<FormOption> options = {};  ///< of a list
    bool required = false;
};

/// Makes a form.
///
///     FormBuilder form("form", ns::admin);
///     form.title("Add a user").field({.name = "accountjid", .type = FieldType::jid_single});
///     return form.take();
class FormBuilder {
public:
    /// `type`: form or result. Without `form_type` there is no such field.
    explicit FormBuilder(std::string_view type, std::string_view form_type = {});

    /// Title and instructions, if any, come before the fields.
    FormBuilder& title(std::string_view text);
    FormBuilder& instructions(std::string_view text);
    FormBuilder& field(const FormField& field);
    /// Begins a table of several items (XEP-0004 §3.4), with its columns: name, type and label.
    FormBuilder& reported(std::span<const FormField> columns);
    /// A row of that table, a value for each column; `columns` as in reported().
    FormBuilder& item(std::span<const FormField> columns, std::span<const std::string> values);
    [[nodiscard]] std::string take();

private:
    void open_field(const FormField& field);
    void begin_fields();

    XmlBuilder xml_;
    std::string form_type_;  ///< until the fields begin
};

/// Begins a form of that type with its FORM_TYPE; the caller adds fields.
void open_form(XmlBuilder& xml, std::string_view type, std::string_view form_type);
/// A field without a value.
void add_field(XmlBuilder& xml, std::string_view name, std::string_view type);

}  // namespace causeway
