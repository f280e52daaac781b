// XEP-0115 Entity Capabilities, as far as a server that sends events needs them: what a client
// announces in its presence, whether its answer to service discovery has that hash, and which nodes
// it wants to hear of ("+notify", XEP-0060 §9.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/xml/element.h"

namespace causeway::personal_events {

/// `<c/>` of a presence.
struct AnnouncedCapabilities {
    std::string hash, node, ver;

    /// The same for all clients that say the same of themselves.
    [[nodiscard]] std::string key() const { return hash + ' ' + ver; }
    bool operator==(const AnnouncedCapabilities&) const = default;
};

/// nullopt: there are none, or in the form before version 1.4, which names no hash.
std::optional<AnnouncedCapabilities> announced_in(const Element& presence);

/// Whether that hash is known here. Of others nothing can be verified, and what a client says
/// counts for it alone (§5.4).
bool is_known_hash(std::string_view hash);

/// The verification string over an answer (`<query/>` of disco#info), hashed and in base64; nullopt
/// if the answer is ill-formed (§5.4) or the hash unknown.
std::optional<std::string> verification_of(const Element& query, std::string_view hash,
                                           Arena& arena);

/// The nodes that somebody wants to hear of. Immutable, shared by all with the same capabilities.
class Interests {
public:
    /// Nodes that are remembered of one client; more are ignored.
    static constexpr std::size_t most = 256;

    Interests() = default;
    /// What an answer of disco#info says.
    explicit Interests(const Element& query);
    /// That node and no other.
    explicit Interests(std::string node) : nodes_{std::move(node)} {}

    [[nodiscard]] bool has(std::string_view node) const;
    [[nodiscard]] bool empty() const { return nodes_.empty(); }

private:
    std::vector<std::string> nodes_;  ///< sorted
};

}  // namespace causeway::personal_events
