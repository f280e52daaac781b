#include "gateway/xmpp/packet.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "gateway/xml/ns.h"
#include "gateway/xml/parser.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

// Room for the stanza-id that a message gets at its recipient's home, besides the address in it.
constexpr std::size_t stamp_room = 80;

/// Where the bytes of a packet are put together, so that the packet can be made in its size. Each
/// thread has one string, empty at first here; nothing but the writer is called while it is in use.
std::string& draft() {
    constexpr std::size_t kept = 65536;
    thread_local std::string bytes;
    bytes.clear();
    if (bytes.capacity() > kept) std::string().swap(bytes);
    return bytes;
}

/// Begins a stanza; returns the size of what depends on its recipient.
std::uint32_t begin(std::string& bytes, StanzaKind kind, const Jid& to) {
    bytes += '<';
    bytes += to_string(kind);
    if (!to.empty()) append_attribute(bytes, "to", to.full());
    return static_cast<std::uint32_t>(bytes.size());
}

void append_end_tag(std::string& bytes, StanzaKind kind) {
    bytes += "</";
    bytes += to_string(kind);
    bytes += '>';
}

/// How many bytes of a whole stanza stand before its end tag, or before the "/>" of an empty one.
std::size_t content_end(std::string_view bytes, StanzaKind kind) {
    return bytes.size() - (bytes.ends_with("/>") ? 2 : to_string(kind).size() + 3);
}

/// What follows those bytes when `child` is added.
const std::string& draft_tail(std::string_view bytes, StanzaKind kind, std::string_view child) {
    std::string& tail = draft();
    if (bytes.ends_with("/>")) tail += '>';
    tail += child;
    append_end_tag(tail, kind);
    return tail;
}

}  // namespace

Packet::Packet(About about, std::size_t id_size, std::size_t size, std::size_t room)
    : id_size_(static_cast<std::uint32_t>(id_size)),
      size_(static_cast<std::uint32_t>(size)),
      room_(static_cast<std::uint32_t>(room)),
      about_(std::move(about)) {}

PacketRef Packet::place(About about, std::string_view id, std::string_view bytes,
                        std::string_view more, std::size_t spare) {
    const std::size_t size = bytes.size() + more.size();
    const std::size_t room = id.size() + size + spare;
    auto* const packet = new (Room{room}) Packet(std::move(about), id.size(), size, room);
    PacketRef reference(packet);
    char* at = const_cast<char*>(packet->text());
    for (const std::string_view part : {id, bytes, more}) {
        at = std::copy(part.begin(), part.end(), at);
    }
    return reference;
}

PacketRef Packet::from_stanza(const Stanza& stanza) {
    std::string& bytes = draft();
    const std::uint32_t rest_at = begin(bytes, stanza.kind, stanza.to);
    if (!stanza.from.empty()) append_attribute(bytes, "from", stanza.from.full());
    append_attributes(bytes, stanza.element, "to", "from");
    if (stanza.element.first_child == nullptr) {
        bytes += "/>";
    } else {
        bytes += '>';
        append_children(bytes, stanza.element);
        append_end_tag(bytes, stanza.kind);
    }
    const bool stamped = stanza.kind == StanzaKind::message && stanza.to.has_local();
    return place({.kind = stanza.kind,
                  .type = stanza.type,
                  .traits = traits_of(stanza),
                  .directed = stanza.directed,
                  .archived = false,
                  .rest_at = rest_at,
                  .repeat_keys = stanza.repeat_keys,
                  .stanza_id = 0,
                  .from = stanza.from,
                  .to = stanza.to},
                 stanza.id(), bytes, {}, stamped ? stamp_room + stanza.to.bare().size() : 0);
}

PacketRef Packet::make(StanzaKind kind, StanzaType type, const Jid& from, const Jid& to,
                       std::string_view id, std::string_view inner) {
    std::string& bytes = draft();
    const std::uint32_t rest_at = begin(bytes, kind, to);
    if (!from.empty()) append_attribute(bytes, "from", from.full());
    if (!id.empty()) append_attribute(bytes, "id", id);
    const std::string_view type_name = to_string(type);
    if (!type_name.empty() && type != StanzaType::normal) {
        append_attribute(bytes, "type", type_name);
    }
    if (inner.empty()) {
        bytes += "/>";
    } else {
        bytes += '>';
        bytes += inner;
        append_end_tag(bytes, kind);
    }
    return place({.kind = kind,
                  .type = type,
                  .traits = {},
                  .directed = false,
                  .archived = false,
                  .rest_at = rest_at,
                  .repeat_keys = {},
                  .stanza_id = 0,
                  .from = from,
                  .to = to},
                 id, bytes);
}

Result<PacketRef> Packet::from_bytes(std::string_view bytes) {
    PacketRef packet;
    Outcome visited = visit_bytes(bytes, [&](Stanza& stanza) { packet = from_stanza(stanza); });
    if (!visited) return visited;
    return packet;
}

Outcome Packet::visit_bytes(std::string_view bytes, const std::function<void(Stanza&)>& visit) {
    XmlStreamParser parser(XmlFraming::message, ns::client);
    XmlLimits limits;
    limits.stanza_bytes = limits.token_bytes = bytes.size() + 1024;
    limits.children = limits.depth = limits.attributes = limits.attribute_bytes = bytes.size() + 64;
    limits.namespaces = limits.namespace_name = bytes.size() + 64;
    parser.set_limits(limits);
    // The content namespace is implied in canonical bytes; here it is the root's default.
    std::string framed;
    framed.reserve(bytes.size() + 32);
    framed += "<w xmlns='jabber:client'>";
    framed += bytes;
    framed += "</w>";
    if (parser.feed(framed) != XmlEvent::element) {
        return Outcome::malformed("a stored stanza cannot be read");
    }
    Element* element = parser.element().first_element();
    const auto kind = element == nullptr ? std::nullopt : stanza_kind(*element);
    const auto type = kind ? stanza_type(*kind, *element) : std::nullopt;
    if (!type) return Outcome::malformed("a stored stanza is of no known kind");
    Stanza stanza{*element, parser.arena(), *kind, *type, {}, {}};
    if (auto from = Jid::parse(element->attribute("from")); from) stanza.from = *from;
    if (auto to = Jid::parse(element->attribute("to")); to) stanza.to = *to;
    visit(stanza);
    return {};
}

std::string Packet::forwarded(std::string_view bytes) {
    const std::size_t name_end = bytes.find_first_of(" />");
    std::string copy(bytes.substr(0, name_end));
    append_attribute(copy, "xmlns", ns::client);
    copy += bytes.substr(name_end);
    return copy;
}

PacketRef Packet::error_reply(const Packet& packet, const StanzaError& error) {
    const About& about = packet.about_;
    if (about.type == StanzaType::error || about.type == StanzaType::result) return nullptr;
    if (about.from.empty()) return nullptr;
    std::string inner;
    append_error(inner, error);
    PacketRef reply = make(about.kind, StanzaType::error, about.to, about.from, packet.id(), inner);
    const bool lasting = about.traits.storable && !packet.id().empty();
    const_cast<Packet&>(*reply).about_.traits.storable = lasting;  // nobody else sees it yet
    return reply;
}

PacketRef Packet::readdressed(const Jid& new_to) const {
    std::string& start = draft();
    const std::uint32_t rest_at = begin(start, about_.kind, new_to);
    return place({.kind = about_.kind,
                  .type = about_.type,
                  .traits = about_.traits,
                  .directed = false,
                  .archived = false,
                  .rest_at = rest_at,
                  .repeat_keys = {},
                  .stanza_id = 0,
                  .from = about_.from,
                  .to = new_to},
                 id(), start, rest());
}

PacketRef Packet::with_child(std::string_view child) const {
    const std::string& tail = draft_tail(bytes(), about_.kind, child);
    return place(about_, id(), bytes().substr(0, content_end(bytes(), about_.kind)), tail);
}

PacketRef Packet::stamped(PacketRef packet, const Jid& by, std::uint64_t stanza_id) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), stanza_id).ptr;
    const std::string_view number{digits.data(), static_cast<std::size_t>(end - digits.data())};
    std::string& tail = draft();
    const std::string_view bytes = packet->bytes();
    if (bytes.ends_with("/>")) tail += '>';
    tail += "<stanza-id";
    append_attribute(tail, "xmlns", ns::stanza_ids);
    append_attribute(tail, "by", by.bare());
    append_attribute(tail, "id", number);
    tail += "/>";
    append_end_tag(tail, packet->kind());
    const std::size_t kept = content_end(bytes, packet->kind());
    const std::size_t size = kept + tail.size();
    if (packet->references_.load(std::memory_order_acquire) != 1 ||
        packet->id_size_ + size > packet->room_) {
        packet = place(packet->about_, packet->id(), bytes.substr(0, kept), tail);
    } else {
        // Nobody but the caller sees it.
        auto& own = const_cast<Packet&>(*packet);
        std::copy(tail.begin(), tail.end(), const_cast<char*>(own.bytes().data()) + kept);
        own.size_ = static_cast<std::uint32_t>(size);
    }
    const_cast<Packet&>(*packet).about_.stanza_id = stanza_id;
    return packet;
}

PacketRef Packet::for_archive(PacketRef packet) {
    if (packet->references_.load(std::memory_order_acquire) != 1) {
        packet = place(packet->about_, packet->id(), packet->bytes());
    }
    const_cast<Packet&>(*packet).about_.archived = true;
    return packet;
}

PacketRef Packet::of_archive(PacketRef packet, std::uint64_t stanza_id) {
    packet = for_archive(std::move(packet));
    const_cast<Packet&>(*packet).about_.stanza_id = stanza_id;
    return packet;
}

void Packet::append_to(std::string& out, const Jid& other_to) const {
    out += '<';
    out += to_string(about_.kind);
    append_attribute(out, "to", other_to.full());
    out += rest();
}

}  // namespace causeway
