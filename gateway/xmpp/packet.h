// Packet: the immutable routed form of a stanza: what routing needs to know, and the canonical
// bytes. Made once per stanza and shared by reference: every recipient, queue and shard holds the
// same bytes. The bytes begin with the `to` attribute, so that another address can be written
// before a shared rest.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "gateway/xmpp/errors.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/message_traits.h"
#include "gateway/xmpp/stanza.h"

namespace causeway {

class Packet;
using PacketRef = boost::intrusive_ptr<const Packet>;

class Packet {
public:
    Packet(const Packet&) = delete;
    Packet& operator=(const Packet&) = delete;
    ~Packet() = default;

    /// Writes the stanza canonically, with its `from` and `to` as in the Stanza.
    static PacketRef from_stanza(const Stanza& stanza);

    /// Builds one from parts; `inner` is inner XML with jabber:client in scope.
    static PacketRef make(StanzaKind kind, StanzaType type, const Jid& from, const Jid& to,
                          std::string_view id, std::string_view inner);

    /// Parses canonical bytes of our own (from the store). Malformed if they are not ours.
    static Result<PacketRef> from_bytes(std::string_view bytes);

    /// Parses canonical bytes and shows the stanza to `visit`; malformed as above.
    static Outcome visit_bytes(std::string_view bytes, const std::function<void(Stanza&)>& visit);

    /// The error that answers `stanza` (RFC 6120 §8.3), or nullptr where none may be sent: for an
    /// error, for an iq result, for presence of no consequence.
    static PacketRef error_reply(const Packet& packet, const StanzaError& error);

    /// The same stanza to another address.
    [[nodiscard]] PacketRef readdressed(const Jid& new_to) const;
    /// The same stanza with `child` (canonical XML) appended as the last child.
    [[nodiscard]] PacketRef with_child(std::string_view child) const;

    /// The same message with `<stanza-id/>` of its owner here (XEP-0359) as the last child, and
    /// known by that number. What nobody else holds is changed in place.
    static PacketRef stamped(PacketRef packet, const Jid& by, std::uint64_t stanza_id);

    [[nodiscard]] StanzaKind kind() const { return kind_; }
    [[nodiscard]] StanzaType type() const { return type_; }
    [[nodiscard]] const Jid& from() const { return from_; }
    [[nodiscard]] const Jid& to() const { return to_; }
    [[nodiscard]] std::string_view id() const { return id_; }
    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    /// Bytes after the `to` attribute.
    [[nodiscard]] std::string_view rest() const {
        return std::string_view(bytes_).substr(rest_at_);
    }
    /// Appends the stanza with another `to`, without copying the Packet.
    void append_to(std::string& out, const Jid& other_to) const;

    /// A message that is worth keeping for somebody offline (XEP-0160, XEP-0334).
    [[nodiscard]] bool storable() const { return traits_.storable; }
    [[nodiscard]] const MessageTraits& traits() const { return traits_; }
    /// See Stanza; it does not outlive the process.
    [[nodiscard]] bool directed() const { return directed_; }
    [[nodiscard]] std::uint64_t resend_key() const { return resend_key_; }
    /// The number that its owner here gave it; 0: none.
    [[nodiscard]] std::uint64_t stanza_id() const { return stanza_id_; }

private:
    Packet() = default;
    friend void intrusive_ptr_add_ref(const Packet* packet) noexcept {
        packet->references_.fetch_add(1, std::memory_order_relaxed);
    }
    friend void intrusive_ptr_release(const Packet* packet) noexcept {
        if (packet->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete packet;
    }
    void begin(StanzaKind kind, const Jid& to);
    /// Appends a child to `bytes`, which are those of a whole stanza of that kind.
    static void append_child(std::string& bytes, StanzaKind kind, std::string_view child);

    mutable std::atomic<unsigned> references_{0};
    StanzaKind kind_ = StanzaKind::message;
    StanzaType type_ = StanzaType::normal;
    MessageTraits traits_;
    bool directed_ = false;
    std::uint32_t rest_at_ = 0;
    std::uint64_t resend_key_ = 0;
    std::uint64_t stanza_id_ = 0;
    Jid from_;
    Jid to_;
    std::string id_;
    std::string bytes_;
};

}  // namespace causeway
