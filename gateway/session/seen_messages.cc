#include "gateway/session/seen_messages.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <functional>
#include <string>

namespace causeway {
namespace {

// 0 says that there is none.
std::uint64_t key_of(std::uint64_t number) { return number == 0 ? 1 : number; }

}  // namespace

RepeatKeys SeenMessages::keys(std::string_view secret, const Message& message) {
    // No part but the secret, which is of one length, can hold a NUL.
    std::string text;
    text.reserve(secret.size() + message.sender.size() + message.recipient.size() +
                 message.client_id.size() + message.content.size() + 3);
    text.append(secret).append(message.sender) += '\0';
    text.append(message.recipient) += '\0';
    text.append(message.client_id) += '\0';
    text.append(message.content);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::array<std::uint64_t, 2> parts{};
    std::memcpy(parts.data(), digest.data(), sizeof parts);
    RepeatKeys keys;
    // Only who knows the digest could choose an id that makes two messages alike.
    keys.by_server_id = key_of(parts[0] ^ std::hash<std::string_view>{}(message.server_id));
    if (!message.client_id.empty()) keys.by_client_id = key_of(parts[1]);
    return keys;
}

std::optional<HoldId> SeenMessages::find(const RepeatKeys& keys) {
    if (const auto found = holds_.find(keys.by_server_id); found != holds_.end()) {
        return found->second;
    }
    if (keys.broke == TimePoint{}) return std::nullopt;
    const auto alike = by_client_id_.find(keys.by_client_id);
    if (alike == by_client_id_.end()) return std::nullopt;
    const FirstCopy first = alike->second;
    if (first.came > keys.broke || first.came + before_the_break < keys.broke) return std::nullopt;
    const auto hold = holds_.find(first.by_server_id);
    if (hold == holds_.end()) return std::nullopt;
    const HoldId found = hold->second;
    // A third one is another message, unless it is this copy that comes again.
    by_client_id_.erase(alike);
    remember({.by_server_id = keys.by_server_id, .by_client_id = 0, .broke = {}}, found);
    return found;
}

void SeenMessages::note(const RepeatKeys& keys, TimePoint now, HoldId hold) {
    if (keys.by_server_id == 0) return;
    if (keys.by_client_id != 0) {
        by_client_id_.insert_or_assign(keys.by_client_id, FirstCopy{keys.by_server_id, now});
    }
    remember(keys, hold);
}

void SeenMessages::remember(const RepeatKeys& keys, HoldId hold) {
    if (!holds_.insert_or_assign(keys.by_server_id, hold).second) return;
    order_.push_back(keys);
    if (order_.size() <= capacity) return;
    const RepeatKeys& oldest = order_.front();
    holds_.erase(oldest.by_server_id);
    const auto alike = by_client_id_.find(oldest.by_client_id);
    if (alike != by_client_id_.end() && alike->second.by_server_id == oldest.by_server_id) {
        by_client_id_.erase(alike);
    }
    order_.pop_front();
}

}  // namespace causeway
