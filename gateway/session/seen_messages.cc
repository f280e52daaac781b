#include "gateway/session/seen_messages.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>

#include "gateway/session/hub.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

constexpr std::size_t longest_id = 128;

// Of the archive of one account: what came to it in the minutes before a start.
constexpr Duration before_a_start{600'000};
constexpr std::size_t rows_before_a_start = 2000;

/// Of a message to the account: the id by its sender's server, and that by the account's own.
struct Ids {
    const Element* theirs = nullptr;
    const Element* ours = nullptr;
};

Ids ids_of(const Stanza& message) {
    Ids ids;
    for (const Element* child = message.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (!child->is(ns::stanza_ids, "stanza-id")) continue;
        const auto by = Jid::parse(child->attribute("by"));
        if (!by) continue;
        if (by->full() == message.to.bare()) ids.ours = child;
        const std::string_view id = child->attribute("id");
        const bool fits = !id.empty() && id.size() <= longest_id;
        if (ids.theirs == nullptr && fits && by->full() == message.from.bare()) ids.theirs = child;
    }
    return ids;
}

/// What two copies have in common: all children but those ids, and the delay that is stamped on
/// what waited.
std::string content_of(const Element& message, const Ids& ids) {
    std::string content;
    for (const Element* child = message.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child != ids.theirs && child != ids.ours && !child->is(ns::delay, "delay")) {
            append_element(content, *child, ns::client);
        }
    }
    return content;
}

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
    keys.by_server_id = key_of((parts[0] ^ std::hash<std::string_view>{}(message.server_id)) &
                               ~RepeatKeys::not_said);
    if (!message.client_id.empty()) keys.by_client_id = key_of(parts[1]);
    return keys;
}

/// Where its server gave it no id, the one that its client gave is left; none where neither did.
RepeatKeys SeenMessages::keys_of(std::string_view secret, const Stanza& message) {
    const Ids ids = ids_of(message);
    const std::string_view server_id =
        ids.theirs == nullptr ? std::string_view() : ids.theirs->attribute("id");
    if (server_id.empty() && message.id().empty()) return {};
    RepeatKeys found = keys(secret, {.sender = message.from.full(),
                                     .recipient = message.to.full(),
                                     .client_id = message.id(),
                                     .server_id = server_id,
                                     .content = content_of(message.element, ids)});
    if (server_id.empty()) found.by_server_id = 0;
    return found;
}

std::optional<ArchiveQuery> SeenMessages::before_start(const Shared& shared,
                                                       std::string_view owner) {
    if (shared.first_id == 0 || shared.clock.now() - shared.started >= lately) return std::nullopt;
    const std::uint64_t span = id_distance(before_a_start);
    return ArchiveQuery{.owner = std::string(owner),
                        .above = shared.first_id > span ? shared.first_id - span : 0,
                        .below = shared.first_id,
                        .incoming = true,
                        .from_end = true,
                        .rows = rows_before_a_start};
}

std::optional<ArchiveQuery> SeenMessages::before_page(ArchiveQuery asked, const ArchivePage& page) {
    if (page.complete || page.rows.size() >= asked.rows) return std::nullopt;
    asked.rows -= page.rows.size();
    asked.before = page.reached;
    return asked;
}

void SeenMessages::note(const Hub& hub, const ArchivePage& page) {
    const Shared& shared = hub.shared;
    // Nothing had come to this process by then.
    const TimePoint came = shared.started - Duration{1};
    // The store's ids run ahead of those in use, by ten seconds at most.
    const std::uint64_t under_way = id_distance(before_the_break + Duration{10'000});
    const std::uint64_t last = shared.store.id_floor();
    for (const ArchiveRow& row : page.rows) {
        const auto sender = Jid::parse(row.with);
        if (!sender || hub.serves(sender->domain())) continue;
        // One that cannot be read is the archive's trouble, not that of the account.
        (void)Packet::visit_bytes(row.body, [&](const Stanza& message) {
            RepeatKeys keys = keys_of(shared.secret, message);
            // The account may be loaded again: what is known by now is known better.
            if (by_server_id_.contains(keys.by_server_id) ||
                (keys.by_server_id == 0 && by_client_id_.contains(keys.by_client_id))) {
                return;
            }
            if (row.id + under_way < last) keys.by_client_id = 0;
            note(keys, came, Ledger::nothing_open);
        });
    }
}

std::optional<HoldId> SeenMessages::find(const RepeatKeys& keys, TimePoint now) {
    if (const auto found = by_server_id_.find(keys.by_server_id); found != by_server_id_.end()) {
        return found->second;
    }
    if (keys.broke == TimePoint{}) return std::nullopt;
    const auto alike = by_client_id_.find(keys.by_client_id);
    if (alike == by_client_id_.end()) return std::nullopt;
    FirstCopy& first = alike->second;
    const bool broke_since = first.broke < keys.broke;
    if (!broke_since || first.came + before_the_break < keys.broke) return std::nullopt;
    // A third one is another message, unless it is this copy that comes again, or its server is
    // killed once more before its client hears of this one.
    first.came = now;
    first.broke = keys.broke;
    const FirstCopy known = first;
    note({.by_server_id = keys.by_server_id, .by_client_id = 0, .broke = {}}, known.came,
         known.hold);
    return known.hold;
}

void SeenMessages::forget(const RepeatKeys& keys) {
    const auto alike = by_client_id_.find(keys.by_client_id);
    if (alike != by_client_id_.end() &&
        alike->second.by_server_id == (keys.by_server_id & ~RepeatKeys::not_said)) {
        by_client_id_.erase(alike);
    }
}

void SeenMessages::note(const RepeatKeys& known_by, TimePoint now, HoldId hold) {
    RepeatKeys keys = known_by;
    keys.by_server_id &= ~RepeatKeys::not_said;
    bool is_new = false;
    if (keys.by_server_id != 0) {
        is_new = by_server_id_.insert_or_assign(keys.by_server_id, hold).second;
    }
    if (keys.by_client_id != 0) {
        const FirstCopy copy{hold, now, keys.broke, keys.by_server_id};
        const auto [at, added] = by_client_id_.try_emplace(keys.by_client_id);
        is_new |= added || at->second.by_server_id != keys.by_server_id;
        at->second = copy;
    }
    if (!is_new) return;
    order_.push_back(keys);
    if (order_.size() <= capacity) return;
    by_server_id_.erase(order_.front().by_server_id);
    forget(order_.front());
    order_.pop_front();
}

}  // namespace causeway
