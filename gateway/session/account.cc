#include "gateway/session/account.h"

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"

namespace causeway {

/// What is read of an account: an existing and an unknown one cost the same, so that the time of an
/// answer does not tell which it is.
struct Account::Loading {
    std::optional<Result<std::optional<account_store::Record>>> record;
    std::optional<Result<std::vector<MapEntry>>> roster;
    std::vector<std::optional<Result<std::vector<MapEntry>>>> of_features;  ///< as account_data()
    std::optional<Outcome> domain_rules;
    /// What came before a start is noted. If it cannot be read, a message may be shown twice: no
    /// reason to be without the account.
    bool seen_noted = false;
    unsigned seen_pages = 0;  ///< that were read for that

    [[nodiscard]] bool complete() const {
        return record && roster && domain_rules && seen_noted &&
               std::ranges::all_of(of_features,
                                   [](const auto& entries) { return entries.has_value(); });
    }
    /// Of the first question that was answered with a failure; ok if none was.
    [[nodiscard]] Outcome failure() const {
        if (!*record) return record->error();
        if (!*roster) return roster->error();
        if (!*domain_rules) return *domain_rules;
        for (const auto& entries : of_features) {
            if (!*entries) return entries->error();
        }
        return {};
    }
};

Account::Account(Hub& hub, Jid bare)
    : hub_(hub),
      jid_(std::move(bare)),
      roster_(*this),
      subscriptions_(*this),
      presence_(*this),
      inbox_(*this),
      access_(*this) {}

Account::~Account() = default;

// ---- life ----

void Account::attach(Resource& session) {
    sessions_.add(session);
    if (state_ == State::fresh) load();
}

void Account::detach(Resource& session) {
    sessions_.remove(session);
    presence_.session_gone(session);
    inbox_.sessions_changed();
    inbox_.gone(session);
    hub_.shared.features.announce(
        {.event = LifeEvent::session_gone, .hub = hub_, .account = this, .session = &session});
    rest();
}

bool Account::busy() const {
    return !sessions_.empty() || state_ == State::loading || state_ == State::loading_outdated ||
           open_questions_ != 0 || !roster_.at_rest() || inbox_.busy() || inbox_.holding();
}

void Account::end_question() {
    --open_questions_;
    rest();
}

void Account::rest() {
    if (!busy()) hub_.accounts->idle(*this);
}

bool Account::presence_visible_to(const Jid& who) const {
    if (who.bare() == jid_.bare()) return true;
    const RosterItem* item = roster_.items().find(who.bare_jid());
    return exists() && item != nullptr && item->state.from && !access_.view_for(who).hides_all();
}

bool Account::known_to(const Jid& who) const {
    if (who.bare() == jid_.bare()) return true;
    const RosterItem* item = roster_.items().find(who.bare_jid());
    return exists() &&
           ((item != nullptr && item->state.from) || access_.takes_itself_for_subscribed(who));
}

// ---- loading ----

void Account::when_loaded(Task task) {
    if (loaded()) {
        task({});
        return;
    }
    if (waiting_.size() >= waiting_limit) {
        task(Outcome::retry("too much is waiting for this account"));
        return;
    }
    waiting_.push_back(std::move(task));
    if (state_ == State::fresh) load();
}

void Account::in_order(Task task) {
    when_loaded([this, task = std::move(task)](const Outcome& outcome) {
        if (outcome) {
            roster_.in_order(task);
        } else {
            task(outcome);
        }
    });
}

void Account::reload() {
    stored_anew();
    if (!loaded()) return;
    inbox_.recount();
    load();
}

void Account::load() {
    state_ = State::loading;
    const auto parts = std::make_shared<Loading>();
    account_store::find(hub_, jid_.bare(),
                        [this, parts](Result<std::optional<account_store::Record>> record) {
                            parts->record = std::move(record);
                            loaded_part(parts);
                        });
    const auto list = [&](std::string_view store, auto place) {
        hub_.shared.store.map_list(std::string(store), std::string(jid_.bare()), hub_.shard,
                                   [this, parts, place](Result<std::vector<MapEntry>> entries) {
                                       place(*parts) = std::move(entries);
                                       loaded_part(parts);
                                   });
    };
    hub_.domain_access.when_known(jid_.domain(), [this, parts](const Outcome& known) {
        parts->domain_rules = known;
        loaded_part(parts);
    });
    note_seen(parts, SeenMessages::before_start(hub_.shared, jid_.bare()));
    list(
        Roster::store_name, [](Loading & all) -> auto& { return all.roster; });
    const std::span<const AccountData> data = hub_.shared.features.account_data();
    parts->of_features.resize(data.size());
    for (std::size_t i = 0; i < data.size(); ++i) {
        list(
            data[i].store, [i](Loading & all) -> auto& { return all.of_features[i]; });
    }
}

void Account::note_seen(const std::shared_ptr<Loading>& parts, std::optional<ArchiveQuery> query) {
    if (!query || parts->seen_pages == SeenMessages::pages_before_start) {
        parts->seen_noted = true;
        loaded_part(parts);
        return;
    }
    ++parts->seen_pages;
    hub_.shared.store.archive_page(
        *query, hub_.shard, [this, parts, asked = *query](const Result<ArchivePage>& page) {
            if (page) hub_.seen.note(hub_, *page);
            note_seen(parts, page ? SeenMessages::before_page(asked, *page) : std::nullopt);
        });
}

void Account::loaded_part(const std::shared_ptr<Loading>& parts) {
    if (!parts->complete()) return;
    const Outcome failure = parts->failure();
    if (!failure) {
        finish_loading(failure, State::fresh);
    } else if (!**parts->record) {
        finish_loading({}, State::absent);
    } else {
        const State found = (**parts->record)->disabled ? State::disabled : State::active;
        if (state_ != State::loading_outdated) {
            roster_.load(Roster::from_store(jid_.bare(), **parts->roster));
            const std::span<const AccountData> data = hub_.shared.features.account_data();
            for (std::size_t i = 0; i < data.size(); ++i) {
                data[i].load(*this, **parts->of_features[i]);
            }
        }
        finish_loading({}, found);
    }
}

void Account::finish_loading(const Outcome& outcome, State found) {
    if (state_ == State::loading_outdated) {
        load();
        return;
    }
    state_ = found;
    if (loaded()) before_ = found;
    if (!outcome) {
        CAUSEWAY_LOG(error, "account.unreadable", {"jid", jid_.bare()}, {"cause", outcome.why()});
    }
    begin_question();  // whatever is called here, the account stays
    // It may have been removed or disabled since its client proved who it is.
    if (barred()) {
        sessions_.evict_all(stream_error::not_authorized, "this account is not in use any more");
    }
    if (state_ == State::absent) inbox_.none_is_back();
    if (exists()) {
        hub_.shared.features.announce(
            {.event = LifeEvent::account_loaded, .hub = hub_, .account = this});
    }
    for (Task& task : std::exchange(waiting_, {})) task(outcome);
    end_question();
}

// ---- stanzas ----

void Account::receive(PacketRef packet, AcknowledgementTicket ticket) {
    switch (packet->kind()) {
        case StanzaKind::message: receive_message(std::move(packet), ticket); return;
        case StanzaKind::presence: receive_presence(packet, ticket); return;
        case StanzaKind::iq: receive_iq(packet, ticket); return;
    }
}

void Account::receive_message(PacketRef packet, AcknowledgementTicket ticket) {
    if (!at_rest()) {
        // A request to subscribe that came before it may still be on its way into the store.
        in_order([this, packet, ticket](const Outcome& outcome) {
            if (outcome) {
                take_message(packet, ticket);
                return;
            }
            hub_.trace.note(
                *packet, {TraceStage::account, TraceVerdict::refused, jid_.bare(), outcome.why()});
            hub_.routing->bounce(*packet,
                                 {.condition = StanzaCondition::internal_server_error,
                                  .text = "The account cannot be read at the moment.",
                                  .type = "wait"},
                                 ticket);
        });
        return;
    }
    take_message(std::move(packet), ticket);
}

void Account::take_message(PacketRef packet, AcknowledgementTicket ticket) {
    if (!exists()) {
        hub_.trace.note(*packet, {TraceStage::account, TraceVerdict::refused, jid_.bare(),
                                  "there is no such account"});
        refuse(packet, ticket);
        return;
    }
    if (const auto first = hub_.seen.find(packet->repeat_keys(), hub_.clock().now())) {
        hub_.trace.note(*packet, {TraceStage::account, TraceVerdict::repeated, jid_.bare(),
                                  "it came before, and is not shown twice"});
        hub_.ledger.join(*first, ticket);
        return;
    }
    // Not held here as well: what one alone holds can be stamped in place.
    AtAccount arrival{{hub_, ticket}, *this, std::move(packet)};
    const auto hooks = hub_.shared.features.at_account(StanzaKind::message);
    if (!hub_.pass(hooks, arrival, arrival.packet)) return;
    inbox_.deliver(arrival.packet, arrival.ticket);
}

void Account::receive_presence(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (hub_.shared.features.at_account(StanzaKind::presence).empty()) {
        presence_.receive(packet, ticket);
        return;
    }
    when_loaded([this, packet, ticket](const Outcome& outcome) {
        AtAccount arrival{{hub_, ticket}, *this, packet};
        const bool admitted =
            !outcome || !exists() ||
            hub_.pass(hub_.shared.features.at_account(packet->kind()), arrival, packet);
        if (admitted) presence_.receive(arrival.packet, arrival.ticket);
    });
}

void Account::receive_broadcast(const PacketRef& packet, const Jid& to) {
    if (hub_.shared.features.at_account(StanzaKind::presence).empty()) {
        presence_.deliver_as(packet, to);
        return;
    }
    when_loaded([this, packet, to](const Outcome& outcome) {
        AtAccount arrival{{hub_, {}}, *this, packet};
        if (outcome && exists() &&
            hub_.pass(hub_.shared.features.at_account(packet->kind()), arrival, packet)) {
            presence_.deliver_as(packet, to);
        }
    });
}

void Account::refuse(const PacketRef& packet, AcknowledgementTicket ticket) {
    // The same words for an account without that resource and for no account at all.
    hub_.routing->bounce(*packet, {.condition = StanzaCondition::service_unavailable, .text = {}},
                         ticket);
}

// ---- iq (RFC 6121 §8.5) ----

void Account::receive_iq(const PacketRef& packet, AcknowledgementTicket ticket) {
    hub_.settle(ticket);
    const bool request = packet->type() == StanzaType::get || packet->type() == StanzaType::set;
    if (packet->to().has_resource()) {
        Resource* session = sessions_.find(packet->to().resource());
        if (session == nullptr && !request) {
            inbox_.answer_for_nobody(packet);
        } else if (session == nullptr) {
            refuse(packet, {});
        } else {
            when_loaded([this, packet](const Outcome&) {
                AtAccount arrival{{hub_, {}}, *this, packet};
                if (!hub_.pass(hub_.shared.features.at_account(StanzaKind::iq), arrival, packet))
                    return;
                Resource* still = sessions_.find(packet->to().resource());
                if (still == nullptr) {
                    refuse(packet, {});
                } else {
                    still->deliver(arrival.packet, 0);
                }
            });
        }
        return;
    }
    if (!request) return;
    when_loaded([this, packet](const Outcome& outcome) {
        AtAccount arrival{{hub_, {}}, *this, packet};
        const bool admitted =
            !exists() ||
            hub_.pass(hub_.shared.features.at_account(packet->kind()), arrival, packet);
        if (outcome && admitted) answer_iq(arrival.packet, nullptr);
        if (!outcome) refuse(packet, {});
    });
}

void Account::own_iq(Stanza& stanza, Resource& session) {
    const IqHandler* handler = at_rest() ? nullptr : handler_of(stanza, true);
    if (at_rest() || (loaded() && handler != nullptr && handler->changes_roster)) {
        answer_iq(stanza, &session);
        return;
    }
    in_order([this, packet = Packet::from_stanza(stanza)](const Outcome& outcome) {
        Resource* const still = sessions_.find(packet->from().resource());
        if (still == nullptr) return;
        if (outcome) {
            answer_iq(packet, still);
            return;
        }
        hub_.routing->bounce(*packet, {.condition = StanzaCondition::internal_server_error,
                                       .text = "The account cannot be read at the moment.",
                                       .type = "wait"});
    });
}

void Account::answer_iq(const PacketRef& packet, Resource* session) {
    const Outcome visited =
        Packet::visit_bytes(packet->bytes(), [&](Stanza& stanza) { answer_iq(stanza, session); });
    if (!visited) refuse(packet, {});
}

const IqHandler* Account::handler_of(const Stanza& stanza, bool own) const {
    const Element* payload = stanza.payload();
    if (payload == nullptr) return nullptr;
    const FeatureRegistry& features = hub_.shared.features;
    const IqHandler* handler = nullptr;
    if (own) handler = features.find_iq(stanza.type, IqTarget::own, payload->ns, payload->name);
    if (handler != nullptr) return handler;
    return features.find_iq(stanza.type, IqTarget::account, payload->ns, payload->name);
}

void Account::answer_iq(Stanza& stanza, Resource* session) {
    Element* payload = stanza.payload();
    const IqHandler* handler = handler_of(stanza, session != nullptr);
    if (handler == nullptr) {
        refuse(Packet::from_stanza(stanza), {});
        return;
    }
    // An account that does not exist is refused in the same words.
    const bool audience = handler->audience == IqAudience::anyone || may_be_asked_by(stanza.from);
    if (handler->audience == IqAudience::handler_decides || (exists() && audience)) {
        handler->handle({hub_, stanza, *payload, session, this});
    } else {
        hub_.routing->bounce(*Packet::from_stanza(stanza),
                             {.condition = handler->refusal, .text = {}});
    }
}

}  // namespace causeway
