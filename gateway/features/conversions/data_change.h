// What a client changed of what it keeps with its account. The features that keep it announce it;
// the conversions of this folder hear it, and put it into its other places.
#pragma once

#include <functional>
#include <string_view>

namespace causeway {
class Account;
}

namespace causeway::conversions {

struct DataChange {
    enum class Place : unsigned char {
        node,             ///< of personal events (XEP-0163)
        card,             ///< vcard-temp (XEP-0054)
        private_element,  ///< private storage (XEP-0049)
    };
    Place place;
    std::string_view name = {};  ///< of the node; namespace and name of the private element
    std::string_view item = {};  ///< of the node; empty: all of its items
    /// What stood there before, as XML; empty: nothing, or the place does not tell.
    std::string_view before = {};
    /// Of the card: the conversion that changed it; empty: a client.
    std::string_view by = {};

    [[nodiscard]] bool is_of_node(std::string_view node) const {
        return place == Place::node && name == node;
    }
    /// Of the card, by somebody else than that conversion.
    [[nodiscard]] bool is_of_card_not_by(std::string_view conversion) const {
        return place == Place::card && by != conversion;
    }
};

/// On the account's home, when the change is durable.
void announce(Account& account, const DataChange& change);

/// Does `task` when what was announced stands in the other places as well: a client that changed
/// one of them, or was told of it, reads the same in all. Now, if nothing is under way.
void when_in_step(Account& account, std::function<void()> task);

// ---- who hears it ----

void avatar_changed(Account& account, const DataChange& change);
void bookmarks_changed(Account& account, const DataChange& change);
void vcard4_changed(Account& account, const DataChange& change);

}  // namespace causeway::conversions
