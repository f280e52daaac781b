// Domain names as peers write them.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "gateway/xmpp/jid.h"

namespace causeway {

/// Normal form of text that is a domain and nothing else; empty if it is not one. Names that peers
/// write are compared in this form: capitals and A-labels are spellings of the same name.
inline std::string domain_of(std::string_view text) {
    auto domain = prepare_domain(text);
    return domain ? std::move(*domain) : std::string{};
}

}  // namespace causeway
