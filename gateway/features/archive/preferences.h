// What an account wants to have archived (XEP-0441).
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"
#include "gateway/xml/element.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

class Account;

struct ArchivePreferences {
    enum class Default : unsigned char { always, never, roster };
    /// Addresses in both lists together.
    static constexpr std::size_t most_addresses = 1000;

    Default by_default = Default::always;
    std::set<Jid> always;
    std::set<Jid> never;

    /// Whether messages with `other` are archived (XEP-0441 §2.3). In both lists: never.
    [[nodiscard]] bool keep(const Account& account, const Jid& other) const;

    /// Reads `<prefs/>`; malformed with a sentence for the client.
    static Result<ArchivePreferences> read(const Element& element, Arena& arena);
    /// `<prefs/>`, canonical XML; also the form in which they are stored.
    [[nodiscard]] std::string text() const;
    /// Of text().
    static Result<ArchivePreferences> parse(std::string_view text);
};

}  // namespace causeway
