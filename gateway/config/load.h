// Reads a configuration: TOML text checked against the option table (options.h), so that an unknown
// key, a wrong type and a value out of range are each found where they stand. All problems of a
// file are reported together, not the first one only. No exception leaves these functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/config/config.h"

namespace causeway {

/// Checks a domain name and returns its prepared form, or why it is none. The caller brings it,
/// since preparing names (RFC 7622 §3.2) belongs to a higher layer.
using DomainCheck = std::function<Result<std::string>(std::string_view)>;

/// The check without Unicode: ASCII lower case, no white space, control or path character.
Result<std::string> check_domain_plainly(std::string_view name);

/// Reads `path`. Failing: Cause::absent (no such file), Cause::refused (cannot be read) or
/// Cause::malformed, whose text is one line `file:line:column: what is wrong; what would be right`
/// a problem, without a final newline.
Result<Config> load_config(const std::string& path,
                           const DomainCheck& check = check_domain_plainly);

/// The same for text that is at hand; `path` names it in messages and is what relative paths are
/// beside. Touches no file.
Result<Config> parse_config(std::string_view text, const std::string& path,
                            const DomainCheck& check = check_domain_plainly);

}  // namespace causeway
