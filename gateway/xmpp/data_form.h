// Data forms (XEP-0004), as far as a server reads and makes them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/outcome.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/element.h"

namespace causeway {

/// The fields of a submitted form, by name, each with its values.
using FormValues = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Reads `<x xmlns='jabber:x:data' type='submit'/>`. Malformed, with a sentence for the sender, if
/// it is of another type, has more fields or values than `most`, a field twice or without a name,
/// or a FORM_TYPE that is not `form_type`. FORM_TYPE itself is not among the values.
Result<FormValues> read_form(const Element& form, std::string_view form_type, Arena& arena,
                             std::size_t most = 256);

/// Begins a form of that type with its FORM_TYPE; the caller adds fields.
void open_form(XmlBuilder& xml, std::string_view type, std::string_view form_type);
/// A field without a value.
void add_field(XmlBuilder& xml, std::string_view name, std::string_view type);

}  // namespace causeway
