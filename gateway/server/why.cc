#include "gateway/server/why.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "gateway/session/account_inbox.h"
#include "gateway/xml/ns.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

/// Rows of one owner that are looked at, and how many are read at once.
constexpr std::size_t rows_limit = 20'000;
constexpr std::size_t page_rows = 500;
/// Queues that are looked through when the recipient's domain is not known.
constexpr std::size_t queues_limit = 1000;
/// The latest of an archive, where only the client's id is known.
constexpr std::size_t archive_rows = 200;

std::uint64_t number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? number : 0;
}

/// The shards' events as one list: each shard's stay in their order; of those of one millisecond
/// the one that is earlier on a stanza's way comes first.
std::vector<TraceLine> merge(std::vector<Trace::Found> found) {
    std::vector<TraceLine> merged;
    std::vector<std::size_t> next(found.size(), 0);
    while (true) {
        const TraceLine* first = nullptr;
        std::size_t of = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
            if (next[i] == found[i].lines.size()) continue;
            const TraceLine& line = found[i].lines[next[i]];
            if (first == nullptr ||
                std::tie(line.at, line.stage) < std::tie(first->at, first->stage)) {
                first = &line;
                of = i;
            }
        }
        if (first == nullptr) return merged;
        merged.push_back(*first);
        ++next[of];
    }
}

/// Between whom a stanza goes: an error that answers it goes the other way.
using Ends = std::pair<std::string, std::string>;

Ends bare(const Ends& ends) {
    return {std::string(bare_of(ends.first)), std::string(bare_of(ends.second))};
}

class Why : public std::enable_shared_from_this<Why> {
public:
    Why(Shared& shared, Executor& home, WhyQuestion question,
        std::function<void(Result<WhyAnswer>)> answer)
        : shared_(shared), home_(home), asked_(std::move(question)), answer_(std::move(answer)) {}

    void start() {
        for (std::string* address : {&asked_.from, &asked_.to}) {
            if (address->empty()) continue;
            const auto parsed = Jid::parse(*address);
            if (!parsed) {
                answer_(Outcome::malformed(
                    fmt::format("\"{}\" is not an address: {}", *address, parsed.error().why())));
                return;
            }
            *address = parsed->full();
        }
        number_ = number_of(asked_.id);
        ids_.insert(asked_.id);
        look({.id = asked_.id, .stanza_id = number_, .from = asked_.from, .to = asked_.to},
             [self = shared_from_this()](std::vector<TraceLine> lines) {
                 self->found_some(std::move(lines));
             });
    }

private:
    using Steps = std::deque<std::function<void()>>;

    // ---- the trace ----

    void look(TraceQuestion question, std::function<void(std::vector<TraceLine>)> then) {
        struct State {
            std::vector<Trace::Found> found;
            std::size_t missing;
            std::function<void(std::vector<TraceLine>)> then;
        };
        const std::size_t count = shared_.hubs.size();
        const auto state = std::make_shared<State>(
            State{std::vector<Trace::Found>(count), count, std::move(then)});
        for (std::size_t i = 0; i < count; ++i) {
            Hub& hub = *shared_.hubs[i];
            hub.shard.post([self = shared_from_this(), &hub, i, state, question] {
                const auto found = std::make_shared<Trace::Found>(hub.trace.find(question));
                self->home_.post([self, i, state, found] {
                    self->remembered_since_ = std::max(self->remembered_since_, found->since);
                    state->found[i] = std::move(*found);
                    if (--state->missing == 0) state->then(merge(std::move(state->found)));
                });
            });
        }
    }

    /// Once more, by what the first look told: the events before it had its number know it by its
    /// client's id, and those of other shards may know its number alone.
    void found_some(std::vector<TraceLine> lines) {
        choose(lines);
        if (lines.empty()) {
            events_found({});
            return;
        }
        TraceQuestion question{.id = {}, .stanza_id = number_, .from = {}, .to = {}};
        for (const TraceLine& line : lines) {
            if (bare(ends_of(line)) != bare(ends_)) continue;
            if (line.stanza_id != 0) question.stanza_id = line.stanza_id;
            if (line.id.empty()) continue;
            ids_.insert(line.id);
            if (question.identities.empty()) {
                const Ends ends = bare(ends_);
                question.identities.push_back({line.id, ends.first, ends.second});
            }
        }
        number_ = question.stanza_id;
        look(std::move(question), [self = shared_from_this()](std::vector<TraceLine> all) {
            self->events_found(std::move(all));
        });
    }

    [[nodiscard]] Ends ends_of(const TraceLine& line) const {
        Ends ends{line.from, line.to};
        if (line.type == StanzaType::error && !error_itself_) std::swap(ends.first, ends.second);
        return ends;
    }

    /// Of several stanzas with that id the one of which something was heard last.
    void choose(const std::vector<TraceLine>& lines) {
        ends_ = {asked_.from, asked_.to};
        error_itself_ = std::ranges::all_of(
            lines, [](const TraceLine& line) { return line.type == StanzaType::error; });
        std::set<Ends> known;
        for (const TraceLine& line : lines) {
            if (line.type == StanzaType::error && !error_itself_) continue;
            const Ends ends = ends_of(line);
            known.insert(bare(ends));
            ends_ = ends;
        }
        result_.others = known.empty() ? 0 : known.size() - 1;
    }

    void events_found(std::vector<TraceLine> lines) {
        std::erase_if(lines,
                      [&](const TraceLine& line) { return bare(ends_of(line)) != bare(ends_); });
        result_.story.events = std::move(lines);
        result_.stanza_id = number_;
        for (const TraceLine& line : result_.story.events) {
            if (!line.id.empty()) result_.id = line.id;
        }
        if (result_.id.empty() && number_ == 0) result_.id = asked_.id;
        classify();
    }

    // ---- what is stored ----

    /// Which of the two have an account here, by the configuration of a shard.
    void classify() {
        Hub& hub = *shared_.hubs.front();
        hub.shard.post([self = shared_from_this(), &hub, ends = bare(ends_)] {
            const auto served = [&](std::string_view address) {
                return !address.empty() && hub.serves(domain_part_of(address));
            };
            const std::pair<bool, bool> here{served(ends.first), served(ends.second)};
            self->home_.post([self, here] {
                self->plan(here.first, here.second);
                self->next();
            });
        });
    }

    void plan(bool sender_here, bool recipient_here) {
        const auto [from, to] = bare(ends_);
        if (recipient_here) steps_.emplace_back([this, to = to] { read_archive(to); });
        if (sender_here) steps_.emplace_back([this, from = from] { read_archive(from); });
        if (recipient_here) {
            steps_.emplace_back([this, to = to] {
                read_rows(AccountInbox::store_name, to, result_.story.offline, 0, 0);
            });
        } else if (!to.empty() && !from.empty()) {
            plan_queue(RemotePair::queue_owner(domain_part_of(to), domain_part_of(from)));
        } else if (result_.story.events.empty()) {
            steps_.emplace_back([this] { find_queues(); });
        }
        steps_.emplace_back([this] { ask_link(); });
    }

    void plan_queue(const std::string& owner) {
        steps_.emplace_back([this, owner] {
            read_rows(RemotePair::store_name, owner, result_.story.queued, 0, 0);
        });
    }

    void next() {
        if (steps_.empty()) {
            finish();
            return;
        }
        const auto step = std::move(steps_.front());
        steps_.pop_front();
        step();
    }

    /// Neither end is known, or only one: every queue is looked through.
    void find_queues() {
        shared_.store.log_totals(
            std::string(RemotePair::store_name), queues_limit, home_,
            [self = shared_from_this()](const Result<std::vector<LogTotals>>& totals) {
                if (totals) {
                    const std::string remote(domain_part_of(self->ends_.second));
                    // Before what was planned behind it.
                    Steps later = std::exchange(self->steps_, {});
                    for (const LogTotals& total : *totals) {
                        const bool other =
                            !remote.empty() && !total.owner.starts_with(remote + ' ');
                        if (!other) self->plan_queue(total.owner);
                    }
                    std::ranges::move(later, std::back_inserter(self->steps_));
                }
                self->next();
            });
    }

    void read_rows(std::string_view store, const std::string& owner,
                   std::optional<StanzaStory::Stored>& into, std::uint64_t after,
                   std::size_t seen) {
        if (into || seen >= rows_limit) {
            next();
            return;
        }
        shared_.store.log_list(
            std::string(store), owner, after, page_rows, home_,
            [self = shared_from_this(), store, owner, &into,
             seen](const Result<std::vector<LogRow>>& rows) {
                if (!rows || rows->empty()) {
                    self->next();
                    return;
                }
                for (const LogRow& row : *rows) {
                    if (!self->is_it(row.id, row.body)) continue;
                    into = {.since = row.at, .until = self->shared_.lifetimes.as_wall(row.expires)};
                    self->next();
                    return;
                }
                self->read_rows(store, owner, into, rows->back().id, seen + rows->size());
            });
    }

    /// Whether a stored stanza is the one that is asked about; if so, it says between whom it goes.
    bool is_it(std::uint64_t row, std::string_view body) {
        bool same = number_ != 0 && row == number_;
        const std::string number = number_ == 0 ? std::string() : fmt::format("{}", number_);
        const bool may_be = same || (number_ != 0 && body.find(number) != std::string_view::npos) ||
                            std::ranges::any_of(ids_, [&](const std::string& id) {
                                return id.find_first_of("&<>'\"") != std::string::npos ||
                                       body.find(id) != std::string_view::npos;
                            });
        if (!may_be) return false;
        (void)Packet::visit_bytes(body, [&](const Stanza& stanza) {
            for (const Element* child = stanza.element.first_element(); child != nullptr;
                 child = child->next_element()) {
                same = same || (!number.empty() && child->is(ns::stanza_ids, "stanza-id") &&
                                child->attribute("id") == number);
            }
            const Ends ends{std::string(stanza.from.full()), std::string(stanza.to.full())};
            const auto fits = [](const std::string& wanted, const std::string& is) {
                return wanted.empty() || bare_of(wanted) == bare_of(is);
            };
            same = same || (ids_.contains(std::string(stanza.id())) &&
                            fits(ends_.first, ends.first) && fits(ends_.second, ends.second));
            if (!same) return;
            ends_ = ends;
            result_.id = stanza.id();
        });
        return same;
    }

    void read_archive(const std::string& owner) {
        const auto [from, to] = bare(ends_);
        ArchiveQuery query{.owner = owner};
        if (number_ != 0) {
            query.ids = {number_};
        } else {
            query.with = owner == to ? from : to;
            query.from_end = true;
            query.rows = archive_rows;
        }
        shared_.store.archive_page(
            std::move(query), home_,
            [self = shared_from_this(), owner](const Result<ArchivePage>& page) {
                if (page) {
                    for (const ArchiveRow& row : page->rows) {
                        if (!self->is_it(row.id, row.body)) continue;
                        self->result_.story.archived.push_back(
                            {.owner = owner, .id = row.id, .at = time_of_id(row.id)});
                    }
                }
                self->next();
            });
    }

    // ---- the link ----

    void ask_link() {
        const std::string remote(domain_part_of(ends_.second));
        const std::string local(domain_part_of(ends_.first));
        if (remote.empty() || local.empty()) {
            next();
            return;
        }
        Hub& hub = *shared_.hubs[shared_.shards.home_of(remote)];
        hub.shard.post([self = shared_from_this(), &hub, remote, local] {
            std::optional<StanzaStory::Link> link;
            static_cast<ServerTable&>(*hub.remote).each_pair([&](const RemotePair& pair) {
                if (pair.remote() != remote || pair.local() != local) return;
                const PairReport report = pair.report();
                link = {report.state, report.last_error, report.next_retry};
            });
            self->home_.post([self, link] {
                self->result_.story.link = link;
                self->next();
            });
        });
    }

    // ---- the answer ----

    void finish() {
        StanzaStory& story = result_.story;
        story.from = ends_.first;
        story.to = ends_.second;
        story.now = shared_.clock.wall();
        if (story.events.empty() && !story.offline && !story.queued && story.archived.empty()) {
            answer_(Outcome::absent(unknown()));
            return;
        }
        result_.sentence = explain(story);
        answer_(std::move(result_));
    }

    [[nodiscard]] std::string unknown() const {
        const UnixMillis since = remembered_since_ != 0 ? remembered_since_ : shared_.started_at();
        return fmt::format(
            "nothing is known of \"{}\": what did not go as usual is remembered since {} "
            "(limits.trace_bytes), and it waits in no queue{}; it may be older, have another id, "
            "or "
            "never have come to this server",
            asked_.id, words_for_time(since, shared_.clock.wall()),
            asked_.to.empty() ? "; with --to the store of its recipient is looked into as well"
                              : " and no store");
    }

    Shared& shared_;
    Executor& home_;
    WhyQuestion asked_;
    const std::function<void(Result<WhyAnswer>)> answer_;
    std::uint64_t number_ = 0;   ///< its stanza-id, as far as it is known
    std::set<std::string> ids_;  ///< by its client
    Ends ends_;
    bool error_itself_ = false;  ///< it is an error, of which what it answers is not known here
    WhyAnswer result_;
    Steps steps_;
    UnixMillis remembered_since_ = 0;
};

}  // namespace

void why(Shared& shared, Executor& home, WhyQuestion question,
         std::function<void(Result<WhyAnswer>)> answer) {
    std::make_shared<Why>(shared, home, std::move(question), std::move(answer))->start();
}

}  // namespace causeway
