// ShownContacts: which full addresses of contacts elsewhere a session was shown as available, so
// that it can be shown that they are not any more (unreachable_contacts.cc). They go with the
// session over the end of the process. Owner: the session, in a slot.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/feature/slots.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

class ShownContacts final : public SlotState {
public:
    /// Whether the contact's server has said that it is available since it was asked last.
    enum class Word : unsigned char { given, due };
    using Addresses = std::map<Jid, Word>;

    /// Addresses that are remembered; those beyond are not shown as unavailable.
    static constexpr std::size_t limit = 4000;
    /// Of these, as many go over the end of the process: they are written whenever the session's
    /// record is.
    static constexpr std::size_t saved_limit = 200;
    /// And no more bytes than that, however long contacts make their addresses.
    static constexpr std::size_t saved_bytes = 20'000;

    void available(const Jid& contact);
    /// `contact` may be a bare address: then none of its sessions is.
    void unavailable(const Jid& contact);
    /// All that are available at that domain; they are not any more.
    [[nodiscard]] Addresses take(std::string_view domain);
    /// The domain is back, and its servers are asked.
    void ask_again(std::string_view domain);
    /// Addresses of contacts whose server answered and did not name them. A contact whose server
    /// said nothing is left as it is.
    [[nodiscard]] std::vector<Jid> not_named(std::string_view domain);

    /// For the session's record: some of the addresses.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] static std::vector<Jid> addresses_in(std::string_view text);
    /// A session of an earlier process was shown that one.
    void restore(const Jid& contact);
    /// Domains of what was restored, once.
    [[nodiscard]] std::vector<std::string> take_restored();

private:
    void add(const Jid& contact, Word word);

    std::map<std::string, Addresses, std::less<>> of_domain_;
    std::size_t count_ = 0;
    bool restored_ = false;
};

}  // namespace causeway
