#include "gateway/server/why.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "gateway/control/accounts.h"
#include "gateway/server/merged_traces.h"
#include "gateway/session/account_inbox.h"
#include "gateway/xml/ns.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

/// Rows of one owner that are looked at, and how many are read at once.
constexpr std::size_t rows_limit = 20'000;
constexpr std::size_t page_rows = 500;
/// Owners of each store whose rows are looked through when the recipient is not known.
constexpr std::size_t owners_limit = 1000;
/// The latest of an archive, where only the client's id is known.
constexpr std::size_t archive_rows = 200;

std::uint64_t number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? number : 0;
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
            const auto parsed = control::address_of(*address);
            if (!parsed) return answer_(parsed.error());
            *address = parsed->full();
        }
        number_ = number_of(asked_.id);
        if (number_ != 0) numbers_.insert(number_);
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
                    if (--state->missing == 0) state->then(merged(state->found));
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
            know(line);
            if (line.id.empty()) continue;
            ids_.insert(line.id);
            if (question.identities.empty()) {
                const Ends ends = bare(ends_);
                question.identities.push_back({line.id, ends.first, ends.second});
            }
        }
        look(std::move(question), [self = shared_from_this()](std::vector<TraceLine> all) {
            self->events_found(std::move(all));
        });
    }

    /// The numbers that the owners of archives gave it; the recipient's is the one that is told.
    void know(const TraceLine& line) {
        if (line.stanza_id == 0) return;
        numbers_.insert(line.stanza_id);
        const bool of_sender = line.stage == TraceStage::archive &&
                               bare_of(line.where) == bare_of(ends_.first) &&
                               bare_of(ends_.first) != bare_of(ends_.second);
        if (!of_sender || number_ == 0) number_ = line.stanza_id;
    }

    [[nodiscard]] Ends ends_of(const TraceLine& line) const {
        Ends ends{line.from, line.to};
        if (line.type == StanzaType::error && !error_itself_) std::swap(ends.first, ends.second);
        return ends;
    }

    /// What is known of the addresses is true of these.
    [[nodiscard]] bool fits(const Ends& ends) const {
        return (ends_.first.empty() || bare_of(ends_.first) == bare_of(ends.first)) &&
               (ends_.second.empty() || bare_of(ends_.second) == bare_of(ends.second));
    }

    /// Of several stanzas with that id the one of which something was heard last.
    void choose(std::vector<TraceLine>& lines) {
        ends_ = {asked_.from, asked_.to};
        const auto is_error = [](const TraceLine& line) { return line.type == StanzaType::error; };
        // For the sake of answers the trace takes either address for the sender.
        std::erase_if(lines, [&](const TraceLine& line) {
            return !is_error(line) && !fits({line.from, line.to});
        });
        error_itself_ = std::ranges::all_of(lines, is_error);
        std::set<Ends> known;
        for (const TraceLine& line : lines) {
            if (is_error(line) && !error_itself_) continue;
            ends_ = ends_of(line);
            known.insert(bare(ends_));
        }
        result_.others = known.empty() ? 0 : known.size() - 1;
    }

    void events_found(std::vector<TraceLine> lines) {
        std::erase_if(lines,
                      [&](const TraceLine& line) { return bare(ends_of(line)) != bare(ends_); });
        result_.story.events = std::move(lines);
        for (const TraceLine& line : result_.story.events) {
            if (!line.id.empty()) result_.id = line.id;
            know(line);
        }
        if (result_.id.empty() && number_ == 0) result_.id = asked_.id;
        if (result_.story.events.empty() && ends_.second.empty()) {
            seek();
        } else {
            classify();
        }
    }

    // ---- what is stored ----

    /// Nothing is remembered, as after a restart, and the recipient is not named: looks where it
    /// may stand until somebody's rows hold it, and goes on with what they tell.
    void seek() {
        if (number_ != 0) steps_.emplace_back([this] { find_archive(); });
        steps_.emplace_back([this] { find_rows(AccountInbox::store_name, result_.story.offline); });
        steps_.emplace_back([this] { find_rows(RemotePair::store_name, result_.story.queued); });
        steps_.emplace_back([this] { classify(); });
        next();
    }

    /// The account that received a message of that number.
    void find_archive() {
        shared_.store.archive_recent(
            number_ - 1, 1, home_,
            [self = shared_from_this()](
                const Result<std::vector<std::pair<std::string, ArchiveRow>>>& found) {
                if (found && !found->empty() && found->front().second.id == self->number_) {
                    const auto& [owner, row] = found->front();
                    const Ends& asked = self->ends_;
                    if (asked.first.empty() || bare_of(asked.first) == row.with) {
                        self->ends_ = {row.with, owner};
                    }
                }
                self->next();
            });
    }

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
        const bool by_number = !numbers_.empty();
        if (recipient_here) {
            steps_.emplace_back([this, to = to, by_number] { read_archive(to, by_number); });
        }
        if (sender_here && from != to) {
            steps_.emplace_back([this, from = from, by_number] { read_archive(from, by_number); });
        }
        if (recipient_here) {
            steps_.emplace_back([this, to = to] {
                read_rows(AccountInbox::store_name, to, result_.story.offline, 0, 0);
            });
        } else if (!to.empty() && !from.empty()) {
            plan_queue(RemotePair::queue_owner(domain_part_of(to), domain_part_of(from)));
        } else if (result_.story.events.empty() && !to.empty()) {
            steps_.emplace_back(
                [this] { find_rows(RemotePair::store_name, result_.story.queued); });
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

    /// Not both ends are known: looks through what every owner has in that store.
    void find_rows(std::string_view store, std::optional<StanzaStory::Stored>& into) {
        shared_.store.log_totals(std::string(store), owners_limit, home_,
                                 [self = shared_from_this(), store,
                                  &into](const Result<std::vector<LogTotals>>& totals) {
                                     if (!totals) {
                                         self->next();
                                         return;
                                     }
                                     const std::string remote(domain_part_of(self->ends_.second));
                                     auto owners = std::make_shared<std::vector<std::string>>();
                                     for (const LogTotals& total : *totals) {
                                         const bool other = store == RemotePair::store_name &&
                                                            !remote.empty() &&
                                                            !total.owner.starts_with(remote + ' ');
                                         if (!other) owners->push_back(total.owner);
                                     }
                                     self->read_owners(store, std::move(owners), into);
                                 });
    }

    /// The rows of one owner after the other, the last one first, before what is planned.
    void read_owners(std::string_view store, std::shared_ptr<std::vector<std::string>> owners,
                     std::optional<StanzaStory::Stored>& into) {
        if (into || owners->empty()) {
            next();
            return;
        }
        const std::string owner = std::move(owners->back());
        owners->pop_back();
        steps_.emplace_front(
            [this, store, owners = std::move(owners), &into] { read_owners(store, owners, into); });
        read_rows(store, owner, into, 0, 0);
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
        bool same = numbers_.contains(row);
        const bool may_be = same ||
                            std::ranges::any_of(numbers_,
                                                [&](std::uint64_t number) {
                                                    return body.find(fmt::format("{}", number)) !=
                                                           std::string_view::npos;
                                                }) ||
                            std::ranges::any_of(ids_, [&](const std::string& id) {
                                return id.find_first_of("&<>'\"") != std::string::npos ||
                                       body.find(id) != std::string_view::npos;
                            });
        if (!may_be) return false;
        (void)Packet::visit_bytes(body, [&](const Stanza& stanza) {
            for (const Element* child = stanza.element.first_element(); child != nullptr;
                 child = child->next_element()) {
                same = same || (child->is(ns::stanza_ids, "stanza-id") &&
                                numbers_.contains(number_of(child->attribute("id"))));
            }
            const Ends ends{std::string(stanza.from.full()), std::string(stanza.to.full())};
            same = same || (ids_.contains(std::string(stanza.id())) && fits(ends));
            if (!same) return;
            ends_ = ends;
            result_.id = stanza.id();
            if (!result_.id.empty()) ids_.insert(result_.id);
        });
        return same;
    }

    /// If it is not there by a number, the latest of those two are looked through.
    void read_archive(const std::string& owner, bool by_number) {
        const auto [from, to] = bare(ends_);
        ArchiveQuery query{.owner = owner};
        if (by_number) {
            query.ids.assign(numbers_.begin(), numbers_.end());
        } else {
            query.with = owner == to ? from : to;
            query.from_end = true;
            query.rows = archive_rows;
        }
        shared_.store.archive_page(
            std::move(query), home_,
            [self = shared_from_this(), owner, by_number](const Result<ArchivePage>& page) {
                const bool found = page && self->archived(owner, page->rows);
                if (!found && by_number) {
                    self->read_archive(owner, false);
                } else {
                    self->next();
                }
            });
    }

    bool archived(const std::string& owner, const std::vector<ArchiveRow>& rows) {
        const auto row = std::ranges::find_if(
            rows, [this](const ArchiveRow& one) { return is_it(one.id, one.body); });
        if (row == rows.end()) return false;
        numbers_.insert(row->id);
        if (number_ == 0 || owner == bare_of(ends_.second)) number_ = row->id;
        result_.story.archived.push_back(
            {.owner = owner, .id = row->id, .at = time_of_id(row->id)});
        return true;
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
        result_.stanza_id = number_;
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
            "(limits.trace_bytes), and it waits in no queue and no store{}; it may be older, have "
            "another id, or never have come to this server",
            asked_.id, words_for_time(since, shared_.clock.wall()),
            asked_.to.empty() ? "; with --to the archive of its recipient is looked into as well"
                              : "");
    }

    Shared& shared_;
    Executor& home_;
    WhyQuestion asked_;
    const std::function<void(Result<WhyAnswer>)> answer_;
    std::uint64_t number_ = 0;         ///< its stanza-id, as far as it is known
    std::set<std::uint64_t> numbers_;  ///< that one, and those of other owners
    std::set<std::string> ids_;        ///< by its client
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
