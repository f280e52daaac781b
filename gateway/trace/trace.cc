#include "gateway/trace/trace.h"

#include <algorithm>
#include <utility>

namespace causeway {
namespace {

/// An address as the question names it: a bare one stands for all of its sessions.
bool is_of(std::string_view address, std::string_view wanted) {
    return wanted.empty() || address == wanted || bare_of(address) == wanted;
}

/// In either direction: an error that answers a message carries its id.
bool is_between(const TraceEvent& event, std::string_view from, std::string_view to) {
    return (is_of(event.from, from) && is_of(event.to, to)) ||
           (is_of(event.from, to) && is_of(event.to, from));
}

bool matches(const TraceEvent& event, const TraceQuestion& question) {
    const bool same = (question.stanza_id != 0 && event.stanza_id == question.stanza_id) ||
                      (!question.id.empty() && event.id == question.id);
    if (same && is_between(event, question.from, question.to)) return true;
    return std::ranges::any_of(question.identities, [&](const TraceQuestion::Identity& identity) {
        return event.id == identity.id && is_between(event, identity.from, identity.to);
    });
}

/// What only those want to know that look on: there is too much of it to remember.
bool of_the_moment(const TraceSubject& subject, const TraceStep& step) {
    if (!subject.minor) return false;
    switch (subject.kind) {
        case StanzaKind::message: return as_usual(step.stage, step.verdict);
        case StanzaKind::presence: return step.verdict != TraceVerdict::refused;
        case StanzaKind::iq: return true;
    }
    return true;
}

}  // namespace

bool TraceFilter::matches(const Jid& address) const {
    if (of.has_resource()) return address == of;
    if (of.has_local()) return address.bare() == of.bare();
    return address.domain() == of.domain();
}

Trace::Trace(Shard& shard, std::size_t bytes)
    : shard_(shard), bytes_(bytes), usual_(bytes / 2), unusual_(bytes / 2) {}

Trace::~Trace() { Flushable::unlink(); }

void Trace::resize(std::size_t bytes) {
    if (bytes == bytes_) return;
    bytes_ = bytes;
    usual_ = TraceRing(bytes / 2);
    unusual_ = TraceRing(bytes / 2);
}

/// One look at the clock serves a turn.
UnixMillis Trace::now() {
    if (now_ == 0) {
        now_ = shard_.clock().wall();
        shard_.mark_dirty(*this);
    }
    return now_;
}

void Trace::note_wanted(const TraceSubject& subject, const TraceStep& step) {
    const bool remembered = bytes_ != 0 && !of_the_moment(subject, step);
    if (!remembered && !watched()) return;
    const TraceEvent event{.at = now(),
                           .stanza_id = step.stanza_id != 0 ? step.stanza_id : subject.stanza_id,
                           .moment = this_moment(),
                           .stage = step.stage,
                           .verdict = step.verdict,
                           .kind = subject.kind,
                           .type = subject.type,
                           .from = subject.from.full(),
                           .to = subject.to.full(),
                           .id = subject.id,
                           .where = step.where,
                           .reason = step.reason};
    if (remembered) (as_usual(step.stage, step.verdict) ? usual_ : unusual_).append(event);
    for (Watch& watch : watches_) {
        if (!watch.filter.matches(subject.from) && !watch.filter.matches(subject.to)) continue;
        if (watch.collected.lines.size() < batch_limit) {
            watch.collected.lines.emplace_back(event);
        } else {
            ++watch.collected.lost;
        }
    }
}

void Trace::flush() {
    now_ = 0;
    for (Watch& watch : watches_) {
        if (watch.reader == Watch::Reader::busy || watch.collected.lines.empty()) continue;
        watch.reader = Watch::Reader::busy;
        watch.give(std::exchange(watch.collected, {}));
    }
}

// ---- those that look on ----

void Trace::watch(const void* key, TraceFilter filter, std::function<void(Batch)> give) {
    watches_.push_back({.key = key, .filter = std::move(filter), .give = std::move(give)});
}

void Trace::taken(const void* key) {
    const auto found = std::ranges::find(watches_, key, &Watch::key);
    if (found == watches_.end()) return;
    found->reader = Watch::Reader::ready;
    if (!found->collected.lines.empty()) shard_.mark_dirty(*this);
}

void Trace::unwatch(const void* key) {
    std::erase_if(watches_, [key](const Watch& watch) { return watch.key == key; });
}

// ---- questions ----

Trace::Found Trace::find(const TraceQuestion& question) const {
    Found found;
    const auto look = [&](const TraceRing& ring) {
        std::vector<TraceLine> lines;
        ring.each([&](const TraceEvent& event) {
            if (!matches(event, question)) return;
            // Of too many the latest are those that matter.
            if (lines.size() >= answer_limit) lines.erase(lines.begin());
            lines.emplace_back(event);
        });
        std::ranges::move(lines, std::back_inserter(found.lines));
    };
    look(usual_);
    look(unusual_);
    std::ranges::sort(found.lines, {}, &TraceLine::moment);
    found.since = unusual_.forgotten_before();
    return found;
}

}  // namespace causeway
