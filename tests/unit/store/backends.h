// Each backend of Store with nothing in it, for the cases of the contract that run on all of them.
#pragma once

#include <memory>

#include "gateway/store/memory.h"
#include "gateway/store/sqlite.h"
#include "tests/unit/store/store_fixture.h"

namespace causeway::test {

struct MemoryBackend {
    std::unique_ptr<Store> store;
    explicit MemoryBackend(const StoreLimits& limits = {})
        : store(std::make_unique<MemoryStore>(limits)) {}
};

struct SqliteBackend {
    TemporaryFolder folder;
    std::unique_ptr<Store> store;
    explicit SqliteBackend(const StoreLimits& limits = {}) {
        auto opened = open_sqlite(folder.file("test.db"), limits);
        REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? "" : opened.error().why()));
        store = std::move(*opened);
    }
};

}  // namespace causeway::test
