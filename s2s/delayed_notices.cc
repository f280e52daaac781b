#include "s2s/delayed_notices.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/config/peer_options.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::string_view key = "until";
constexpr std::size_t page = 100;
// When there is nothing to tell at the moment; also after a start, which may end the outage.
constexpr Duration look_again{60'000};
constexpr std::size_t already_told = static_cast<std::size_t>(-1);

std::string in_words(Duration time) {
    using namespace std::chrono;
    const auto minutes_left = duration_cast<minutes>(time).count();
    constexpr std::int64_t hour = 60, day = 24 * hour;
    if (minutes_left >= 2 * day) return fmt::format("{} days", minutes_left / day);
    if (minutes_left >= 2 * hour) return fmt::format("{} hours", minutes_left / hour);
    return minutes_left == 1 ? "1 minute" : fmt::format("{} minutes", minutes_left);
}

bool has_text(const Stanza& stanza, std::string_view name) {
    const Element* child = stanza.element.child(ns::client, name);
    return child != nullptr && !child->text(stanza.arena).empty();
}

bool person_reads(const Stanza& message) {
    return has_text(message, "body") || has_text(message, "subject") || says_in_secret(message);
}

}  // namespace

DelayedNotices::DelayedNotices(Hub& hub, std::string_view rows_of, const std::string& local,
                               const std::string& queue, const Owner& owner)
    : hub_(hub), rows_of_(rows_of), local_(local), queue_(queue), owner_(owner) {}

std::chrono::minutes DelayedNotices::patience() const {
    return std::chrono::minutes(delayed_notice_minutes.integer(*hub_.config));
}

void DelayedNotices::look_in(Duration pause) { hub_.shard.timers().arm(timer_, pause, *this); }

void DelayedNotices::begin(Rows rows) {
    rows_ = rows;
    // Without a patience a reload may give one.
    const Duration whole = patience();
    look_in(rows == Rows::of_earlier_run || whole.count() == 0 ? look_again : whole);
}

void DelayedNotices::end() {
    // The mark of an earlier run may never have been read.
    if (mark_ ? *mark_ != 0 : rows_ == Rows::of_earlier_run) {
        Batch batch;
        batch.map_erase(store_name, queue_, key);
        hub_.shared.store.commit(std::move(batch), hub_.shard, {});
    }
    timer_.cancel();
    mark_.reset();
    looked_until_ = 0;
    told_.clear();
    pairs_told_ = 0;
    due_.clear();
    ++outage_;
}

void DelayedNotices::on_timer(std::uint32_t) {
    if (patience().count() == 0 || !owner_.why_delayed()) {
        look_in(look_again);
    } else if (!mark_) {
        read_mark();
    } else if (!due_.empty()) {
        remember();
    } else {
        read_page();
    }
}

// ---- what waits ----

void DelayedNotices::read_mark() {
    ++open_;
    hub_.shared.store.map_get(
        std::string(store_name), queue_, std::string(key), hub_.shard,
        [this, outage = outage_](const Result<std::optional<std::string>>& value) {
            --open_;
            if (outage != outage_) return;
            if (!value) {
                look_in(look_again);
                return;
            }
            std::uint64_t mark = 0;
            if (const auto& text = *value) {
                std::from_chars(text->data(), text->data() + text->size(), mark);
            }
            mark_ = mark;
            read_page();
        });
}

void DelayedNotices::read_page() {
    next_ = std::max<Duration>(patience(), Duration{1000});
    ++open_;
    hub_.shared.store.log_list(std::string(rows_of_), queue_, looked_until_, page, hub_.shard,
                               [this, outage = outage_](const Result<std::vector<LogRow>>& rows) {
                                   --open_;
                                   if (outage != outage_) return;
                                   if (rows) {
                                       take_page(*rows);
                                   } else {
                                       look_in(look_again);
                                   }
                               });
}

void DelayedNotices::take_page(const std::vector<LogRow>& rows) {
    const Duration whole = patience();
    const UnixMillis now = hub_.clock().wall();
    for (const LogRow& row : rows) {
        const Duration waited{now - row.at};
        if (waited < whole) {
            next_ = std::clamp(whole - waited, Duration{1000}, whole);
            remember();
            return;
        }
        if (on_its_way(row)) {
            // It may come back, and then it waits.
            next_ = look_again;
            remember();
            return;
        }
        looked_until_ = row.id;
        consider(row);
    }
    if (rows.size() == page) {
        read_page();
    } else {
        remember();
    }
}

bool DelayedNotices::on_its_way(const LogRow& row) const {
    return hub_.ledger.in_flight(row.id) && !hub_.ledger.arriving(row.id);
}

void DelayedNotices::consider(const LogRow& row) {
    if (hub_.shared.lifetimes.over(row.expires)) return;
    static_cast<void>(
        Packet::visit_bytes(row.body, [&](const Stanza& stanza) { consider(stanza, row); }));
}

void DelayedNotices::consider(const Stanza& stanza, const LogRow& row) {
    // What no person reads is not reported; nor is what did not come from an account here.
    if (stanza.kind != StanzaKind::message || !stanza.from.has_local() ||
        hub_.target_of(stanza.from.domain()).kind != Target::Kind::accounts ||
        !person_reads(stanza)) {
        return;
    }
    std::string recipient(stanza.to.bare());
    const auto sender = told_.find(stanza.from.bare());
    if (sender != told_.end()) {
        const auto known = sender->second.find(recipient);
        if (known != sender->second.end()) {
            if (known->second < due_.size()) ++due_[known->second].messages;
            return;
        }
        if (sender->second.size() >= per_sender) return;
    }
    if (pairs_told_ >= in_all) return;
    ++pairs_told_;
    auto& recipients = told_[std::string(stanza.from.bare())];
    if (row.id <= *mark_) {
        recipients.emplace(std::move(recipient), already_told);
        return;
    }
    recipients.emplace(std::move(recipient), due_.size());
    due_.push_back({.sender = stanza.from,
                    .recipient = stanza.to.bare_jid(),
                    .id = std::string(stanza.id()),
                    .type = stanza.type,
                    .since = row.at,
                    .expires = row.expires});
}

// ---- what is told ----

/// At most once: the mark is durable before anybody is told.
void DelayedNotices::remember() {
    if (due_.empty()) {
        look_in(next_);
        return;
    }
    Batch batch;
    batch.map_set(store_name, queue_, key, fmt::format("{}", looked_until_));
    ++open_;
    hub_.shared.store.commit(
        std::move(batch), hub_.shard,
        [this, outage = outage_, until = looked_until_](const Outcome& stored) {
            --open_;
            if (outage != outage_) return;
            if (!stored) {
                CAUSEWAY_LOG(warn, "s2s.notice_mark_not_stored", {"queue", queue_},
                             {"cause", stored.why()});
                look_in(look_again);
                return;
            }
            remembered(until);
        });
}

void DelayedNotices::remembered(std::uint64_t until) {
    const std::optional<std::string> cause = owner_.why_delayed();
    if (!cause) {
        // The outage is over, or was given up: some of those messages may have arrived meanwhile.
        look_from_the_beginning();
        return;
    }
    mark_ = until;
    for (const Notice& notice : std::exchange(due_, {})) tell(notice, *cause);
    for (auto& [sender, recipients] : told_) {
        for (auto& [recipient, place] : recipients) place = already_told;
    }
    look_in(next_);
}

/// Those who have not been told are looked for again.
void DelayedNotices::look_from_the_beginning() {
    looked_until_ = 0;
    due_.clear();
    pairs_told_ = 0;
    for (auto sender = told_.begin(); sender != told_.end();) {
        std::erase_if(sender->second, [](const auto& one) { return one.second != already_told; });
        pairs_told_ += sender->second.size();
        sender = sender->second.empty() ? told_.erase(sender) : std::next(sender);
    }
    look_in(look_again);
}

void DelayedNotices::tell(const Notice& notice, const std::string& cause) const {
    const std::string recipient(notice.recipient.full());
    const std::string subject =
        notice.messages == 1
            ? fmt::format("Your message to {} has", recipient)
            : fmt::format("{} messages that you sent to {} have", notice.messages, recipient);
    const Duration left{std::max<UnixMillis>(0, notice.expires - hub_.shared.lifetimes.now())};
    const std::string body = fmt::format(
        "{} not been delivered yet: {}. The server goes on trying for {}, and tells you if it "
        "gives up.",
        subject, cause.empty() ? "its server cannot be reached" : cause, in_words(left));
    CAUSEWAY_LOG(info, "s2s.delayed", {"from", notice.sender.bare()}, {"to", recipient},
                 {"messages", notice.messages}, {"cause", cause});
    XmlBuilder inner;
    inner.element("body", body)
        .open("forwarded", ns::forward)
        .open("delay", ns::delay)
        .attribute("from", local_)
        .attribute("stamp", format_date_time(notice.since))
        .text(cause)
        .close()
        .open("message", ns::client)
        .attribute("to", recipient)
        .attribute("from", notice.sender.full())
        .attribute_if("id", notice.id)
        .attribute_if("type", to_string(notice.type))
        .close()
        .close()
        .empty("no-store", ns::hints)
        .empty("no-copy", ns::hints);
    hub_.routing->route(Packet::make(StanzaKind::message, StanzaType::headline,
                                     notice.sender.domain_jid(), notice.sender.bare_jid(),
                                     random_token(9), inner.take()));
}

}  // namespace causeway
