// What a vcard-temp card (XEP-0054) and a vCard4 (XEP-0292, RFC 6350, RFC 6351) both can say:
// names, addresses, telephone numbers, the photo and so on. Read from one form, and put into the
// other, whose own properties stay as they are.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/base/outcome.h"

namespace causeway::conversions {

enum class CardForm : unsigned char {
    temp,  ///< `<vCard xmlns='vcard-temp'/>`
    four,  ///< `<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>`
};

struct CardProperty;

/// A property that both forms have.
struct CardField {
    const CardProperty* property = nullptr;
    std::vector<std::string> values;  ///< its parts, without white space around; some may be empty
    std::set<std::string, std::less<>> types;  ///< those that both forms know: home, work, fax

    bool operator==(const CardField&) const = default;
};

/// The fields of a card, which may be empty. Malformed: it is none of that form. Policy: it has
/// more of them than are converted.
Result<std::vector<CardField>> fields_of(const std::string& card, CardForm form);

/// Properties that were changed, and all fields that a card has of them now.
struct CardChange {
    std::set<const CardProperty*> properties;
    std::vector<CardField> fields;
};

/// What is another than before; fails as fields_of(after). What cannot be read before is taken for
/// an empty card.
Result<CardChange> change_of(const std::string& before, const std::string& after, CardForm form);

/// Leaves the photo out of the change, if the change would only take it away.
void keep_photo(CardChange& change);

/// `card`, which may be empty, with those properties as in the change. An element that says what a
/// field says stays as it is, and so do other properties. nullopt: nothing would change.
std::optional<std::string> with_change(const std::string& card, CardForm form,
                                       const CardChange& change);

}  // namespace causeway::conversions
