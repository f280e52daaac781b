#include "tests/loss/judge.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

namespace causeway::loss {
namespace {

/// What became of one message: positions in the history's events.
struct Fate {
    std::optional<std::size_t> sent;
    std::optional<std::size_t> acknowledged;
    std::vector<std::size_t> reads = {};
    std::size_t refusals = 0;
    std::size_t times_anew = 0;
    std::size_t left_over = 0;
    std::size_t kept_by_reader = 0;
    std::size_t kept_by_sender = 0;
};

class Judge {
public:
    explicit Judge(const History& history) : history_(history), fates_(history.messages.size()) {}

    Verdict judge() {
        for (std::size_t at = 0; at < history_.events.size(); ++at) note(at);
        for (std::size_t message = 0; message < fates_.size(); ++message) {
            if (!fates_[message].sent) continue;
            judge_outcome(message);
            judge_repetition(message);
            if (history_.archives_known) judge_archives(message);
        }
        judge_order();
        return std::move(verdict_);
    }

private:
    using Kind = Finding::Kind;

    void note(std::size_t at) {
        const Event& event = history_.events[at];
        switch (event.kind) {
            case Event::Kind::sent: fates_[event.which].sent = at; break;
            case Event::Kind::sent_anew: ++fates_[event.which].times_anew; break;
            case Event::Kind::acknowledged: fates_[event.which].acknowledged = at; break;
            case Event::Kind::refused: ++fates_[event.which].refusals; break;
            case Event::Kind::read: fates_[event.which].reads.push_back(at); break;
            case Event::Kind::left_over: ++fates_[event.which].left_over; break;
            case Event::Kind::kept_by_reader: ++fates_[event.which].kept_by_reader; break;
            case Event::Kind::kept_by_sender: ++fates_[event.which].kept_by_sender; break;
            case Event::Kind::wrong:
                verdict_.findings.push_back(
                    {Kind::wrong, event.which,
                     fmt::format("{}: {}", history_.parties[event.which].name, event.note)});
                break;
            default: break;
        }
    }

    /// Whether that happened to the client or server after one event and before another.
    [[nodiscard]] bool happened(Event::Kind kind, std::size_t which, std::size_t after,
                                std::size_t before) const {
        for (std::size_t at = after + 1; at < before; ++at) {
            const Event& event = history_.events[at];
            if (event.kind == kind && event.which == which) return true;
        }
        return false;
    }

    [[nodiscard]] const Party& sender(std::size_t message) const {
        return history_.parties[history_.messages[message].sender];
    }
    [[nodiscard]] const Party& reader(std::size_t message) const {
        return history_.parties[history_.messages[message].reader];
    }

    void find(Kind kind, std::size_t message, std::string_view what, bool tolerated = false) {
        (tolerated ? verdict_.tolerated : verdict_.findings)
            .push_back({kind, message,
                        fmt::format("m{} from {} to {} {}", message, sender(message).name,
                                    reader(message).name, what)});
    }

    void judge_outcome(std::size_t message) {
        const Fate& fate = fates_[message];
        const std::size_t to = history_.messages[message].reader;
        const std::size_t end = history_.events.size();
        if (!fate.reads.empty() && fate.refusals != 0) {
            find(Kind::refused_and_read, message, "was read, and its sender got an error",
                 may_be_read_and_refused(message));
        }
        if (fate.refusals > 1 + fate.times_anew) {
            find(Kind::refused_twice, message, fmt::format("was refused {} times", fate.refusals));
        }
        if (fate.refusals != 0 || !sender(message).managed) return;
        if (!fate.acknowledged) {
            find(Kind::unknown, message, "has neither an acknowledgement nor an error");
        } else if (fate.reads.empty()) {
            // Without stream management, what the system took counts as received.
            const bool may_be_lost = !reader(message).managed &&
                                     happened(Event::Kind::connection_lost, to, *fate.sent, end);
            find(Kind::lost, message, "was acknowledged, and neither read nor refused",
                 may_be_lost);
        }
    }

    /// Read, but not acknowledged by its reader, whose session is over, or by its reader's server,
    /// which is gone; and then not stored.
    [[nodiscard]] bool may_be_read_and_refused(std::size_t message) const {
        const Fate& fate = fates_[message];
        const std::size_t end = history_.events.size();
        const std::size_t from = sender(message).server;
        const std::size_t to = reader(message).server;
        if (from != to && store_was_failing(from, end) &&
            (happened(Event::Kind::killed, to, *fate.sent, end) ||
             happened(Event::Kind::ended, to, *fate.sent, end))) {
            return true;
        }
        return store_was_failing(to, end) &&
               happened(Event::Kind::connection_lost, history_.messages[message].reader, *fate.sent,
                        end);
    }

    void judge_repetition(std::size_t message) {
        const Fate& fate = fates_[message];
        if (fate.left_over != 0) {
            find(Kind::left_over, message, "came once more when its reader had acknowledged all");
        }
        if (fate.reads.size() < 2) return;
        find(Kind::twice, message, fmt::format("was read {} times", fate.reads.size()),
             may_repeat(message));
    }

    /// What is not promised: see docs/reliability.md.
    [[nodiscard]] bool may_repeat(std::size_t message) const {
        const Fate& fate = fates_[message];
        if (fate.times_anew != 0) return true;
        const std::size_t from = sender(message).server;
        const std::size_t to = reader(message).server;
        const std::size_t end = history_.events.size();
        // Its client sends again what a server that was killed had not stored.
        const std::size_t open_until = fate.acknowledged.value_or(end);
        if (from != to && happened(Event::Kind::killed, from, *fate.sent, open_until)) return true;
        // So it does where one that ended in good order could not store what it had sent.
        if (store_was_failing(from, open_until) &&
            happened(Event::Kind::ended, from, *fate.sent, open_until)) {
            return true;
        }
        if (fate.reads.size() < 2) return false;
        const std::size_t last_read = fate.reads.back();
        // Without an archive it is delivered before it is stored, and so it is while the store
        // fails.
        const bool not_stored = !history_.archives ||
                                happened(Event::Kind::store_failed, to, *fate.sent, last_read) ||
                                store_was_failing(to, *fate.sent);
        if (not_stored && happened(Event::Kind::killed, to, *fate.sent, last_read)) return true;
        // Nor is it known then what a client has of that after a restart.
        if (!history_.archives && happened(Event::Kind::ended, to, *fate.sent, last_read)) {
            return true;
        }
        return happened(Event::Kind::session_lost, history_.messages[message].reader,
                        fate.reads.front(), last_read);
    }

    /// Nobody says when it ends: it may last.
    [[nodiscard]] bool store_was_failing(std::size_t server, std::size_t until) const {
        for (std::size_t at = 0; at < until; ++at) {
            const Event& event = history_.events[at];
            if (event.kind == Event::Kind::store_failed && event.which == server) return true;
        }
        return false;
    }

    void judge_archives(std::size_t message) {
        const Fate& fate = fates_[message];
        const std::size_t from = sender(message).server;
        const std::size_t to = reader(message).server;
        const std::size_t end = history_.events.size();
        const std::size_t open_until = fate.acknowledged.value_or(end);
        const bool read_only = !fate.reads.empty() && fate.refusals == 0;
        if (read_only && fate.kept_by_reader == 0) {
            // Nobody is owed what a sender without stream management sent.
            const bool not_owed =
                !sender(message).managed && happened(Event::Kind::killed, to, *fate.sent, end);
            find(Kind::not_archived, message, "is not in the archive of its reader",
                 not_owed || store_was_failing(to, end));
        }
        if (read_only && fate.acknowledged && fate.kept_by_sender == 0) {
            find(Kind::not_archived, message, "is not in the archive of its sender",
                 store_was_failing(from, end));
        }
        if (fate.kept_by_sender > 1) {
            find(
                Kind::archived_twice, message, "is more than once in the archive of its sender",
                may_repeat(message) || happened(Event::Kind::killed, from, *fate.sent, open_until));
        }
        if (fate.kept_by_reader > 1) {
            find(Kind::archived_twice, message, "is more than once in the archive of its reader",
                 may_repeat(message));
        }
    }

    /// Messages from one session to an account arrive in the order in which they were sent.
    void judge_order() {
        std::map<std::pair<std::size_t, std::size_t>, std::size_t> latest_read;
        for (std::size_t message = 0; message < fates_.size(); ++message) {
            const Fate& fate = fates_[message];
            if (fate.reads.empty()) continue;
            const auto [sender, reader] = history_.messages[message];
            const auto [last, first_of_flow] =
                latest_read.emplace(std::pair(sender, reader), fate.reads.front());
            if (first_of_flow) continue;
            if (fate.reads.front() < last->second) {
                find(Kind::reordered, message, "was read before one that was sent earlier");
            } else {
                last->second = fate.reads.front();
            }
        }
    }

    const History& history_;
    std::vector<Fate> fates_;
    Verdict verdict_;
};

}  // namespace

std::string_view name_of(Finding::Kind kind) {
    switch (kind) {
        case Finding::Kind::lost: return "lost";
        case Finding::Kind::twice: return "twice";
        case Finding::Kind::refused_and_read: return "refused and read";
        case Finding::Kind::refused_twice: return "refused twice";
        case Finding::Kind::reordered: return "reordered";
        case Finding::Kind::unknown: return "unknown";
        case Finding::Kind::left_over: return "left over";
        case Finding::Kind::not_archived: return "not archived";
        case Finding::Kind::archived_twice: return "archived twice";
        case Finding::Kind::wrong: return "wrong";
    }
    return {};
}

Verdict judge(const History& history) { return Judge(history).judge(); }

}  // namespace causeway::loss
