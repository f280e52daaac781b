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
        enter({{}, std::move(task)});
    }
}

void AccountRoster::change(Plan plan, Done done) { enter({std::move(plan), std::move(done)}); }

void AccountRoster::enter(Waiting waiting) {
    if (waiting_.size() >= waiting_limit) {
        waiting.done(Outcome::retry("too many changes are waiting for this roster"));
        return;
    }
    // What a task wants done has its place in the order, ahead of what came later.
    const auto place = in_task_ ? waiting_.begin() + of_task_++ : waiting_.end();
    waiting_.insert(place, std::move(waiting));
    next();
}

void AccountRoster::next() {
    while (!changing_ && !in_task_ && !waiting_.empty()) {
        if (!waiting_.front().plan) {
            run_task();
            continue;
        }
        Batch batch;
        Group group = plan_group(batch);
        if (batch.empty()) {
            Planned& only = group.front();
            if (only.outcome && only.change.before_push) only.change.before_push();
            only.waiting.done(only.outcome);
            continue;
        }
        changing_ = true;
        Hub& hub = account_.hub();
        hub.shared.store.commit(std::move(batch), hub.shard,
                                [this, group = std::move(group)](const Outcome& outcome) mutable {
                                    finish(std::move(group), outcome);
                                });
    }
}

void AccountRoster::run_task() {
    const Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    in_task_ = true;
    of_task_ = 0;
    waiting.done({});
    in_task_ = false;
}

/// The first of those that wait, and what can be stored with it; that one alone if it stores
/// nothing.
AccountRoster::Group AccountRoster::plan_group(Batch& batch) {
    Group group;
    RosterTrial trial(items_);
    const std::size_t most = alone_ > 0 ? 1 : group_limit;
    if (alone_ > 0) --alone_;
    for (bool goes_on = true; goes_on;) {
        Planned& planned = group.emplace_back(Planned{std::move(waiting_.front()), {}, {}});
        waiting_.pop_front();
        planned.outcome = planned.waiting.plan(batch, planned.change);
        goes_on = !batch.empty() && !waiting_.empty() && waiting_.front().plan &&
                  group.size() < most && batch.bytes() < group_bytes &&
                  (!planned.outcome || planned.change.others_follow);
        for (const RosterItem& item : planned.change.items) {
            goes_on = goes_on && trial.apply(item);
        }
    }
    return group;
}

void AccountRoster::finish(Group group, const Outcome& outcome) {
    account_.begin_question();  // whatever is called here, the account stays
    if (outcome) account_.stored_anew();
    if (!outcome && group.size() > 1) {
        changing_ = false;
        again(std::move(group));
    } else {
        if (!outcome) {
            CAUSEWAY_LOG(error, "roster.not_stored", {"jid", account_.jid().bare()},
                         {"cause", outcome.why()});
        }
        for (Planned& planned : group) {
            changing_ = &planned != &group.back();
            if (outcome && planned.outcome) take_effect(planned.change);
            planned.waiting.done(outcome ? planned.outcome : outcome);
        }
    }
    next();
    account_.end_question();
}

/// What one of them cannot be stored for may not be the others' fault.
void AccountRoster::again(Group group) {
    alone_ += static_cast<std::uint32_t>(group.size());
    for (auto last = group.rbegin(); last != group.rend(); ++last) {
        waiting_.push_front(std::move(last->waiting));
    }
}

void AccountRoster::take_effect(const Change& change) {
    Hub& hub = account_.hub();
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
