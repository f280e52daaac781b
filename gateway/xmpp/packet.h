// Packet: the immutable routed form of a stanza: what routing needs to know, and the canonical
// bytes. Made once per stanza and shared by reference: every recipient, queue and shard holds the
// same bytes. The bytes begin with the `to` attribute, so that another address can be written
// before a shared rest. Object, id and bytes are one allocation.
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

    /// The canonical bytes of a stanza as they stand inside an element of another namespace, where
    /// the stanza declares its own (XEP-0297).
    static std::string forwarded(std::string_view bytes);

    /// The error that answers `stanza` (RFC 6120 §8.3), or nullptr where none may be sent: for an
    /// error, for an iq result, for presence of no consequence. The error to a message that is
    /// worth keeping, and has an id to be known by, is worth keeping too: its sender is to hear of
    /// it.
    static PacketRef error_reply(const Packet& packet, const StanzaError& error);

    /// The same stanza to another address.
    [[nodiscard]] PacketRef readdressed(const Jid& new_to) const;
    /// The same stanza with `child` (canonical XML) appended as the last child.
    [[nodiscard]] PacketRef with_child(std::string_view child) const;

    /// The same message with `<stanza-id/>` of its owner here (XEP-0359) as the last child, and
    /// known by that number. What nobody else holds is changed in place.
    static PacketRef stamped(PacketRef packet, const Jid& by, std::uint64_t stanza_id);

    /// The same message, which has a number, for the archive of its recipient. What nobody else
    /// holds is changed in place.
    static PacketRef for_archive(PacketRef packet);

    /// The same message, which stands in an archive of ours under that number, or holds one that
    /// does: what is sent to one client once more, or as a copy.
    static PacketRef of_archive(PacketRef packet, std::uint64_t stanza_id);

    [[nodiscard]] StanzaKind kind() const { return about_.kind; }
    [[nodiscard]] StanzaType type() const { return about_.type; }
    [[nodiscard]] const Jid& from() const { return about_.from; }
    [[nodiscard]] const Jid& to() const { return about_.to; }
    [[nodiscard]] std::string_view id() const { return {text(), id_size_}; }
    [[nodiscard]] std::string_view bytes() const { return {text() + id_size_, size_}; }
    /// Bytes after the `to` attribute.
    [[nodiscard]] std::string_view rest() const { return bytes().substr(about_.rest_at); }
    /// Appends the stanza with another `to`, without copying the Packet.
    void append_to(std::string& out, const Jid& other_to) const;

    /// A message that is worth keeping for somebody offline (XEP-0160, XEP-0334).
    [[nodiscard]] bool storable() const { return about_.traits.storable; }
    /// An error that says what became of a message. If the session to which it goes never has it,
    /// another of the account does, or the next.
    [[nodiscard]] bool tells_outcome() const {
        return type() == StanzaType::error && !id().empty();
    }
    /// Such an error that was made here, and is worth keeping (see error_reply): nobody waits for
    /// an acknowledgement of it, and nobody would send it again.
    [[nodiscard]] bool lasting_error() const { return type() == StanzaType::error && storable(); }
    [[nodiscard]] const MessageTraits& traits() const { return about_.traits; }
    /// The archive of its recipient keeps it, or what it is a copy of.
    [[nodiscard]] bool archived() const { return about_.archived; }
    /// See Stanza; it does not outlive the process.
    [[nodiscard]] bool directed() const { return about_.directed; }
    [[nodiscard]] const RepeatKeys& repeat_keys() const { return about_.repeat_keys; }
    /// The number that its owner here gave it; 0: none.
    [[nodiscard]] std::uint64_t stanza_id() const { return about_.stanza_id; }

private:
    /// What routing needs to know.
    struct About {
        StanzaKind kind = StanzaKind::message;
        StanzaType type = StanzaType::normal;
        MessageTraits traits;
        bool directed = false;
        bool archived = false;
        std::uint32_t rest_at = 0;
        RepeatKeys repeat_keys;
        std::uint64_t stanza_id = 0;
        Jid from;
        Jid to;
    };
    /// Bytes behind the object itself.
    enum class Room : std::size_t {};

    Packet(About about, std::size_t id_size, std::size_t size, std::size_t room);
    /// One allocation for the object, the id, the bytes (`bytes`, then `more`), and `spare` bytes
    /// that may be added later.
    static PacketRef place(About about, std::string_view id, std::string_view bytes,
                           std::string_view more = {}, std::size_t spare = 0);
    static void* operator new(std::size_t size, Room room) {
        return ::operator new(size + static_cast<std::size_t>(room));
    }
    static void operator delete(void* memory) { ::operator delete(memory); }
    static void operator delete(void* memory, Room) { ::operator delete(memory); }

    friend void intrusive_ptr_add_ref(const Packet* packet) noexcept {
        packet->references_.fetch_add(1, std::memory_order_relaxed);
    }
    friend void intrusive_ptr_release(const Packet* packet) noexcept {
        if (packet->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete packet;
    }
    /// The id as it was, without escapes, then the bytes.
    [[nodiscard]] const char* text() const { return reinterpret_cast<const char*>(this + 1); }

    mutable std::atomic<std::uint32_t> references_{0};
    std::uint32_t id_size_;
    std::uint32_t size_;  ///< of the bytes
    std::uint32_t room_;  ///< for id and bytes
    About about_;
};

}  // namespace causeway
