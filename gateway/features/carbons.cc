// XEP-0280 Message Carbons: a client that asks for it gets a copy of what the account's other
// clients send and receive. What is copied: messages of people (§6), unless the sender forbids it
// (XEP-0334, §9). A copy that somebody else made up is removed before it reaches anybody (§11).
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "gateway/features/message_archive.h"
#include "gateway/features/stanza_ids.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

/// The session asked for copies.
struct Enabled final : SlotState {
    /// Numbers of the messages of which it got one last.
    static constexpr std::size_t at_most = 32;
    std::vector<std::uint64_t> given;

    void give(std::uint64_t number) {
        if (given.size() == at_most) given.erase(given.begin());
        given.push_back(number);
    }
};
constexpr Slot<Enabled> enabled_slot{"carbons"};

bool wants_copies(const Resource& session) { return session.slots.get(enabled_slot) != nullptr; }

std::string save(const Resource& session) { return wants_copies(session) ? "on" : ""; }
void restore(Resource& session, std::string_view) { session.slots.make(enabled_slot); }
/// What was on its way to another client that is gone now, or waited for one, does not come to the
/// session once more.
bool had_copy(const Resource& session, std::uint64_t number) {
    const Enabled* enabled = session.slots.get(enabled_slot);
    return enabled != nullptr && std::ranges::find(enabled->given, number) != enabled->given.end();
}
void got_copy(Resource& session, std::uint64_t number) {
    if (Enabled* enabled = session.slots.get(enabled_slot)) enabled->give(number);
}
constexpr std::array<std::string_view, 2> directions{"sent", "received"};  // as Direction
constexpr Metric copies{
    .name = "carbons_copies",
    .help = "Copies of messages that were given to other clients of an account.",
    .label = "direction",
    .values = directions};
constexpr std::array metrics{&copies};

constexpr std::string_view direct_invitation = "jabber:x:conference";

/// An invitation to a room, direct (XEP-0249) or by the room (XEP-0045 §7.8.2).
bool invites(const Packet& packet) {
    bool found = false;
    static_cast<void>(Packet::visit_bytes(packet.bytes(), [&](Stanza& stanza) {
        const Element& message = stanza.element;
        const Element* from_room = message.child(ns::muc_user, "x");
        found = message.child(direct_invitation, "x") != nullptr ||
                (from_room != nullptr && from_room->child(ns::muc_user, "invite") != nullptr);
    }));
    return found;
}

/// What people's clients say to one another without a body. Some send it without a type.
bool converses(const Packet& packet) {
    bool found = false;
    static_cast<void>(Packet::visit_bytes(
        packet.bytes(), [&](Stanza& stanza) { found = of_conversation(stanza); }));
    return found;
}

enum class Direction : unsigned char { sent, received };

/// The rules of §6.1, but for errors: such a copy would be an error without a reason (RFC 6120
/// §8.3.1), which clients show as an error of their own account.
bool is_copied(const Packet& packet, Direction direction) {
    if (packet.kind() != StanzaKind::message) return false;
    const bool instant = packet.type() == StanzaType::chat || packet.type() == StanzaType::normal;
    const MessageTraits& traits = packet.traits();
    if (!instant || traits.not_copied) return false;
    // What an occupant says in private, the room tells each client that is in it.
    if (traits.room_private && direction == Direction::received) return invites(packet);
    return packet.type() == StanzaType::chat || traits.has_body || traits.answers_message ||
           traits.only_chat_state || invites(packet) || converses(packet);
}

std::string forward(std::string_view bytes, Direction direction, std::string_view delay = {}) {
    return XmlBuilder()
        .open(directions[static_cast<std::size_t>(direction)], ns::carbons)
        .open("forwarded", ns::forward)
        .raw(delay)
        .raw(Packet::forwarded(bytes))
        .take();
}

PacketRef make_copy(const Account& account, const Resource& session, StanzaType type,
                    std::string_view inner, std::uint64_t row) {
    PacketRef copy =
        Packet::make(StanzaKind::message, type, account.jid(), session.jid(), {}, inner);
    return row == 0 ? copy : Packet::of_archive(std::move(copy), row);
}

/// A message as the account's clients see it.
struct Shown {
    std::string_view bytes;
    std::uint64_t row = 0;  ///< in the account's archive; 0: none
};

void send_copies(Account& account, const Packet& packet, const Shown& shown, Direction direction,
                 std::span<Resource* const> without) {
    const bool for_the_account = packet.to().bare() == account.jid().bare();
    std::string inner;
    for (Resource* session : account.sessions().all()) {
        if (!wants_copies(*session) || std::ranges::find(without, session) != without.end()) {
            continue;
        }
        if (inner.empty()) inner = forward(shown.bytes, direction);
        session->deliver(make_copy(account, *session, packet.type(), inner, shown.row), 0);
        if (for_the_account && shown.row != 0) {
            session->slots.make(enabled_slot).give(shown.row);
        }
        account.hub().trace.note(packet, {.stage = TraceStage::to_client,
                                          .verdict = TraceVerdict::copied,
                                          .where = session->jid().full()});
        account.hub().metrics.add(copies, static_cast<std::size_t>(direction));
    }
}

bool anybody_else_wants_copies(const Account& account, const Resource& sender) {
    return std::ranges::any_of(account.sessions().all(), [&](const Resource* session) {
        return session != &sender && wants_copies(*session);
    });
}

bool to_itself(const Packet& packet) { return packet.from().bare() == packet.to().bare(); }

Verdict copy_sent(FromClient& from) {
    if (from.stanza.kind != StanzaKind::message) return Verdict::next;
    const bool here = from.hub.serves(from.stanza.to.domain());
    // Behind this it would be taken for the recipient's.
    const std::uint64_t number = here ? std::exchange(from.stanza.stanza_id, 0) : 0;
    if (!anybody_else_wants_copies(from.account, from.session) ||
        !is_copied(*from.packet(), Direction::sent) || to_itself(*from.packet())) {
        return Verdict::next;
    }
    const std::array<Resource*, 1> sender{&from.session};
    const PacketRef& packet = from.packet();
    // XEP-0313 §3.5: the account's own clients learn where the message stands in its archive. One
    // to another domain has an id in any case, for the server there.
    PacketRef shown = packet;
    std::uint64_t row = number;
    if (number != 0) {
        shown = Packet::stamped(packet, from.account.jid(), number);
    } else if (!here && archive::keeps_sent(from.account, *packet)) {
        row = from.stanza.stanza_id;
    } else if (!here) {
        shown = without_ids_of(packet, from.account.jid());
    }
    send_copies(from.account, *packet, {shown->bytes(), row}, Direction::sent, sender);
    return Verdict::next;
}

/// A message arrived, and these sessions have it.
void copy_to_others(Account& account, const Packet& packet, std::span<Resource* const> sessions) {
    const bool wanted = std::ranges::any_of(
        account.sessions().all(), [](const Resource* session) { return wants_copies(*session); });
    if (!wanted || !is_copied(packet, Direction::received)) return;
    const std::uint64_t row = packet.archived() ? packet.stanza_id() : 0;
    if (!to_itself(packet)) {
        send_copies(account, packet, {packet.bytes(), row}, Direction::received, sessions);
        return;
    }
    // A message of the account to itself is copied once, as sent.
    std::vector<Resource*> without(sessions.begin(), sessions.end());
    if (Resource* sender = account.sessions().find(packet.from().resource())) {
        without.push_back(sender);
    }
    send_copies(account, packet, {packet.bytes(), row}, Direction::sent, without);
}

void copy_received(const Delivered& delivered) {
    copy_to_others(delivered.account, *delivered.packet, delivered.sessions);
}

Verdict copy_undelivered(Undelivered& undelivered) {
    if (undelivered.reason != Undelivered::Reason::over_quota) {
        copy_to_others(undelivered.account, *undelivered.packet, {});
    }
    return Verdict::next;
}

/// A session is back after a restart, and missed that message of the archive.
PacketRef copy_from_archive(const Account& account, const Resource& session,
                            const ArchiveRow& message) {
    const auto packet = Packet::from_bytes(message.body);
    if (!packet || !wants_copies(session) || (*packet)->from() == session.jid()) return nullptr;
    const bool received = message.incoming && !to_itself(**packet);
    const Direction direction = received ? Direction::received : Direction::sent;
    if (!is_copied(**packet, direction)) return nullptr;
    const std::string delay = XmlBuilder()
                                  .open("delay", ns::delay)
                                  .attribute("from", account.jid().domain())
                                  .attribute("stamp", format_date_time(time_of_id(message.id)))
                                  .take();
    const bool has_id = message.incoming || !account.hub().serves((*packet)->to().domain());
    const PacketRef shown = has_id ? *packet : Packet::stamped(*packet, account.jid(), message.id);
    account.hub().metrics.add(copies, static_cast<std::size_t>(direction));
    return make_copy(account, session, (*packet)->type(), forward(shown->bytes(), direction, delay),
                     message.id);
}

constexpr std::array session_data{SessionData{.name = "carbons",
                                              .save = save,
                                              .restore = restore,
                                              .copy = copy_from_archive,
                                              .had_copy = had_copy,
                                              .got_copy = got_copy}};

// ---- nobody but the account's own server makes copies ----

void remove_copies(Element& message) {
    const Element* next = nullptr;
    for (const Element* child = message.first_element(); child != nullptr; child = next) {
        next = child->next_element();
        if (child->is(ns::carbons, "sent") || child->is(ns::carbons, "received")) {
            message.remove_child(*child);
        }
    }
}

Verdict remove_forged_by_client(FromClient& from) {
    if (from.stanza.kind == StanzaKind::message) remove_copies(from.stanza.element);
    return Verdict::next;
}

Verdict remove_forged_by_server(FromServer& from) {
    if (from.stanza.kind == StanzaKind::message) remove_copies(from.stanza.element);
    return Verdict::next;
}

// ---- iq ----

void enable(const IqRequest& request) {
    request.sender->slots.make(enabled_slot);
    IqReturn(request).result({});
}

void disable(const IqRequest& request) {
    request.sender->slots.drop(enabled_slot);
    IqReturn(request).result({});
}

void not_here(const IqRequest& request) {
    IqReturn(request).error({.condition = StanzaCondition::not_allowed,
                             .text = "Only a client of this account can ask for copies."});
}

constexpr std::array handlers{
    IqHandler{StanzaType::set, ns::carbons, "enable", IqTarget::own, enable},
    IqHandler{StanzaType::set, ns::carbons, "disable", IqTarget::own, disable},
    IqHandler{StanzaType::set, ns::carbons, "enable", IqTarget::account, not_here,
              IqAudience::presence_subscribers},
    IqHandler{StanzaType::set, ns::carbons, "disable", IqTarget::account, not_here,
              IqAudience::presence_subscribers},
};
constexpr std::array disco_features{ns::carbons};
constexpr std::array from_client{FromClientHook{Phase::rewrite, remove_forged_by_client},
                                 FromClientHook{Phase::copy, copy_sent}};
constexpr std::array from_server{FromServerHook{Phase::rewrite, remove_forged_by_server}};
constexpr std::array delivered{DeliveredHook{Phase::copy, copy_received}};
constexpr std::array undelivered{UndeliveredHook{Phase::copy, copy_undelivered}};

}  // namespace

extern const Feature carbons;
const Feature carbons{.name = "carbons",
                      .xep = 280,
                      .version = "1.0.1",
                      .server_disco = disco_features,
                      .account_disco = disco_features,
                      .iq = handlers,
                      .points = {.from_client = from_client,
                                 .from_server = from_server,
                                 .delivered = delivered,
                                 .undelivered = undelivered},
                      .session_data = session_data,
                      .metrics = metrics};

}  // namespace causeway
