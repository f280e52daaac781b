// MemoryArchive: the Archive shape of a MemoryStore. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/store/archive.h"
#include "gateway/store/store.h"

namespace causeway {

class MemoryArchive {
public:
    using Recent = std::vector<std::pair<std::string, ArchiveRow>>;

    [[nodiscard]] bool contains(std::uint64_t id) const { return owners_.contains(id); }
    /// nullptr: there is no such row.
    [[nodiscard]] const std::string* body(const std::string& owner, std::uint64_t id) const;

    void append(const std::string& owner, const ArchiveRowView& row);
    void replace(const std::string& owner, std::uint64_t id, const std::string& body);
    void erase(const std::string& owner, std::uint64_t id);
    /// Returns what was erased: ids and bodies.
    std::vector<std::pair<std::uint64_t, std::string>> trim(const std::string& owner,
                                                            std::uint64_t before, std::size_t rows);
    void clear(const std::string& owner);
    void sweep(std::size_t rows);

    [[nodiscard]] ArchivePage page(const ArchiveQuery& query) const;
    [[nodiscard]] std::vector<ArchiveTotals> totals(const std::string& after_owner,
                                                    std::size_t limit) const;
    [[nodiscard]] ArchiveTotals total(const std::string& owner) const;
    [[nodiscard]] std::uint64_t unswept() const { return unswept_; }
    [[nodiscard]] Recent recent(std::uint64_t after, std::size_t limit) const;

private:
    using Rows = std::map<std::uint64_t, ArchiveRow>;

    std::map<std::string, Rows> archives_;
    std::map<std::uint64_t, std::string> owners_;  ///< of every row
    std::uint64_t unswept_ = 0;
};

}  // namespace causeway
