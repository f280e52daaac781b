// XEP-0424 Message Retraction: who takes a message back finds a tombstone in its place in both
// archives, its own and the other side's. The retraction itself is archived and delivered as any
// other message, whether there was something to be taken back or not.
//
// A message is looked for among the latest of the conversation, one retraction after the other: it
// is found by no index, and a client or another server that takes back what never was must not make
// the store read whole archives. See docs/memory.md for the limits.
#include <fmt/format.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/features/archive/archive.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway::archive {
namespace {

/// Messages of the conversation that are looked through, the latest first.
constexpr std::size_t looked_through = 2000;
constexpr std::size_t rows_at_once = 250;
constexpr std::size_t bytes_at_once = 1U << 20U;
/// Retractions of one account that may wait for their turn. What comes beyond leaves no tombstone.
constexpr std::size_t waiting_limit = 50;

/// One retraction, as it concerns one account.
struct Retraction {
    PacketRef packet;
    bool incoming = false;

    [[nodiscard]] const Jid& other() const { return incoming ? packet->from() : packet->to(); }
};

/// Of an account.
struct Retractions final : SlotState {
    std::deque<Retraction> waiting;
    bool running = false;
};
constexpr Slot<Retractions> retractions_slot{"message-retractions"};

/// The id of the message that is taken back; empty: none.
std::string retracted_id(const Packet& packet) {
    std::string id;
    static_cast<void>(Packet::visit_bytes(packet.bytes(), [&](const Stanza& stanza) {
        const Element* retract = stanza.element.child(ns::retraction, "retract");
        if (retract != nullptr) id = std::string(retract->attribute("id"));
    }));
    return id;
}

/// What stays of a message: addresses, type and id, and the ids that servers gave it.
std::string tombstone_of(const Stanza& message, std::string_view retraction_id, UnixMillis at) {
    XmlBuilder inner;
    inner.open("retracted", ns::retraction)
        .attribute("id", retraction_id)
        .attribute("stamp", format_date_time(at))
        .close();
    for (const Element* child = message.element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (!child->is(ns::stanza_ids, "stanza-id")) continue;
        std::string id;
        append_element(id, *child, ns::client);
        inner.raw(id);
    }
    const PacketRef packet = Packet::make(StanzaKind::message, message.type, message.from,
                                          message.to, message.id(), inner.take());
    return std::string(packet->bytes());
}

void begin_next(Account& account);

/// The search for the message that one retraction takes back. Lives as long as a question of it is
/// open, and keeps the account as long.
class Search : public std::enable_shared_from_this<Search> {
public:
    Search(Account& account, Retraction retraction)
        : account_(account),
          retraction_(std::move(retraction)),
          id_(retracted_id(*retraction_.packet)) {
        query_.owner = std::string(account.jid().bare());
        query_.with = std::string(retraction_.other().bare());
        query_.from_end = true;
        query_.rows = rows_at_once;
        query_.bytes = bytes_at_once;
    }

    void next_page() {
        account_.hub().shared.store.archive_page(
            query_, account_.hub().shard,
            [self = shared_from_this()](const Result<ArchivePage>& page) {
                if (!page) {
                    self->finish(page.error());
                } else {
                    self->look_through(*page);
                }
            });
    }

private:
    void look_through(const ArchivePage& page) {
        for (auto row = page.rows.rbegin(); row != page.rows.rend(); ++row) {
            const auto body = tombstone_for(*row);
            if (!body) continue;
            Batch batch;
            batch.archive_replace(query_.owner, row->id, *body);
            note_taken_back(*row);
            account_.hub().shared.store.commit(
                std::move(batch), account_.hub().shard,
                [self = shared_from_this()](const Outcome& stored) { self->finish(stored); });
            return;
        }
        looked_through_ += page.rows.size();
        if (page.complete || looked_through_ >= looked_through) {
            finish({});
            return;
        }
        query_.before = page.reached;
        next_page();
    }

    /// For "causewayctl why": whoever gets the message from now on gets it without its words.
    void note_taken_back(const ArchiveRow& row) const {
        const auto message = Packet::from_bytes(row.body);
        if (!message) return;
        const std::string reason = fmt::format(
            "it was taken back by {}, and only a tombstone stands there", retraction_.packet->id());
        account_.hub().trace.note(**message, {.stage = TraceStage::archive,
                                              .verdict = TraceVerdict::skipped,
                                              .where = query_.owner,
                                              .reason = reason,
                                              .stanza_id = row.id});
    }

    /// In a room each occupant has a resource of its own.
    [[nodiscard]] bool same_author(const Stanza& message) const {
        const Jid& author = retraction_.packet->from();
        const bool in_room = message.element.child(ns::muc_user, "x") != nullptr ||
                             retraction_.packet->traits().room_private;
        return in_room ? message.from == author : message.from.bare() == author.bare();
    }

    /// nullopt: it is another message.
    [[nodiscard]] std::optional<std::string> tombstone_for(const ArchiveRow& row) const {
        if (row.incoming != retraction_.incoming) return {};
        std::optional<std::string> body;
        static_cast<void>(Packet::visit_bytes(row.body, [&](const Stanza& message) {
            // Only its author takes a message back (§5), and a retraction is none that can be.
            if (message.id() != id_ || !same_author(message) ||
                message.element.child(ns::retraction, "retract") != nullptr) {
                return;
            }
            body = tombstone_of(message, retraction_.packet->id(), account_.hub().clock().wall());
        }));
        return body;
    }

    void finish(const Outcome& outcome) {
        if (!outcome) {
            CAUSEWAY_LOG(error, "archive.not_retracted", {"jid", account_.jid().bare()},
                         {"cause", outcome.why()});
        }
        account_.slots.get(retractions_slot)->running = false;
        begin_next(account_);
        account_.end_question();
    }

    Account& account_;
    const Retraction retraction_;
    const std::string id_;
    ArchiveQuery query_;
    std::size_t looked_through_ = 0;
};

void begin_next(Account& account) {
    Retractions& retractions = *account.slots.get(retractions_slot);
    if (retractions.running || retractions.waiting.empty()) return;
    retractions.running = true;
    const auto search = std::make_shared<Search>(account, std::move(retractions.waiting.front()));
    retractions.waiting.pop_front();
    account.begin_question();
    // The message may have come a moment before.
    account.hub().ledger.when_readable([search] { search->next_page(); });
}

void retract(Account& account, Retraction retraction) {
    if (retraction.packet->id().empty() || retracted_id(*retraction.packet).empty() ||
        !keeps(account, retraction.other())) {
        return;
    }
    Retractions& retractions = account.slots.make(retractions_slot);
    if (retractions.waiting.size() >= waiting_limit) return;
    retractions.waiting.push_back(std::move(retraction));
    begin_next(account);
}

/// A retraction that the archive itself is told to forget leaves no tombstone: nothing would say
/// what became of the message.
bool is_retraction(const Packet& packet) {
    return packet.traits().retracts && packet.traits().archivable;
}

Verdict retract_sent(FromClient& from) {
    if (from.stanza.kind != StanzaKind::message ||
        from.stanza.to.bare() == from.account.jid().bare() || !is_retraction(*from.packet())) {
        return Verdict::next;
    }
    from.account.when_loaded(
        [&account = from.account, packet = from.packet()](const Outcome& loaded) {
            if (loaded) retract(account, {.packet = packet, .incoming = false});
        });
    return Verdict::next;
}

Verdict retract_received(AtAccount& at) {
    if (is_retraction(*at.packet)) retract(at.account, {.packet = at.packet, .incoming = true});
    return Verdict::next;
}

void tell_features(const DiscoQuery& query, DiscoInfo& info) {
    if (!query.node.empty() || !offered(query.hub, query.to.domain())) return;
    info.features.emplace_back(ns::retraction);
    info.features.emplace_back(ns::retraction_tombstones);
}

// Behind the hooks of the archive, which are of the same phase.
constexpr std::array from_client{FromClientHook{Phase::archive, retract_sent}};
constexpr std::array at_account{
    AtAccountHook{StanzaKind::message, Phase::archive, retract_received}};
constexpr std::array sources{DiscoSource{.of = DiscoSource::Of::account, .info = tell_features},
                             DiscoSource{.of = DiscoSource::Of::server, .info = tell_features}};

}  // namespace
}  // namespace causeway::archive

namespace causeway {

extern const Feature message_retraction;
const Feature message_retraction{
    .name = "message_retraction",
    .xep = 424,
    .version = "0.4.2",
    .disco = archive::sources,
    .points = {.from_client = archive::from_client, .at_account = archive::at_account}};

}  // namespace causeway
