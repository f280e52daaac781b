// An archive of ten messages in each backend, and words for what is read from it.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/store/backends.h"

namespace causeway::test {

inline const std::string juliet = "juliet@capulet.lit";
inline const std::string romeo = "romeo@montague.lit";
inline const std::string nurse = "nurse@capulet.lit";

inline std::string text(const Result<ArchivePage>& page) {
    REQUIRE_MESSAGE(page.ok(), (page.ok() ? "" : page.error().why()));
    std::string all;
    for (const ArchiveRow& one : page->rows) all += std::to_string(one.id) + " ";
    all += page->complete ? "complete" : "up to " + std::to_string(page->reached);
    if (page->count) all += ", of " + std::to_string(*page->count);
    if (page->index) all += " from " + std::to_string(*page->index);
    return all;
}

inline std::string text(const ArchiveTotals& total) {
    return total.owner + " " + std::to_string(total.rows) + " rows " + std::to_string(total.bytes) +
           " bytes " + std::to_string(total.oldest) + "-" + std::to_string(total.newest);
}

inline std::string text(const Result<std::vector<ArchiveTotals>>& totals) {
    REQUIRE(totals.ok());
    std::string all;
    for (const ArchiveTotals& one : *totals) all += text(one) + "; ";
    return all;
}

/// Juliet's archive: ids 10 to 100; every third with the nurse, the others with Romeo, from two
/// devices of his in turn.
inline Batch history() {
    Batch batch;
    for (std::uint64_t id = 10; id <= 100; id += 10) {
        const bool is_nurse = id % 30 == 0;
        const std::string resource = id % 20 == 0 ? "orchard" : "balcony";
        batch.archive_append(juliet, archived(id, is_nurse ? nurse : romeo, resource).view());
        batch.archive_append(romeo, archived(id + 1, juliet).view());
    }
    return batch;
}

template <class Backend>
struct History {
    Backend backend;
    Caller caller{*backend.store};
    History() { REQUIRE(caller.commit(history()).ok()); }

    std::string page(ArchiveQuery query) {
        query.owner = juliet;
        return text(caller.archive_page(std::move(query)));
    }
    std::string total(const std::string& owner) {
        const auto answer = caller.archive_total(owner);
        REQUIRE(answer.ok());
        return text(*answer);
    }
    std::uint64_t unswept() {
        const auto rows = caller.archive_unswept();
        REQUIRE(rows.ok());
        return *rows;
    }
    Outcome trim(const std::string& owner, std::uint64_t before, std::size_t rows) {
        Batch batch;
        batch.archive_trim(owner, before, rows);
        return caller.commit(std::move(batch));
    }
    Outcome clear(const std::string& owner) {
        Batch batch;
        batch.archive_clear(owner);
        return caller.commit(std::move(batch));
    }
    Outcome sweep(std::size_t rows) {
        Batch batch;
        batch.archive_sweep(rows);
        return caller.commit(std::move(batch));
    }
};

}  // namespace causeway::test
