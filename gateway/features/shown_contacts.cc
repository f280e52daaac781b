#include "gateway/features/shown_contacts.h"

#include <set>
#include <utility>

namespace causeway {

void ShownContacts::add(const Jid& contact, Word word) {
    const auto domain = of_domain_.find(contact.domain());
    if (domain != of_domain_.end()) {
        if (const auto known = domain->second.find(contact); known != domain->second.end()) {
            known->second = word;
            return;
        }
    }
    if (count_ >= limit) return;
    of_domain_[std::string(contact.domain())].emplace(contact, word);
    ++count_;
}

void ShownContacts::available(const Jid& contact) { add(contact, Word::given); }

void ShownContacts::unavailable(const Jid& contact) {
    const auto domain = of_domain_.find(contact.domain());
    if (domain == of_domain_.end()) return;
    count_ -= std::erase_if(domain->second, [&](const auto& entry) {
        return entry.first == contact ||
               (!contact.has_resource() && entry.first.bare() == contact.bare());
    });
    if (domain->second.empty()) of_domain_.erase(domain);
}

ShownContacts::Addresses ShownContacts::take(std::string_view domain) {
    const auto found = of_domain_.find(domain);
    if (found == of_domain_.end()) return {};
    Addresses taken = std::move(found->second);
    count_ -= taken.size();
    of_domain_.erase(found);
    return taken;
}

void ShownContacts::ask_again(std::string_view domain) {
    const auto found = of_domain_.find(domain);
    if (found == of_domain_.end()) return;
    for (auto& [address, word] : found->second) word = Word::due;
}

std::vector<Jid> ShownContacts::not_named(std::string_view domain) {
    std::vector<Jid> gone;
    const auto found = of_domain_.find(domain);
    if (found == of_domain_.end()) return gone;
    std::set<std::string_view> answered;
    for (const auto& [address, word] : found->second) {
        if (word == Word::given) answered.insert(address.bare());
    }
    for (auto& [address, word] : found->second) {
        if (word == Word::due && answered.contains(address.bare())) gone.push_back(address);
        word = Word::given;
    }
    return gone;
}

// ---- over the end of the process ----

std::string ShownContacts::text() const {
    std::string text;
    std::size_t written = 0;
    for (const auto& [domain, addresses] : of_domain_) {
        for (const auto& [address, word] : addresses) {
            if (written == saved_limit) return text;
            // A shorter one may still fit.
            if (text.size() + address.full().size() >= saved_bytes) continue;
            ++written;
            text += address.full();
            text += '\n';
        }
    }
    return text;
}

std::vector<Jid> ShownContacts::addresses_in(std::string_view text) {
    std::vector<Jid> addresses;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (const auto address = Jid::parse(text.substr(0, end))) addresses.push_back(*address);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return addresses;
}

void ShownContacts::restore(const Jid& contact) {
    add(contact, Word::due);
    restored_ = true;
}

std::vector<std::string> ShownContacts::take_restored() {
    std::vector<std::string> domains;
    if (!std::exchange(restored_, false)) return domains;
    for (const auto& [domain, addresses] : of_domain_) domains.push_back(domain);
    return domains;
}

}  // namespace causeway
