// XML output: the only code that escapes. The form is canonical: single quotes (double ones
// around a value that holds single ones), no prefixes but xml:,
// empty elements closed at once, the content namespace (jabber:client and jabber:server alike)
// never written at the top, so that the same bytes serve client and server streams.
#pragma once

#include <string>
#include <string_view>

#include "gateway/xml/element.h"

namespace causeway {

/// Appends `text` escaped for element content or an attribute value in single quotes. Characters
/// that XML 1.0 forbids are replaced by U+FFFD; ours never hold any, but a log line or a resource
/// might.
void append_escaped(std::string& out, std::string_view text);

/// Appends ` name='value'`.
void append_attribute(std::string& out, std::string_view name, std::string_view value);

/// Appends the whole tree. `scope` is the default namespace in force where it will stand.
void append_element(std::string& out, const Element& element, std::string_view scope);

/// Appends only the children of `element` (its inner XML).
void append_children(std::string& out, const Element& element);

/// Appends the attributes of `element` but the ones named `without`, declaring prefixes as needed.
void append_attributes(std::string& out, const Element& element, std::string_view without_one = {},
                       std::string_view without_two = {});

}  // namespace causeway
