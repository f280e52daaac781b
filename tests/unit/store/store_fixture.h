// What the store's tests share: an executor that the test runs by hand, a folder that goes away,
// and calls that wait for their answer.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "gateway/store/store.h"

namespace causeway::test {

/// Runs posted tasks when the test asks, on the test's own thread.
class ManualExecutor final : public Executor {
public:
    void post(std::function<void()> task) override {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        ++posts_;
        arrived_.notify_all();
    }

    /// Runs tasks until `done`; false when a minute passes without it.
    bool run_until(const std::function<bool()>& done) {
        while (!done()) {
            std::unique_lock lock(mutex_);
            const bool arrived = arrived_.wait_for(lock, std::chrono::minutes(1),
                                                   [this] { return !tasks_.empty(); });
            if (!arrived) return false;
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
        }
        return true;
    }

    [[nodiscard]] std::size_t posts() const {
        const std::lock_guard lock(mutex_);
        return posts_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::function<void()>> tasks_;
    std::size_t posts_ = 0;
};

/// A new folder under the system's temporary one, removed at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "store-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string file(const std::string& name) const {
        return (path_ / name).string();
    }

private:
    std::filesystem::path path_;
};

/// Calls a store and waits for what it answers.
class Caller {
public:
    explicit Caller(Store& store) : store_(store) {}

    Outcome commit(Batch batch) {
        std::optional<Outcome> answer;
        store_.commit(std::move(batch), home_,
                      [&](Outcome outcome) { answer = std::move(outcome); });
        return wait(answer);
    }

    Result<std::optional<std::string>> map_get(const std::string& store, const std::string& owner,
                                               const std::string& key) {
        return ask<std::optional<std::string>>(
            [&](auto answer) { store_.map_get(store, owner, key, home_, std::move(answer)); });
    }

    Result<std::vector<MapEntry>> map_list(const std::string& store, const std::string& owner) {
        return ask<std::vector<MapEntry>>(
            [&](auto answer) { store_.map_list(store, owner, home_, std::move(answer)); });
    }

    Result<std::vector<MapEntry>> map_scan(const std::string& store, const std::string& after_owner,
                                           const std::string& after_key, std::size_t limit) {
        return ask<std::vector<MapEntry>>([&](auto answer) {
            store_.map_scan(store, after_owner, after_key, limit, home_, std::move(answer));
        });
    }

    Result<std::vector<MapEntry>> map_holders(const std::string& store, const std::string& key,
                                              std::size_t limit) {
        return ask<std::vector<MapEntry>>(
            [&](auto answer) { store_.map_holders(store, key, limit, home_, std::move(answer)); });
    }

    Result<std::vector<LogRow>> log_list(const std::string& store, const std::string& owner,
                                         std::uint64_t after, std::size_t limit) {
        return ask<std::vector<LogRow>>([&](auto answer) {
            store_.log_list(store, owner, after, limit, home_, std::move(answer));
        });
    }

    Result<std::vector<LogTotals>> log_totals(const std::string& store, std::size_t limit) {
        return ask<std::vector<LogTotals>>(
            [&](auto answer) { store_.log_totals(store, limit, home_, std::move(answer)); });
    }

    Result<std::vector<std::pair<std::string, LogRow>>> log_expired(const std::string& store,
                                                                    UnixMillis now,
                                                                    std::size_t limit) {
        return ask<std::vector<std::pair<std::string, LogRow>>>(
            [&](auto answer) { store_.log_expired(store, now, limit, home_, std::move(answer)); });
    }

    Result<ArchivePage> archive_page(ArchiveQuery query) {
        return ask<ArchivePage>(
            [&](auto answer) { store_.archive_page(std::move(query), home_, std::move(answer)); });
    }

    Result<std::vector<ArchiveTotals>> archive_totals(const std::string& after, std::size_t limit) {
        return ask<std::vector<ArchiveTotals>>(
            [&](auto answer) { store_.archive_totals(after, limit, home_, std::move(answer)); });
    }

    Result<std::uint64_t> archive_unswept() {
        return ask<std::uint64_t>(
            [&](auto answer) { store_.archive_unswept(home_, std::move(answer)); });
    }

    Result<ArchiveTotals> archive_total(const std::string& owner) {
        return ask<ArchiveTotals>(
            [&](auto answer) { store_.archive_total(owner, home_, std::move(answer)); });
    }

    Result<std::vector<std::pair<std::string, ArchiveRow>>> archive_recent(std::uint64_t after,
                                                                           std::size_t limit) {
        return ask<std::vector<std::pair<std::string, ArchiveRow>>>(
            [&](auto answer) { store_.archive_recent(after, limit, home_, std::move(answer)); });
    }

    Result<StoreBackup> backup(const std::string& path, StoreJob job = {}) {
        return ask<StoreBackup>(
            [&](auto answer) { store_.backup(path, home_, std::move(job), std::move(answer)); });
    }

    Result<StoreReport> check(StoreCheck what) {
        return ask<StoreReport>(
            [&](auto answer) { store_.check(std::move(what), home_, {}, std::move(answer)); });
    }

    ManualExecutor& home() { return home_; }

private:
    template <class T>
    T wait(std::optional<T>& answer) {
        REQUIRE(home_.run_until([&] { return answer.has_value(); }));
        return std::move(*answer);
    }

    template <class T, class Ask>
    Result<T> ask(Ask request) {
        std::optional<Result<T>> answer;
        request([&](Result<T> result) { answer = std::move(result); });
        return wait(answer);
    }

    Store& store_;
    ManualExecutor home_;
};

/// A row whose body and receipt follow from its id.
inline LogRow row(std::uint64_t id, UnixMillis expires = 0) {
    return {id, static_cast<UnixMillis>(1000 + id), expires, "body " + std::to_string(id)};
}

inline Batch append(const std::string& store, const std::string& owner, LogRow one) {
    Batch batch;
    batch.log_append(store, owner, std::move(one));
    return batch;
}

/// An archived message whose body and direction follow from its id (even ones came for the owner).
inline ArchiveRow archived(std::uint64_t id, const std::string& with,
                           const std::string& resource = "") {
    return {id, with, resource, id % 2 == 0, "message " + std::to_string(id)};
}

inline Batch archive(const std::string& owner, const ArchiveRow& one) {
    Batch batch;
    batch.archive_append(owner, one.view());
    return batch;
}

inline Batch set(const std::string& store, const std::string& owner, const std::string& key,
                 const std::string& value) {
    Batch batch;
    batch.map_set(store, owner, key, value);
    return batch;
}

}  // namespace causeway::test
