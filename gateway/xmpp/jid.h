// Jid: an XMPP address (RFC 7622), normalised when it is made and immutable afterwards, so that two
// addresses are the same exactly when their bytes are. A copy shares the text, also with other
// threads, and costs no allocation. Text that is no address never becomes a Jid:
// parse, make and the prepare functions answer Cause::malformed with the reason.
//
// Which strings are addresses. Peers disagree on normalization: older ones prepare with stringprep
// (RFC 6122: nodeprep, resourceprep), newer ones with PRECIS (RFC 7622, 8264, 8265). A name that
// only one of them accepts, or that they would fold differently once it is normal, could belong to
// two owners. So local and resource parts are accepted only when both accept them, and the normal
// form is the one of stringprep, which must be left unchanged by either. It is thereby case-folded
// (local part) and both NFC and NFKC. Code points newer than Unicode 3.2 pass stringprep unchanged,
// as in its queries; PRECIS judges them by the tables of the ICU in use.
//
// Domains go through UTS #46 in its non-transitional form (sharp s, final sigma and the joiners are
// kept: under IDNA2008 they make a different registered name, and mapping them would deliver to a
// stranger), must be IDNA2008 throughout, and are stored as U-labels in lower case without the
// final dot. IPv4 and bracketed IPv6 literals are addresses as well; a last label that is numeric
// without being IPv4 ("127.1") is refused, because resolvers guess at those.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/outcome.h"

namespace causeway {

class Jid {
public:
    /// Longest part in bytes of UTF-8, as given and as normalised (RFC 7622 §3.2 to 3.4).
    static constexpr std::size_t max_part = 1023;
    /// Longest address in bytes: three parts and two separators.
    static constexpr std::size_t max_size = 3 * max_part + 2;

    /// The empty Jid, which is no address: "no to", "no from".
    Jid() = default;

    /// Splits at the first '/' and the first '@' before it (RFC 7622 §3.1), and normalises the
    /// parts. About 50 ns for ASCII that is already normal, which is what streams carry.
    static Result<Jid> parse(std::string_view text);

    /// Normalises and joins. An empty `local` or `resource` means that the part is absent.
    static Result<Jid> make(std::string_view local, std::string_view domain,
                            std::string_view resource = {});

    /// Joins parts that came out of the prepare functions or of another Jid; checks nothing.
    static Jid trusted(std::string_view local, std::string_view domain,
                       std::string_view resource = {});

    // The views live as long as this Jid and stay valid until it is assigned to.
    [[nodiscard]] std::string_view local() const { return view().substr(0, local_length()); }
    [[nodiscard]] std::string_view domain() const {
        return view().substr(domain_start(), domain_length());
    }
    [[nodiscard]] std::string_view resource() const {
        return has_resource() ? view().substr(bare_length() + 1) : std::string_view{};
    }
    /// local@domain, or the domain alone.
    [[nodiscard]] std::string_view bare() const { return view().substr(0, bare_length()); }
    [[nodiscard]] std::string_view full() const { return view(); }

    [[nodiscard]] bool has_local() const { return local_length() != 0; }
    [[nodiscard]] bool has_resource() const { return view().size() > bare_length(); }
    [[nodiscard]] bool empty() const { return text_ == nullptr; }

    /// Without the resource.
    [[nodiscard]] Jid bare_jid() const;
    /// The bare address with `already_prepared` (by prepare_resource) as the resource; empty: bare.
    [[nodiscard]] Jid with_resource(std::string_view already_prepared) const;
    /// The domain alone.
    [[nodiscard]] Jid domain_jid() const;

    // The text alone decides: its separators cannot occur in a normal local part or domain.
    friend bool operator==(const Jid& a, const Jid& b) { return a.view() == b.view(); }
    /// Bytewise order, for ordered containers.
    friend std::strong_ordering operator<=>(const Jid& a, const Jid& b) {
        return a.view() <=> b.view();
    }

private:
    /// The normalised text and where its parts end; the characters stand behind it.
    struct Text {
        mutable std::atomic<std::uint32_t> references{0};
        std::uint16_t size;
        std::uint16_t local_length;
        std::uint16_t domain_length;

        [[nodiscard]] const char* characters() const {
            return reinterpret_cast<const char*>(this + 1);
        }
        static void destroy(const Text* text) noexcept;
        friend void intrusive_ptr_add_ref(const Text* text) noexcept {
            text->references.fetch_add(1, std::memory_order_relaxed);
        }
        friend void intrusive_ptr_release(const Text* text) noexcept {
            if (text->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(text);
        }
    };
    using TextRef = boost::intrusive_ptr<const Text>;

    explicit Jid(TextRef text) : text_(std::move(text)) {}
    /// Writes the parts behind each other; one allocation.
    static Jid join(std::string_view local, std::string_view domain, std::string_view resource);

    [[nodiscard]] std::string_view view() const {
        return text_ == nullptr ? std::string_view{}
                                : std::string_view(text_->characters(), text_->size);
    }
    [[nodiscard]] std::size_t local_length() const {
        return text_ == nullptr ? 0U : text_->local_length;
    }
    [[nodiscard]] std::size_t domain_length() const {
        return text_ == nullptr ? 0U : text_->domain_length;
    }
    [[nodiscard]] std::size_t domain_start() const {
        return local_length() == 0 ? 0U : local_length() + 1U;
    }
    [[nodiscard]] std::size_t bare_length() const { return domain_start() + domain_length(); }

    TextRef text_;  ///< none: the empty Jid
};

/// Normal form of a local part; malformed when empty, too long or not allowed (RFC 7622 §3.3).
Result<std::string> prepare_local(std::string_view text);

/// Normal form of a domain or address literal; malformed as above (RFC 7622 §3.2).
Result<std::string> prepare_domain(std::string_view text);

/// Normal form of a resource; malformed as above (RFC 7622 §3.4).
Result<std::string> prepare_resource(std::string_view text);

/// A normalised domain as DNS and TLS want it: A-labels; address literals are returned unchanged
/// (IPv6 with its brackets). Empty when there is no such form.
std::string domain_to_ascii(std::string_view domain);

}  // namespace causeway

template <>
struct std::hash<causeway::Jid> {
    std::size_t operator()(const causeway::Jid& jid) const noexcept {
        return std::hash<std::string_view>{}(jid.full());
    }
};
