#include "gateway/xmpp/packet.h"

#include <array>
#include <charconv>

#include "gateway/xml/ns.h"
#include "gateway/xml/parser.h"
#include "gateway/xml/writer.h"

namespace causeway {
void Packet::begin(StanzaKind kind, const Jid& to) {
    kind_ = kind;
    to_ = to;
    bytes_ += '<';
    bytes_ += to_string(kind);
    if (!to.empty()) append_attribute(bytes_, "to", to.full());
    rest_at_ = static_cast<std::uint32_t>(bytes_.size());
}

PacketRef Packet::from_stanza(const Stanza& stanza) {
    auto* packet = new Packet;  // owned by the reference made next
    const PacketRef reference(packet);
    packet->bytes_.reserve(512);
    packet->begin(stanza.kind, stanza.to);
    packet->type_ = stanza.type;
    packet->from_ = stanza.from;
    packet->id_ = stanza.id();
    packet->traits_ = traits_of(stanza);
    packet->resend_key_ = stanza.resend_key;
    packet->directed_ = stanza.directed;
    if (!stanza.from.empty()) append_attribute(packet->bytes_, "from", stanza.from.full());
    append_attributes(packet->bytes_, stanza.element, "to", "from");
    if (stanza.element.first_child == nullptr) {
        packet->bytes_ += "/>";
    } else {
        packet->bytes_ += '>';
        append_children(packet->bytes_, stanza.element);
        packet->bytes_ += "</";
        packet->bytes_ += to_string(stanza.kind);
        packet->bytes_ += '>';
    }
    return reference;
}

PacketRef Packet::make(StanzaKind kind, StanzaType type, const Jid& from, const Jid& to,
                       std::string_view id, std::string_view inner) {
    auto* packet = new Packet;  // owned by the reference made next
    const PacketRef reference(packet);
    packet->bytes_.reserve(128 + inner.size());
    packet->begin(kind, to);
    packet->type_ = type;
    packet->from_ = from;
    packet->id_ = id;
    if (!from.empty()) append_attribute(packet->bytes_, "from", from.full());
    if (!id.empty()) append_attribute(packet->bytes_, "id", id);
    const std::string_view type_name = to_string(type);
    if (!type_name.empty() && type != StanzaType::normal) {
        append_attribute(packet->bytes_, "type", type_name);
    }
    if (inner.empty()) {
        packet->bytes_ += "/>";
    } else {
        packet->bytes_ += '>';
        packet->bytes_ += inner;
        packet->bytes_ += "</";
        packet->bytes_ += to_string(kind);
        packet->bytes_ += '>';
    }
    return reference;
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

PacketRef Packet::error_reply(const Packet& packet, const StanzaError& error) {
    if (packet.type_ == StanzaType::error || packet.type_ == StanzaType::result) return nullptr;
    if (packet.from_.empty()) return nullptr;
    std::string inner;
    append_error(inner, error);
    return make(packet.kind_, StanzaType::error, packet.to_, packet.from_, packet.id_, inner);
}

PacketRef Packet::readdressed(const Jid& new_to) const {
    auto* packet = new Packet;  // owned by the reference made next
    const PacketRef reference(packet);
    packet->bytes_.reserve(bytes_.size() + new_to.full().size());
    packet->begin(kind_, new_to);
    packet->bytes_ += rest();
    packet->type_ = type_;
    packet->from_ = from_;
    packet->id_ = id_;
    packet->traits_ = traits_;
    return reference;
}

void Packet::append_child(std::string& bytes, StanzaKind kind, std::string_view child) {
    const std::string_view name = to_string(kind);
    if (bytes.ends_with("/>")) {
        bytes.resize(bytes.size() - 2);
        bytes += '>';
    } else {
        bytes.resize(bytes.size() - name.size() - 3);
    }
    bytes += child;
    bytes += "</";
    bytes += name;
    bytes += '>';
}

PacketRef Packet::with_child(std::string_view child) const {
    auto* packet = new Packet;  // owned by the reference made next
    const PacketRef reference(packet);
    packet->bytes_.reserve(bytes_.size() + child.size() + 16);
    packet->bytes_ = bytes_;
    append_child(packet->bytes_, kind_, child);
    packet->kind_ = kind_;
    packet->type_ = type_;
    packet->traits_ = traits_;
    packet->directed_ = directed_;
    packet->rest_at_ = rest_at_;
    packet->resend_key_ = resend_key_;
    packet->stanza_id_ = stanza_id_;
    packet->from_ = from_;
    packet->to_ = to_;
    packet->id_ = id_;
    return reference;
}

PacketRef Packet::stamped(PacketRef packet, const Jid& by, std::uint64_t stanza_id) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), stanza_id).ptr;
    std::string child = "<stanza-id";
    append_attribute(child, "xmlns", ns::stanza_ids);
    append_attribute(child, "by", by.bare());
    append_attribute(child, "id", {digits.data(), static_cast<std::size_t>(end - digits.data())});
    child += "/>";
    const bool shared = packet->references_.load(std::memory_order_acquire) != 1;
    if (shared) packet = packet->with_child(child);
    // Nobody but the caller sees it.
    auto& own = const_cast<Packet&>(*packet);
    if (!shared) append_child(own.bytes_, own.kind_, child);
    own.stanza_id_ = stanza_id;
    return packet;
}

void Packet::append_to(std::string& out, const Jid& other_to) const {
    out += '<';
    out += to_string(kind_);
    append_attribute(out, "to", other_to.full());
    out += rest();
}

}  // namespace causeway
