#include "gateway/trace/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace causeway {
namespace {

using Stage = TraceStage;
using Verdict = TraceVerdict;

std::string pause(UnixMillis length) {
    const std::int64_t seconds = std::max<std::int64_t>(0, (length + 999) / 1000);
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 7200) return fmt::format("{} min", seconds / 60);
    return fmt::format("{} h", seconds / 3600);
}

/// A clause as the beginning of a sentence.
std::string capital(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
        text[0] = static_cast<char>(text[0] - 32);
    return text;
}

/// Without the full stop that an error's text may have.
std::string clause(std::string_view text) {
    while (text.ends_with('.')) text.remove_suffix(1);
    return std::string(text);
}

class Explanation {
public:
    explicit Explanation(const StanzaStory& story) : story_(story) {}

    std::string words() const { return fate() + repeated() + copies() + archives(); }

private:
    [[nodiscard]] std::string fate() const {
        if (const TraceLine* error = answer_of_peer()) return answered(*error);
        if (const TraceLine* had = arrived_at_client()) return arrived(*had);
        if (const TraceLine* had = fetched()) return fetched_by(*had);
        if (story_.queued) return in_queue();
        const TraceLine* last = decisive();
        if (story_.offline && !on_its_way(last)) return in_store();
        if (last != nullptr) return said_by(*last);
        if (story_.offline) return in_store();
        return from_archives_alone();
    }

    /// That a copy came as well, where more is known than that.
    [[nodiscard]] std::string repeated() const {
        const auto found = std::ranges::find(story_.events, Verdict::repeated, &TraceLine::verdict);
        const TraceLine* last = decisive();
        if (found == story_.events.end() || last == &*found) return {};
        return fmt::format(" A copy of it that came at {} was recognised, and is not shown twice.",
                           at(*found));
    }

    /// Other sessions that got a copy (carbons).
    [[nodiscard]] std::string copies() const {
        std::string sessions;
        for (const TraceLine& event : story_.events) {
            if (event.verdict != Verdict::copied || is_answer(event)) continue;
            if (!sessions.empty()) sessions += " and ";
            sessions += event.where;
        }
        return sessions.empty() ? sessions : fmt::format(" A copy went to {}.", sessions);
    }

    // ---- archives ----

    [[nodiscard]] std::string archives() const { return in_archives() + not_in_archives(); }

    [[nodiscard]] std::string in_archives() const {
        std::string words;
        for (const StanzaStory::Archived& one : story_.archived) {
            words += words.empty() ? " It is in the archive of " : " and in the archive of ";
            words += fmt::format("{} since {} (as {}", one.owner,
                                 words_for_time(one.at, story_.now), one.id);
            const bool of_recipient = one.owner == bare_of(story_.to);
            words += of_recipient && story_.offline ? ", fetched by no client yet)" : ")";
        }
        return words.empty() ? words : words + ".";
    }

    /// Accounts whose archive does not keep it, and why.
    [[nodiscard]] std::string not_in_archives() const {
        std::string words;
        for (const TraceLine& event : story_.events) {
            if (event.stage != Stage::archive || event.verdict != Verdict::skipped ||
                is_answer(event)) {
                continue;
            }
            const std::string sentence =
                fmt::format(" The archive of {} does not keep it: {}.", event.where, event.reason);
            if (words.find(sentence) == std::string::npos) words += sentence;
        }
        return words;
    }

    /// That a client asked the archive for it while it waited to be delivered.
    [[nodiscard]] const TraceLine* fetched() const {
        const auto found = std::ranges::find_if(story_.events, [](const TraceLine& event) {
            return event.stage == Stage::archive && event.verdict == Verdict::delivered;
        });
        return found == story_.events.end() ? nullptr : &*found;
    }

    [[nodiscard]] std::string fetched_by(const TraceLine& had) const {
        if (!story_.offline) {
            return fmt::format("It arrived: the client {} fetched it from the archive at {}.",
                               had.where, at(had));
        }
        return fmt::format(
            "The client {} fetched it from the archive at {} and has not acknowledged it yet; if "
            "that connection breaks, it waits for the next client.",
            had.where, at(had));
    }

    // ---- what became of it ----

    [[nodiscard]] std::string at(const TraceLine& event) const {
        return words_for_time(event.at, story_.now);
    }
    /// It answers the stanza and is not the stanza itself.
    [[nodiscard]] bool is_answer(const TraceLine& event) const {
        return event.type == StanzaType::error && bare_of(event.from) == bare_of(story_.to);
    }

    /// The error that the recipient's side sent; one of our own begins with the stage `answer`.
    [[nodiscard]] const TraceLine* answer_of_peer() const {
        const auto found = std::ranges::find_if(story_.events, [this](const TraceLine& event) {
            return is_answer(event) && event.verdict == Verdict::accepted &&
                   (event.stage == Stage::from_server || event.stage == Stage::from_client);
        });
        return found == story_.events.end() ? nullptr : &*found;
    }

    [[nodiscard]] const TraceLine* arrived_at_client() const {
        const auto found = std::ranges::find_if(story_.events, [this](const TraceLine& event) {
            return !is_answer(event) && event.stage == Stage::to_client &&
                   event.verdict == Verdict::confirmed;
        });
        return found == story_.events.end() ? nullptr : &*found;
    }

    /// The last event of the stanza itself.
    [[nodiscard]] const TraceLine* decisive() const {
        const TraceLine* last = nullptr;
        for (const TraceLine& event : story_.events) {
            if (is_answer(event) || event.stage == Stage::answer) continue;
            if (event.stage == Stage::archive || event.verdict == Verdict::copied) continue;
            if (event.verdict == Verdict::accepted && last != nullptr) continue;  // of a copy
            if (event.verdict != Verdict::repeated || last == nullptr ||
                last->verdict == Verdict::accepted) {
                last = &event;
            }
        }
        return last;
    }

    /// Given to a session that may still acknowledge it.
    static bool on_its_way(const TraceLine* last) {
        return last != nullptr && last->stage == Stage::to_client &&
               (last->verdict == Verdict::delivered || last->verdict == Verdict::waiting);
    }

    /// nullptr: the sender was told nothing.
    [[nodiscard]] const TraceLine* answer_of_ours() const {
        const auto found = std::ranges::find(story_.events, Stage::answer, &TraceLine::stage);
        return found == story_.events.end() ? nullptr : &*found;
    }

    /// What the sender was told, as a sentence; empty if nothing.
    [[nodiscard]] std::string sender_was_told() const {
        const TraceLine* told = answer_of_ours();
        if (told == nullptr) return {};
        return fmt::format(" The sender got the error {}.", clause(told->reason));
    }

    [[nodiscard]] std::string answered(const TraceLine& error) const {
        return fmt::format("It arrived at {}, and {} answered at {} with the error {}.",
                           domain_part_of(story_.to), error.from, at(error), clause(error.reason));
    }

    [[nodiscard]] std::string arrived(const TraceLine& had) const {
        return fmt::format("It arrived: the client {} acknowledged it at {}.", had.where, at(had));
    }

    /// "the next attempt is in 40 s".
    [[nodiscard]] std::string next_attempt() const {
        if (!story_.link) return "the next attempt follows with the next message to that domain";
        if (story_.link->next_retry != 0) {
            return fmt::format("the next attempt is in {}",
                               pause(story_.link->next_retry - story_.now));
        }
        if (story_.link->state == "established") return "it is being sent";
        if (story_.link->state == "idle" || story_.link->state == "waiting") {
            return "no attempt is planned: \"causewayctl peer retry\" makes one";
        }
        return "an attempt is being made now";
    }

    [[nodiscard]] std::string in_queue() const {
        std::string cause = story_.link ? story_.link->last_error : std::string();
        for (const TraceLine& event : story_.events) {
            if (cause.empty() && event.stage == Stage::queue) cause = event.reason;
        }
        std::string words =
            fmt::format("It waits in the queue for {} since {}", domain_part_of(story_.to),
                        words_for_time(story_.queued->since, story_.now));
        if (!cause.empty()) words += ": " + clause(cause);
        words += "; " + next_attempt();
        if (story_.queued->until != 0) {
            words += fmt::format("; it is given up at {}",
                                 words_for_time(story_.queued->until, story_.now));
        }
        return words + ".";
    }

    [[nodiscard]] std::string why_in_store() const {
        const TraceLine* last = decisive();
        if (last != nullptr && last->stage == Stage::offline && last->verdict == Verdict::waiting) {
            return ": " + last->reason;
        }
        const auto kept = std::ranges::find_if(story_.events, [](const TraceLine& event) {
            return event.stage == Stage::offline && event.verdict == Verdict::kept;
        });
        return (kept == story_.events.end() ? "" : ": " + kept->reason) +
               "; a client there gets it when it is available with a priority that is not negative";
    }

    [[nodiscard]] std::string in_store() const {
        std::string words = fmt::format("It waits for {} since {}", bare_of(story_.to),
                                        words_for_time(story_.offline->since, story_.now));
        words += why_in_store();
        if (story_.offline->until != 0) {
            words += fmt::format("; it is given up at {}",
                                 words_for_time(story_.offline->until, story_.now));
        }
        return words + ".";
    }

    /// What can be told without an event: it is in an archive, and waits nowhere.
    [[nodiscard]] std::string from_archives_alone() const {
        const bool had = std::ranges::any_of(
            story_.archived, [&](const auto& one) { return one.owner == bare_of(story_.to); });
        if (had) {
            return fmt::format(
                "It waits for {} no more: a client there was given it or fetched it from the "
                "archive, or it waited too long; the trace does not reach back to that.",
                bare_of(story_.to));
        }
        return fmt::format(
            "It was sent on to {} or given up, since it waits in no queue here; the trace does not "
            "reach back to that.",
            story_.to.empty() ? "its recipient" : domain_part_of(story_.to));
    }

    /// What the last thing that was decided means.
    [[nodiscard]] std::string said_by(const TraceLine& last) const {
        const std::string reason = clause(last.reason);
        const TraceLine* told = answer_of_ours();
        if (told != nullptr && last.verdict != Verdict::refused &&
            last.verdict != Verdict::expired && last.verdict != Verdict::dropped) {
            return fmt::format("It was given up at {} after it was {}.", at(*told),
                               to_string(last.verdict)) +
                   sender_was_told();
        }
        switch (last.verdict) {
            case Verdict::copied:
            case Verdict::skipped: break;  // nothing that ends its way
            case Verdict::accepted:
                return fmt::format("It was accepted at {} and goes to {}.", at(last), last.where);
            case Verdict::delivered:
                return fmt::format(
                    "It was sent to {} at {}, whose client has not acknowledged it yet; if that "
                    "connection breaks, it is sent again when the session is resumed, or kept.",
                    last.where, at(last));
            case Verdict::written: return written(last);
            case Verdict::confirmed:
                return fmt::format(
                    "The server of {} confirmed at {} that it has it; what became "
                    "of it there only that server knows.",
                    last.where, at(last));
            case Verdict::taken:
                return fmt::format("The feature {} took it over at {}{}{}.", last.where, at(last),
                                   reason.empty() ? "" : ": ", reason);
            case Verdict::waiting: return waiting(last);
            case Verdict::kept:
            case Verdict::returned:
                return fmt::format(
                    "It went to the store at {} ({}), and does not stand there any "
                    "more: it was delivered since, or removed{}.",
                    at(last), reason.empty() ? to_string(last.stage) : reason,
                    last.stage == Stage::queue ? " by \"causewayctl queue drop\"" : "");
            case Verdict::repeated:
                return fmt::format("It is a copy that was sent again at {}: {}.", at(last), reason);
            case Verdict::dropped:
                return fmt::format("It was dropped at {} by {}: {}", at(last), by(last), reason) +
                       (told == nullptr ? "; the sender was told nothing."
                                        : "." + sender_was_told());
            case Verdict::refused:
                return fmt::format("It was refused at {} by {}: {}.", at(last), by(last), reason) +
                       sender_was_told();
            case Verdict::expired:
                return fmt::format("It was given up at {}: {}.", at(last), reason) +
                       sender_was_told();
        }
        return {};
    }

    [[nodiscard]] std::string written(const TraceLine& last) const {
        if (last.stage == Stage::to_client) {
            return fmt::format(
                "It was sent to {} at {}; that client does not acknowledge, so it "
                "is not known whether it has it.",
                last.where, at(last));
        }
        if (!last.reason.empty()) {
            return fmt::format(
                "It was sent to the server of {} at {}; more is not known, since {}.", last.where,
                at(last), last.reason);
        }
        return fmt::format(
            "It was sent to the server of {} at {}, which has not confirmed it yet; "
            "if that stream breaks before, it is sent again.",
            last.where, at(last));
    }

    [[nodiscard]] std::string waiting(const TraceLine& last) const {
        if (last.stage == Stage::to_client && last.reason.find(' ') == std::string::npos) {
            return fmt::format(
                "It waits since {}: the feature {} holds it back for {}, whose "
                "client says that it can wait.",
                at(last), last.reason, last.where);
        }
        if (last.stage == Stage::to_server) {
            std::string words = fmt::format("It waits in memory for {} since {}: {}", last.where,
                                            at(last), last.reason);
            if (story_.link && !story_.link->last_error.empty()) {
                words += fmt::format(" (the last failure: {})", clause(story_.link->last_error));
            }
            return words + ".";
        }
        return fmt::format("It waits for {} since {}: {}.", last.where, at(last),
                           clause(last.reason));
    }

    /// Who decided, for people.
    [[nodiscard]] static std::string by(const TraceLine& event) {
        switch (event.stage) {
            case Stage::from_client:
                return event.where.empty() ? "this server, from its client"
                                           : fmt::format("the feature {}", event.where);
            case Stage::from_server:
            case Stage::account:
            case Stage::offline:
            case Stage::to_client:
            case Stage::to_server:
                return fmt::format("{} ({})", to_string(event.stage), event.where);
            case Stage::queue:
            case Stage::archive:
            case Stage::answer: break;
        }
        return std::string(to_string(event.stage));
    }

    const StanzaStory& story_;
};

}  // namespace

std::string words_for_time(UnixMillis at, UnixMillis now) {
    const std::string date_time = format_date_time(at);
    constexpr std::size_t date = 10;
    if (date_time.compare(0, date, format_date_time(now), 0, date) == 0) {
        return date_time.substr(date + 1, 8) + " UTC";
    }
    return date_time.substr(0, date) + " " + date_time.substr(date + 1, 5) + " UTC";
}

std::string explain(const StanzaStory& story) { return capital(Explanation(story).words()); }

}  // namespace causeway
