#include "gateway/session/seen_messages.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <string>

namespace causeway {

std::uint64_t SeenMessages::key(std::string_view secret, const Message& message) {
    // No part but the secret, which is of one length, can hold a NUL.
    std::string text;
    text.reserve(secret.size() + message.sender.size() + message.recipient.size() +
                 message.id.size() + message.content.size() + 3);
    text.append(secret).append(message.sender) += '\0';
    text.append(message.recipient) += '\0';
    text.append(message.id) += '\0';
    text.append(message.content);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::uint64_t key = 0;
    std::memcpy(&key, digest.data(), sizeof key);
    return key == 0 ? 1 : key;  // 0 says that there is none
}

std::optional<HoldId> SeenMessages::find(std::uint64_t key) const {
    const auto found = holds_.find(key);
    if (found == holds_.end()) return std::nullopt;
    return found->second;
}

void SeenMessages::note(std::uint64_t key, HoldId hold) {
    if (key == 0) return;
    if (!holds_.insert_or_assign(key, hold).second) return;
    order_.push_back(key);
    if (order_.size() <= capacity) return;
    holds_.erase(order_.front());
    order_.pop_front();
}

}  // namespace causeway
