// XEP-0054 vcard-temp: an account's card, for itself and for those that may know that there is such
// an account: contacts that may see its presence, whoever it has asked for theirs, and whom it
// sends presence by itself, such as the rooms that it is in, unless access rules hide it from them.
// A room asks for its occupants, who want to see each other's avatars. For everybody else, and for
// a card that is not there, the answer is that of an account that does not exist.
//
// XEP-0153: the hash of the photo in the card stands in every available presence of the account,
// as XEP-0398 §4 says: where the client left it out or named another one; a client that says that
// it has no image is left alone, and what it says is told from what is put here. When the photo
// changes, the available sessions' presence is sent anew. The hash is a store of its own, read with
// the account: the card is not.
#include "gateway/features/vcard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/base/encoding.h"
#include "gateway/config/feature_option.h"
#include "gateway/features/account_queue.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/route/router.h"
#include "gateway/sasl/scram_keys.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

constexpr std::string_view card_store = "vcard";
constexpr std::string_view photo_store = "vcard-photo";
constexpr std::string_view key = "current";

constexpr FeatureOption bytes{.key = "vcard.bytes",
                              .kind = FeatureOption::Kind::integer,
                              .form = {},
                              .example = "131072",
                              .doc = "Bytes of XML that a card may have, its photo included.",
                              .minimum = 0,
                              .maximum = 16'777'216,
                              .fallback = 131'072,
                              .section_doc = "The cards of accounts, with their photos (XEP-0054).",
                              .per_domain = true};
constexpr std::array options{&bytes};

struct Photo final : SlotState {
    std::string hash;  ///< SHA-1 in hexadecimal; empty: there is no photo
};
constexpr Slot<Photo> photo_slot{"vcard photo"};
constexpr Slot<AccountQueue> queue{"vcard"};

/// The client of the session says that it has no image.
struct NoImage final : SlotState {};
constexpr Slot<NoImage> no_image_slot{"vcard no image"};

std::string save(const Resource& session) {
    return session.slots.get(no_image_slot) == nullptr ? "" : "on";
}
void restore(Resource& session, std::string_view) { session.slots.make(no_image_slot); }
constexpr std::array session_data{SessionData{"vcard", save, restore}};

std::string hash_of(const Account& account) {
    const Photo* photo = account.slots.get(photo_slot);
    return photo == nullptr ? std::string{} : photo->hash;
}

void load_photo(Account& account, const std::vector<MapEntry>& entries) {
    const auto found = std::ranges::find(entries, key, &MapEntry::key);
    if (found == entries.end()) {
        account.slots.drop(photo_slot);
    } else {
        account.slots.make(photo_slot).hash = found->value;
    }
}

// ---- presence ----

/// An empty `<photo/>`; nullptr: there is none.
const Element* empty_photo(const Stanza& presence) {
    const Element* update = presence.element.child(ns::vcard_update, "x");
    const Element* photo = update == nullptr ? nullptr : update->child(ns::vcard_update, "photo");
    return photo != nullptr && photo->text(presence.arena).empty() ? photo : nullptr;
}

/// Whether the client has no image, by what it broadcasts.
void note_image(FromClient& from) {
    if (!from.stanza.to.empty()) return;
    if (empty_photo(from.stanza) != nullptr) {
        from.session.slots.make(no_image_slot);
    } else {
        from.session.slots.drop(no_image_slot);
    }
}

/// Of elements of that name the first counts. What stands behind it could say something else to
/// those who read the last.
void keep_first(Element& around, std::string_view name) {
    const Element* first = around.child(ns::vcard_update, name);
    const Element* next = first == nullptr ? nullptr : first->next_element();
    while (next != nullptr) {
        const Element& one = *next;
        next = next->next_element();
        if (one.is(ns::vcard_update, name)) around.remove_child(one);
    }
}

/// Puts the hash into a presence, or says that there is no photo any more where one is named.
void correct(Stanza& presence, const std::string& hash) {
    Element& element = presence.element;
    keep_first(element, "x");
    Element* update = element.child(ns::vcard_update, "x");
    if (update != nullptr) keep_first(*update, "photo");
    if (update == nullptr) {
        if (hash.empty()) return;
        update = &element.add_child(presence.arena, ns::vcard_update, "x");
    }
    const Element* photo = update->child(ns::vcard_update, "photo");
    if (photo == nullptr) {
        if (hash.empty()) return;  // it is not ready to advertise an image
    } else {
        const std::string_view told = photo->text(presence.arena);
        if (told.empty() || told == hash) return;
        update->remove_child(*photo);
    }
    Element& corrected = update->add_child(presence.arena, ns::vcard_update, "photo");
    if (!hash.empty()) corrected.add_text(presence.arena, presence.arena.copy(hash));
}

/// Who wrote the presence: the client, or it was corrected here.
enum class Words : unsigned char { of_client, ours };

/// Sends that session's presence through the server once more, as if its client had. It replaces
/// `presence` with the session, so this has its own reference.
void send_again(Account& account, Resource& session, PacketRef presence, Words words) {
    static_cast<void>(Packet::visit_bytes(presence->bytes(), [&](Stanza& stanza) {
        if (words == Words::ours) {
            if (const Element* photo = empty_photo(stanza)) {
                stanza.element.child(ns::vcard_update, "x")->remove_child(*photo);
            }
        }
        account.hub().routing->from_client(stanza, account, session, {});
    }));
}

Verdict correct_presence(FromClient& from) {
    if (from.stanza.kind != StanzaKind::presence || from.stanza.type != StanzaType::available) {
        return Verdict::next;
    }
    if (from.account.loaded()) {
        note_image(from);
        correct(from.stanza, hash_of(from.account));
        return Verdict::next;
    }
    // Whether there is a photo is not known yet.
    Account& account = from.account;
    account.hub().settle(from.ticket);
    account.when_loaded([&account, packet = from.packet()](const Outcome&) {
        Resource* const session = account.sessions().find(packet->from().resource());
        if (session != nullptr && account.loaded())
            send_again(account, *session, packet, Words::of_client);
    });
    return Verdict::taken;
}

// ---- the card ----

/// What an account that does not exist is answered for.
StanzaError absent() { return {.condition = StanzaCondition::service_unavailable, .text = {}}; }

StanzaError unreadable() {
    return {.condition = StanzaCondition::internal_server_error,
            .text = "The card cannot be read or written at the moment.",
            .type = "wait"};
}

StanzaError busy() {
    return {.condition = StanzaCondition::resource_constraint,
            .text = "Too many requests are under way; try again."};
}

/// Whether one of its clients has sent presence to that address by itself, or to one of its
/// resources: who shares a room with it has another one than the client joined with.
bool has_directed_presence(const Account& account, const Jid& who) {
    return std::ranges::any_of(account.sessions().all(), [&](const Resource* session) {
        return std::ranges::any_of(session->directed,
                                   [&](const Jid& to) { return to.bare() == who.bare(); });
    });
}

bool may_know(const Account& account, const Jid& who) {
    if (account.known_to(who) || has_directed_presence(account, who)) return true;
    const RosterItem* item = account.roster().items().find(who.bare_jid());
    return item != nullptr && (item->state.to || item->state.pending_out);
}

void read(const IqRequest& request, bool own) {
    const IqReturn back(request);
    Account& account = *request.account;
    const auto look = [back, own, &account](const AccountQueue::Done& done) {
        back.hub.shared.store.map_get(
            std::string(card_store), std::string(account.jid().bare()), std::string(key),
            back.hub.shard, [back, own, done](const Result<std::optional<std::string>>& card) {
                if (!card) {
                    back.error(unreadable());
                } else if (card->has_value()) {
                    back.result(**card);
                } else if (own) {
                    // §3.1 allows an error as well, but some libraries make a failure of it.
                    back.result(XmlBuilder().empty("vCard", ns::vcard).take());
                } else {
                    back.error(absent());
                }
                done();
            });
    };
    conversions::when_in_step(account, [back, &account, look] {
        if (!AccountQueue::enter(account, queue, look)) back.error(busy());
    });
}

void get_own(const IqRequest& request) { read(request, true); }

void get(const IqRequest& request) {
    if (may_know(*request.account, request.stanza.from)) {
        read(request, false);
    } else {
        IqReturn(request).error(absent());
    }
}

/// The hash of the photo in the card; empty if there is none, or none that can be read.
std::string photo_of(const Element& card, Arena& arena) {
    const Element* photo = card.child(ns::vcard, "PHOTO");
    const Element* data = photo == nullptr ? nullptr : photo->child(ns::vcard, "BINVAL");
    if (data == nullptr) return {};
    std::string text(data->text(arena));
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    const auto image = base64_decode(text);
    if (!image || image->empty()) return {};
    return hex_encode(scram_digest(ScramHash::sha1, *image));
}

/// The account has another photo from now on.
void adopt(Account& account, const std::string& hash) {
    if (hash == hash_of(account)) return;
    account.slots.make(photo_slot).hash = hash;
    const std::vector<Resource*> sessions = account.sessions().all();
    for (Resource* session : sessions) {
        if (session->available() && session->slots.get(no_image_slot) == nullptr) {
            send_again(account, *session, session->presence, Words::ours);
        }
    }
}

/// A card that is to be stored, which is not too large.
struct NewCard {
    std::string card;
    std::string hash;          ///< of its photo
    std::string before;        ///< the card that it replaces
    std::string_view by = {};  ///< as in conversions::DataChange
};

std::size_t limit_of(const Account& account) {
    return static_cast<std::size_t>(bytes.integer(*account.hub().config, account.jid().domain()));
}

std::string too_large(const Account& account, const std::string& card) {
    return fmt::format("A card has at most {} bytes here; this one has {}.", limit_of(account),
                       card.size());
}

/// Stores the card. When it is durable, `told` hears of it before anybody else; `ended` is called
/// last.
void commit(Account& account, const NewCard& next, std::function<void(const Outcome&)> told,
            const AccountQueue::Done& ended) {
    Batch batch;
    batch.map_set(card_store, account.jid().bare(), key, next.card);
    batch.map_set(photo_store, account.jid().bare(), key, next.hash);
    account.hub().shared.store.commit(
        std::move(batch), account.hub().shard,
        [&account, hash = next.hash, before = next.before, by = next.by, told = std::move(told),
         ended](const Outcome& outcome) {
            if (outcome) account.stored_anew();
            told(outcome);
            if (outcome) {
                adopt(account, hash);
                conversions::announce(
                    account,
                    {.place = conversions::DataChange::Place::card, .before = before, .by = by});
            }
            ended();
        });
}

void read_stored(Account& account, std::function<void(const Result<std::string>&)> then) {
    account.hub().shared.store.map_get(
        std::string(card_store), std::string(account.jid().bare()), std::string(key),
        account.hub().shard,
        [then = std::move(then)](const Result<std::optional<std::string>>& card) {
            if (card) {
                then(card->value_or(std::string{}));
            } else {
                then(card.error());
            }
        });
}

void set(const IqRequest& request) {
    const IqReturn back(request);
    Account& account = *request.account;
    std::string card;
    append_element(card, request.payload, ns::client);
    if (card.size() > limit_of(account)) {
        back.error(
            {.condition = StanzaCondition::policy_violation, .text = too_large(account, card)});
        return;
    }
    const auto change = [back, &account, card = std::move(card),
                         hash = photo_of(request.payload, request.stanza.arena)](
                            const AccountQueue::Done& done) {
        read_stored(account, [back, &account, card, hash, done](const Result<std::string>& before) {
            if (!before) {
                back.error(unreadable());
                done();
                return;
            }
            const auto answer = [back](const Outcome& outcome) {
                if (outcome) {
                    back.result({});
                } else {
                    back.error(unreadable());
                }
            };
            commit(account, {card, hash, *before}, answer, done);
        });
    };
    if (!AccountQueue::enter(account, queue, change)) back.error(busy());
}

void refuse(const IqRequest& request) {
    IqReturn(request).error({.condition = StanzaCondition::forbidden, .text = {}});
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::vcard, "vCard", IqTarget::own, get_own},
    IqHandler{StanzaType::set, ns::vcard, "vCard", IqTarget::own, set},
    IqHandler{StanzaType::get, ns::vcard, "vCard", IqTarget::account, get},
    IqHandler{StanzaType::set, ns::vcard, "vCard", IqTarget::account, refuse, IqAudience::anyone,
              StanzaCondition::forbidden},
};
constexpr std::array disco_features{ns::vcard};
constexpr std::array from_client{FromClientHook{Phase::rewrite, correct_presence}};
constexpr std::array stores{OwnedStore{card_store, OwnedStore::Shape::map},
                            OwnedStore{photo_store, OwnedStore::Shape::map}};
constexpr std::array account_data{AccountData{photo_store, load_photo}};

/// The hash of the photo in a card that stands in the store, or will.
std::string photo_of(const std::string& card) {
    std::string hash;
    static_cast<void>(Packet::visit_bytes(
        fmt::format("<iq type='set' id='x'>{}</iq>", card),
        [&](Stanza& stanza) { hash = photo_of(*stanza.payload(), stanza.arena); }));
    return hash;
}

}  // namespace

void read_card(Account& account, std::function<void(const Result<std::string>&)> done) {
    AccountQueue::enter_own(
        account, queue, [&account, done = std::move(done)](const AccountQueue::Done& ended) {
            read_stored(account, [done, ended](const Result<std::string>& card) {
                done(card);
                ended();
            });
        });
}

void edit_card(Account& account, std::string_view by, CardEdit edit,
               std::function<void(const Outcome&)> done) {
    const auto change = [&account, by, edit = std::move(edit),
                         done = std::move(done)](const AccountQueue::Done& ended) {
        read_stored(account, [&account, by, edit, done, ended](const Result<std::string>& card) {
            const auto end = [done, ended](const Outcome& outcome) {
                done(outcome);
                ended();
            };
            if (!card || !account.exists()) {
                end(card ? Outcome::absent("the account is removed") : card.error());
                return;
            }
            const std::optional<std::string> next = edit(*card);
            if (!next) {
                end({});
            } else if (next->size() > limit_of(account)) {
                end(Outcome::policy(too_large(account, *next)));
            } else {
                commit(account, {*next, photo_of(*next), *card, by}, done, ended);
            }
        });
    };
    AccountQueue::enter_own(account, queue, change);
}

extern const Feature vcard;
const Feature vcard{.name = "vcard",
                    .xep = 54,
                    .version = "1.3.0",
                    .server_disco = disco_features,
                    .account_disco = disco_features,
                    .iq = handlers,
                    .points = {.from_client = from_client},
                    .stores = stores,
                    .account_data = account_data,
                    .session_data = session_data,
                    .options = options};

}  // namespace causeway
