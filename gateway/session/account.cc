#include "gateway/session/account.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/session/account_store.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
Account::Account(Hub& hub, Jid bare) : hub_(hub), jid_(std::move(bare)) {}

Resource* Account::find(std::string_view resource) const {
    const auto found = std::ranges::find_if(
        resources_, [&](const Resource* r) { return r->jid().resource() == resource; });
    return found == resources_.end() ? nullptr : *found;
}

void Account::attach(Resource& resource) {
    resources_.push_back(&resource);
    if (state_ == State::fresh) load();
}

void Account::detach(Resource& resource) {
    std::erase(resources_, &resource);
    if (resource.available() || !resource.directed.empty()) {
        became_unavailable(resource, Packet::make(StanzaKind::presence, StanzaType::unavailable,
                                                  resource.jid(), {}, {}, {}));
    }
    resources_changed();
    rest();
}

void Account::rest() {
    if (!busy()) hub_.accounts->idle(*this);
}

void Account::evict_all(std::string_view condition, std::string_view text) {
    const std::vector<Resource*> all = resources_;
    for (Resource* resource : all) resource->evict(condition, text);
}

// ---- loading ----

void Account::when_loaded(std::function<void(const Outcome&)> task) {
    if (state_ == State::loaded) {
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

void Account::reload() {
    outdated_ = state_ == State::loading;
    if (state_ != State::loaded) return;
    state_ = State::fresh;
    offline_counted_ = false;
    load();
}

void Account::load() {
    state_ = State::loading;
    account_store::find(
        hub_, jid_.bare(), [this](Result<std::optional<account_store::Record>> account) {
            if (!account) {
                loaded(account.error());
                return;
            }
            exists_ = account->has_value();
            disabled_ = exists_ && (*account)->disabled;
            if (!exists_) {
                loaded({});
                return;
            }
            hub_.shared.store.map_list(std::string(Roster::store_name), std::string(jid_.bare()),
                                       hub_.shard, [this](Result<std::vector<MapEntry>> entries) {
                                           if (!entries) {
                                               loaded(entries.error());
                                               return;
                                           }
                                           auto roster = Roster::from_store(*entries);
                                           if (roster) roster_ = std::move(*roster);
                                           loaded(roster ? Outcome{} : roster.error());
                                       });
        });
}

void Account::loaded(const Outcome& outcome) {
    if (std::exchange(outdated_, false)) {
        load();
        return;
    }
    state_ = outcome ? State::loaded : State::fresh;
    if (!outcome) {
        CAUSEWAY_LOG(error, "account.unreadable", {"jid", jid_.bare()}, {"cause", outcome.why()});
    }
    // It may have been removed or disabled since its client proved who it is.
    if (barred()) evict_all(stream_error::not_authorized, "this account is not in use any more");
    ++reading_;
    for (auto& task : std::exchange(waiting_, {})) task(outcome);
    --reading_;
    rest();
}

// ---- changes of the roster ----

void Account::plan_item(Batch& batch, Change& change, RosterItem item, bool visible) const {
    RosterItem planned = roster_.plan(batch, jid_.bare(), std::move(item), visible);
    change.items.push_back(std::move(planned));
}

void Account::change_roster(Plan plan, std::function<void(const Outcome&)> done) {
    if (changes_.size() >= waiting_limit) {
        done(Outcome::retry("too many changes are waiting for this roster"));
        return;
    }
    changes_.push_back({std::move(plan), std::move(done)});
    next_change();
}

void Account::next_change() {
    while (!changing_ && !changes_.empty()) {
        PendingChange change = std::move(changes_.front());
        changes_.pop_front();
        Batch batch;
        Change result;
        const Outcome planned = change.plan(batch, result);
        if (!planned || batch.empty()) {
            if (planned && result.before_push) result.before_push();
            change.done(planned);
            continue;
        }
        changing_ = true;
        hub_.shared.store.commit(std::move(batch), hub_.shard,
                                 [this, change = std::move(change),
                                  result = std::move(result)](const Outcome& outcome) mutable {
                                     finish_change(std::move(change), std::move(result), outcome);
                                 });
    }
}

void Account::finish_change(PendingChange change, Change result, const Outcome& outcome) {
    ++reading_;  // whatever is called here, the account stays
    changing_ = false;
    if (outcome) {
        const std::uint64_t before = roster_.version();
        for (const RosterItem& item : result.items) roster_.apply(item);
        if (result.before_push) result.before_push();
        for (const RosterItem& item : result.items) {
            if (item.version > before) push(item);
        }
    } else {
        CAUSEWAY_LOG(error, "roster.not_stored", {"jid", jid_.bare()}, {"cause", outcome.why()});
    }
    change.done(outcome);
    next_change();
    --reading_;
    rest();
}

void Account::push(const RosterItem& item) {
    std::string inner = "<query";
    append_attribute(inner, "xmlns", ns::roster);
    append_attribute(inner, "ver", fmt::format("{}", item.version));
    inner += '>';
    append_item(inner, item);
    inner += "</query>";
    for (Resource* resource : resources_) {
        if (!resource->interested) continue;
        // Random ids: a client must be able to tell our push from anything it made up itself.
        resource->deliver(Packet::make(StanzaKind::iq, StanzaType::set, jid_, resource->jid(),
                                       random_token(9), inner),
                          0);
    }
}

// ---- messages (RFC 6121 §8.5) ----

void Account::message_in(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (state_ == State::loaded) {
        message_loaded(packet, ticket);
        return;
    }
    when_loaded([this, packet, ticket](const Outcome& outcome) {
        if (outcome) {
            message_loaded(packet, ticket);
            return;
        }
        hub_.routing->bounce(*packet,
                             {.condition = StanzaCondition::internal_server_error,
                              .text = "The account cannot be read at the moment.",
                              .type = "wait"},
                             ticket);
    });
}

void Account::message_loaded(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (!exists_) {
        refuse(packet, ticket);
        return;
    }
    if (const auto first = hub_.seen.find(packet->resend_key())) {
        hub_.ledger.join(*first, ticket);
        return;
    }
    const StanzaType type = packet->type();
    if (packet->to().has_resource()) {
        if (Resource* resource = find(packet->to().resource())) {
            message_to_resource(*resource, packet, ticket);
            return;
        }
        // §8.5.3.2.1: only chat falls back to the account; a headline is dropped, the rest refused.
        if (type == StanzaType::normal || type == StanzaType::groupchat) {
            refuse(packet, ticket);
            return;
        }
        if (type == StanzaType::headline) {
            hub_.settle(ticket);
            return;
        }
    }
    switch (type) {
        case StanzaType::normal:
        case StanzaType::chat: message_to_best(packet, ticket); return;
        case StanzaType::headline:
            for (Resource* resource : resources_) {
                if (resource->available() && resource->priority >= 0) resource->deliver(packet, 0);
            }
            hub_.settle(ticket);
            return;
        case StanzaType::groupchat: refuse(packet, ticket); return;
        default: hub_.settle(ticket); return;  // §8.5.2.1.1: an error goes no further
    }
}

StoreKey Account::store_key() const {
    const auto kept = std::chrono::duration_cast<Duration>(hub_.limits().offline_seconds);
    return {offline_store, std::string(jid_.bare()), hub_.clock().wall() + kept.count()};
}

void Account::message_to_resource(Resource& resource, const PacketRef& packet,
                                  AcknowledgementTicket ticket) {
    if (!packet->storable() || (!ticket.owed() && !resource.acknowledges())) {
        hub_.seen.note(packet->resend_key(), 0);
        resource.deliver(packet, 0);
        hub_.settle(ticket);
        return;
    }
    const HoldId hold = hub_.ledger.hold(packet, ticket, store_key());
    hub_.seen.note(packet->resend_key(), hold);
    resource.deliver(packet, hold);
}

void Account::message_to_best(const PacketRef& packet, AcknowledgementTicket ticket) {
    const Resources best = best_resources();
    if (best.empty()) {
        store_message(packet, ticket);
        return;
    }
    if (packet->storable() && best.size() == 1 && !catching_up() && best.front()->crowded()) {
        // Faster than it takes them: the rest waits its turn, and the store keeps what is too much.
        rows_after_ = 0;
        more_rows_ = true;
    }
    if (packet->storable() && catching_up()) {
        queue_behind(packet, ticket);
        return;
    }
    if (best.size() == 1) {
        message_to_resource(*best.front(), packet, ticket);
        return;
    }
    const bool held =
        packet->storable() && (ticket.owed() || std::ranges::any_of(best, &Resource::acknowledges));
    const HoldId hold = held ? hub_.ledger.hold(packet, ticket, store_key()) : 0;
    hub_.seen.note(packet->resend_key(), hold);
    // Whichever has it first, has it for the account.
    for (std::size_t more = 1; held && more < best.size(); ++more) hub_.ledger.share(hold);
    for (Resource* resource : best) resource->deliver(packet, hold);
    if (!held) hub_.settle(ticket);
}

void Account::store_message(const PacketRef& packet, AcknowledgementTicket ticket) {
    if (!packet->storable()) {
        hub_.settle(ticket);
        return;
    }
    if (!offline_counted_) {
        // Behind those that wait for the same answer, so that the order stays.
        uncounted_.emplace_back(packet, ticket);
        if (uncounted_.size() == 1) count_offline();
        return;
    }
    if (offline_rows_ >= hub_.limits().offline_messages) {
        hub_.routing->bounce(*packet,
                             {.condition = StanzaCondition::service_unavailable,
                              .text = "Too many messages are waiting for this contact."},
                             ticket);
        return;
    }
    ++offline_rows_;
    ++keeping_;
    // Somebody may become available while it is on its way to the disk, too late to read it.
    const HoldId hold = hub_.ledger.keep(packet, ticket, store_key(), [this](const auto&) {
        --keeping_;
        redeliver();
        rest();
    });
    hub_.seen.note(packet->resend_key(), hold);
}

void Account::count_offline() {
    ++reading_;
    hub_.shared.store.log_list(
        std::string(offline_store), std::string(jid_.bare()), 0, hub_.limits().offline_messages,
        hub_.shard, [this](Result<std::vector<LogRow>> rows) {
            if (rows && !offline_counted_) offline_rows_ = rows->size();
            offline_counted_ = offline_counted_ || rows.ok();
            for (const auto& [packet, ticket] : std::exchange(uncounted_, {})) {
                if (offline_counted_) {
                    store_message(packet, ticket);
                    continue;
                }
                hub_.routing->bounce(*packet,
                                     {.condition = StanzaCondition::resource_constraint,
                                      .text = "The message could not be stored."},
                                     ticket);
            }
            --reading_;
            rest();
        });
}

void Account::refuse(const PacketRef& packet, AcknowledgementTicket ticket) {
    // The same words for an account without that resource and for no account at all.
    hub_.routing->bounce(*packet, {.condition = StanzaCondition::service_unavailable, .text = {}},
                         ticket);
}

// ---- iq (RFC 6121 §8.5) ----

void Account::iq_in(const PacketRef& packet, AcknowledgementTicket ticket) {
    hub_.settle(ticket);
    if (packet->to().has_resource()) {
        Resource* resource = find(packet->to().resource());
        if (resource != nullptr) {
            resource->deliver(packet, 0);
        } else {
            refuse(packet, {});
        }
        return;
    }
    if (packet->type() != StanzaType::get && packet->type() != StanzaType::set) return;
    when_loaded([this, packet](const Outcome& outcome) {
        if (outcome && exists_) {
            account_iq(packet);
        } else {
            refuse(packet, {});
        }
    });
}

void Account::account_iq(const PacketRef& packet) {
    const Outcome visited = Packet::visit_bytes(packet->bytes(), [&](Stanza& stanza) {
        Element* payload = stanza.payload();
        const IqHandler* handler =
            payload == nullptr ? nullptr
                               : hub_.shared.features.find_iq(stanza.type, IqTarget::account,
                                                              payload->ns, payload->name);
        if (handler == nullptr) {
            refuse(packet, {});
        } else {
            handler->handle({hub_, stanza, *payload, nullptr});
        }
    });
    if (!visited) refuse(packet, {});
}

}  // namespace causeway
