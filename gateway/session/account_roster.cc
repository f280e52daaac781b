#include "gateway/session/account_roster.h"

#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/session/account.h"

namespace causeway {

void AccountRoster::plan_item(Batch& batch, Change& change, RosterItem item, bool visible) const {
    change.items.push_back(items_.plan(batch, account_.jid().bare(), std::move(item), visible));
}

void AccountRoster::in_order(Done task) {
    if (at_rest()) {
        task({});
    } else {
        change([](Batch&, Change&) -> Outcome { return {}; }, std::move(task));
    }
}

void AccountRoster::change(Plan plan, Done done) {
    if (waiting_.size() >= waiting_limit) {
        done(Outcome::retry("too many changes are waiting for this roster"));
        return;
    }
    waiting_.push_back({std::move(plan), std::move(done)});
    next();
}

void AccountRoster::next() {
    while (!changing_ && !waiting_.empty()) {
        Waiting waiting = std::move(waiting_.front());
        waiting_.pop_front();
        Batch batch;
        Change change;
        const Outcome planned = waiting.plan(batch, change);
        if (!planned || batch.empty()) {
            if (planned && change.before_push) change.before_push();
            waiting.done(planned);
            continue;
        }
        changing_ = true;
        Hub& hub = account_.hub();
        hub.shared.store.commit(std::move(batch), hub.shard,
                                [this, waiting = std::move(waiting),
                                 change = std::move(change)](const Outcome& outcome) mutable {
                                    finish(std::move(waiting), std::move(change), outcome);
                                });
    }
}

void AccountRoster::finish(Waiting waiting, Change change, const Outcome& outcome) {
    account_.begin_question();  // whatever is called here, the account stays
    changing_ = false;
    Hub& hub = account_.hub();
    if (outcome) {
        account_.stored_anew();
        const std::uint64_t before = items_.version();
        // A rule may be about contacts of a group, or with a subscription.
        const auto shown = account_.access().shown_to(change.items);
        const PublishedPresence published = account_.access().published();
        std::vector<RosterItem> replaced;
        for (const RosterItem& item : change.items) {
            const RosterItem* known = items_.find(item.jid);
            replaced.push_back(known == nullptr ? RosterItem{} : *known);
            items_.apply(item);
        }
        account_.presence().views_changed(shown);
        if (account_.access().published() != published) account_.presence().published_changed();
        if (change.before_push) change.before_push();
        for (std::size_t i = 0; i < change.items.size(); ++i) {
            const RosterItem& item = change.items[i];
            if (item.version > before) push(item);
            hub.shared.features.announce({.event = LifeEvent::contact_changed,
                                          .hub = hub,
                                          .account = &account_,
                                          .contact = &item.jid,
                                          .before = &replaced[i]});
        }
    } else {
        CAUSEWAY_LOG(error, "roster.not_stored", {"jid", account_.jid().bare()},
                     {"cause", outcome.why()});
    }
    waiting.done(outcome);
    next();
    account_.end_question();
}

void AccountRoster::push(const RosterItem& item) {
    const std::string inner = roster_push(items_, item);
    for (Resource* session : account_.sessions().all()) {
        if (!session->interested) continue;
        // Random ids: a client must be able to tell our push from anything it made up itself.
        session->deliver(Packet::make(StanzaKind::iq, StanzaType::set, account_.jid(),
                                      session->jid(), random_token(9), inner),
                         0);
    }
}

}  // namespace causeway
