// bench-archive: fills a store's archive, and then measures pages, commits and a purge while
// messages are stored at a steady rate. It calls the store itself, without a server: what is
// measured is SQLite, the writer and the readers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/session/archive_mark.h"
#include "gateway/store/ids.h"
#include "gateway/store/sqlite.h"

namespace {

using namespace causeway;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Options {
    std::string file = "bench-archive.db";
    std::uint64_t messages = 10'000'000;
    std::uint64_t accounts = 10'000;
    std::uint64_t contacts = 50;
    std::uint64_t rate = 500;
    std::uint64_t pages = 10'000;
    std::uint64_t step = 500;
    std::uint64_t purged = 10'000;
    bool keep = false;
    bool filled = false;
};

/// Runs what the store answers, on the thread that waits.
class Home final : public Executor {
public:
    void post(std::function<void()> task) override {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        arrived_.notify_one();
    }
    void run_until(const std::function<bool()>& done) {
        while (!done()) {
            std::unique_lock lock(mutex_);
            arrived_.wait(lock, [this] { return !tasks_.empty(); });
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::function<void()>> tasks_;
};

/// Says what is wrong, and ends.
void require(const Outcome& outcome) {
    if (outcome) return;
    fmt::print(stderr, "bench-archive: {}\n", outcome.why());
    std::exit(1);
}

std::string account(std::uint64_t number) { return fmt::format("person{}@example.org", number); }

/// Messages as they come: anybody's next, with one of a few contacts, of whom the first write most.
class Traffic {
public:
    Traffic(const Options& options, std::uint64_t first_id, std::uint64_t seed)
        : options_(options), random_(seed), id_(first_id) {}

    void add(Batch& batch) {
        const std::uint64_t owner = below(options_.accounts);
        const std::string with = contact(owner);
        const std::string mine = account(owner);
        const bool incoming = below(2) == 0;
        id_ += id_distance(Duration{1});
        batch.archive_append(
            mine,
            {.id = id_,
             .with = with,
             .resource = "Gajim.8FK2ZQ1A",
             .incoming = incoming,
             .body = fmt::format("<message from='{}/Gajim.8FK2ZQ1A' to='{}' type='chat' "
                                 "id='{:016x}'><body>{:w<100}</body><origin-id "
                                 "xmlns='urn:xmpp:sid:0' id='{:016x}'/></message>",
                                 incoming ? with : mine, incoming ? mine : with, id_, "w", id_)});
    }
    std::string contact(std::uint64_t owner) {
        const std::uint64_t rank = std::min(below(options_.contacts), below(options_.contacts));
        return fmt::format("person{}@example.net", owner * 31 + rank);
    }
    std::uint64_t below(std::uint64_t end) { return random_() % std::max<std::uint64_t>(end, 1); }
    [[nodiscard]] std::uint64_t last_id() const { return id_; }

private:
    const Options& options_;
    std::mt19937_64 random_;
    std::uint64_t id_;
};

class Latencies {
public:
    void add(Clock::duration one) { all_.push_back(Milliseconds(one).count()); }
    void print(const std::string& what) {
        if (all_.empty()) return;
        std::sort(all_.begin(), all_.end());
        const auto at = [&](double part) {
            return all_[std::min(all_.size() - 1, static_cast<std::size_t>(
                                                      part * static_cast<double>(all_.size())))];
        };
        fmt::print("{:<44} median {:8.3f} ms  p99 {:8.3f} ms  max {:8.3f} ms  ({})\n", what,
                   at(0.5), at(0.99), all_.back(), all_.size());
        std::fflush(stdout);
    }

private:
    std::vector<double> all_;
};

std::uint64_t fill(Store& store, const Options& options, std::uint64_t first_id) {
    constexpr std::uint64_t in_batch = 500;
    constexpr int most_under_way = 8;
    Traffic traffic(options, first_id, 1);
    Home home;
    int under_way = 0;
    const auto began = Clock::now();
    for (std::uint64_t done = 0; done < options.messages;) {
        Batch batch;
        for (std::uint64_t i = 0; i < in_batch && done < options.messages; ++i, ++done) {
            traffic.add(batch);
        }
        ++under_way;
        store.commit(std::move(batch), home, [&](const Outcome& outcome) {
            require(outcome);
            --under_way;
        });
        home.run_until([&] { return under_way < most_under_way; });
    }
    // Nobody is to be sent any of it by a server that starts with this store.
    Batch mark;
    mark.map_set(ArchiveMark::store, {}, ArchiveMark::key, std::to_string(traffic.last_id()));
    ++under_way;
    store.commit(std::move(mark), home, [&](const Outcome& outcome) {
        require(outcome);
        --under_way;
    });
    home.run_until([&] { return under_way == 0; });
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    fmt::print("filled {} messages in {:.0f} s, {:.0f} a second\n", options.messages, seconds,
               static_cast<double>(options.messages) / seconds);
    return traffic.last_id();
}

/// Stores messages at a steady rate, one in a batch, until it is ended; measures each commit.
class Stream {
public:
    Stream(Store& store, const Options& options, std::uint64_t first_id)
        : store_(store),
          options_(options),
          traffic_(options, first_id, 2),
          thread_([this] { run(); }) {}
    /// Answers how long commits took.
    Latencies end() {
        ending_ = true;
        thread_.join();
        return std::move(latencies_);
    }
    [[nodiscard]] std::uint64_t last_id() const { return traffic_.last_id(); }

private:
    void run() {
        if (options_.rate == 0) return;
        const auto pause = std::chrono::nanoseconds(std::chrono::seconds(1)) / options_.rate;
        int under_way = 0;
        auto next = Clock::now();
        while (!ending_) {
            Batch batch;
            traffic_.add(batch);
            ++under_way;
            store_.commit(std::move(batch), home_, [&, sent = next](const Outcome& outcome) {
                require(outcome);
                latencies_.add(Clock::now() - sent);
                --under_way;
            });
            next += pause;
            std::this_thread::sleep_until(next);
            home_.run_until([&] { return under_way < 2'000; });
            drain();
        }
        home_.run_until([&] { return under_way == 0; });
    }
    /// Runs what has arrived, without waiting.
    void drain() {
        bool marked = false;
        home_.post([&] { marked = true; });
        home_.run_until([&] { return marked; });
    }

    Store& store_;
    const Options& options_;
    Traffic traffic_;
    Home home_;
    Latencies latencies_;
    std::atomic<bool> ending_ = false;
    std::thread thread_;
};

void ask_pages(Store& store, const Options& options, std::uint64_t first_id,
               std::uint64_t last_id) {
    Traffic choice(options, 0, 3);
    Home home;
    for (const bool with_one : {false, true}) {
        for (const bool from_end : {true, false}) {
            Latencies latencies;
            std::uint64_t rows = 0;
            for (std::uint64_t i = 0; i < options.pages; ++i) {
                const std::uint64_t owner = choice.below(options.accounts);
                ArchiveQuery query{.owner = account(owner), .from_end = from_end, .rows = 50};
                if (with_one) query.with = choice.contact(owner);
                if (!from_end) query.after = first_id + choice.below(last_id - first_id);
                bool answered = false;
                const auto began = Clock::now();
                store.archive_page(std::move(query), home, [&](Result<ArchivePage> page) {
                    require(page ? Outcome{} : page.error());
                    latencies.add(Clock::now() - began);
                    rows += page->rows.size();
                    answered = true;
                });
                home.run_until([&] { return answered; });
            }
            latencies.print(
                fmt::format("page of 50, {}, {}: {:.0f} rows",
                            from_end ? "the last" : "after any id", with_one ? "with one" : "all",
                            static_cast<double>(rows) / static_cast<double>(options.pages)));
        }
    }
}

/// Erases the older half of accounts, in steps, each when the one before is durable.
void purge_half(Store& store, const Options& options, std::uint64_t before) {
    Home home;
    Latencies latencies;
    const std::uint64_t half = options.messages / options.accounts / 2;
    for (std::uint64_t owner = 0; owner < std::min(options.purged, options.accounts); ++owner) {
        for (std::uint64_t done = 0; done <= half; done += options.step) {
            Batch batch;
            batch.archive_trim(account(owner), before, options.step);
            bool answered = false;
            const auto began = Clock::now();
            store.commit(std::move(batch), home, [&](const Outcome& outcome) {
                require(outcome);
                latencies.add(Clock::now() - began);
                answered = true;
            });
            home.run_until([&] { return answered; });
        }
    }
    latencies.print(fmt::format("a step of the purge, {} rows", options.step));
}

void print_size(const Options& options) {
    const auto bytes = std::filesystem::file_size(options.file);
    fmt::print("{} bytes, {} a message\n", bytes, bytes / options.messages);
}

int run(const Options& options) {
    if (!options.filled && std::filesystem::exists(options.file)) {
        require(Outcome::refused(options.file + " exists: remove it, or name another with --file"));
    }
    auto opened = open_sqlite(options.file);
    require(opened ? Outcome{} : opened.error());
    const std::unique_ptr<Store> store = std::move(*opened);
    const std::uint64_t first_id = id_distance(Duration{1'700'000'000'000});
    const std::uint64_t last_id = options.filled
                                      ? first_id + options.messages * id_distance(Duration{1})
                                      : fill(*store, options, first_id);
    print_size(options);
    // An earlier run left what it stored beside the questions, too.
    Stream quiet(*store, options, std::max(last_id, store->id_floor()));
    ask_pages(*store, options, first_id, last_id);
    quiet.end().print(fmt::format("a commit at {} a second", options.rate));
    Stream purged(*store, options, quiet.last_id());
    purge_half(*store, options, first_id + (last_id - first_id) / 2);
    purged.end().print("a commit meanwhile");
    print_size(options);
    store->stop();
    if (options.keep) return 0;
    for (const char* end : {"", "-wal", "-shm", "-lock"}) {
        std::filesystem::remove(options.file + end);
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    Options options;
    CLI::App app("Fills an archive, and measures pages, commits and a purge while messages come.");
    app.add_option("--file", options.file, "the store to make");
    app.add_option("--messages", options.messages, "archived before it is measured");
    app.add_option("--accounts", options.accounts, "owners");
    app.add_option("--contacts", options.contacts, "of each account");
    app.add_option("--rate", options.rate, "messages a second meanwhile");
    app.add_option("--pages", options.pages, "asked for, of each of four kinds");
    app.add_option("--step", options.step, "rows that one step of the purge erases");
    app.add_option("--purged", options.purged, "accounts whose older half is erased at the end");
    app.add_flag("--keep", options.keep, "leave the file there");
    app.add_flag("--filled", options.filled,
                 "the file is there: an earlier run with --keep and the same numbers filled it");
    CLI11_PARSE(app, count, arguments);
    return run(options);
}
