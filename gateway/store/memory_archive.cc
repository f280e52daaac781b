#include "gateway/store/memory_archive.h"

#include <algorithm>

namespace causeway {
namespace {

bool matches(const ArchiveQuery& query, const ArchiveRow& row) {
    if (row.id <= query.above || row.id >= query.below) return false;
    if (!query.with.empty() && row.with != query.with) return false;
    if (!query.with.empty() && query.resource && row.resource != *query.resource) return false;
    return query.ids.empty() || std::ranges::find(query.ids, row.id) != query.ids.end();
}

bool in_range(const ArchiveQuery& query, const ArchiveRow& row) {
    return row.id > query.after && row.id < query.before;
}

ArchiveTotals total_of(const std::string& owner, const std::map<std::uint64_t, ArchiveRow>& rows) {
    ArchiveTotals total{.owner = owner};
    if (rows.empty()) return total;
    total.rows = rows.size();
    total.oldest = rows.begin()->first;
    total.newest = rows.rbegin()->first;
    for (const auto& [id, row] : rows) total.bytes += row.body.size();
    return total;
}

}  // namespace

const std::string* MemoryArchive::body(const std::string& owner, std::uint64_t id) const {
    const auto archive = archives_.find(owner);
    if (archive == archives_.end()) return nullptr;
    const auto row = archive->second.find(id);
    return row == archive->second.end() ? nullptr : &row->second.body;
}

void MemoryArchive::append(const std::string& owner, const ArchiveRow& row) {
    archives_[owner].emplace(row.id, row);
    owners_.emplace(row.id, owner);
}

void MemoryArchive::replace(const std::string& owner, std::uint64_t id, const std::string& body) {
    const auto archive = archives_.find(owner);
    if (archive == archives_.end()) return;
    const auto row = archive->second.find(id);
    if (row != archive->second.end()) row->second.body = body;
}

void MemoryArchive::trim(const std::string& owner, std::uint64_t before, std::size_t rows) {
    const auto archive = archives_.find(owner);
    if (archive == archives_.end()) return;
    Rows& all = archive->second;
    for (; rows > 0 && !all.empty() && all.begin()->first < before; --rows) {
        owners_.erase(all.begin()->first);
        all.erase(all.begin());
    }
    if (all.empty()) archives_.erase(archive);
}

void MemoryArchive::clear(const std::string& owner) {
    const auto archive = archives_.find(owner);
    if (archive == archives_.end()) return;
    unswept_ += archive->second.size();
    for (const auto& [id, row] : archive->second) owners_.erase(id);
    archives_.erase(archive);
}

void MemoryArchive::sweep(std::size_t rows) { unswept_ -= std::min<std::uint64_t>(unswept_, rows); }

ArchivePage MemoryArchive::page(const ArchiveQuery& query) const {
    ArchivePage page;
    const auto archive = archives_.find(query.owner);
    std::vector<const ArchiveRow*> found;
    std::size_t all = 0;
    std::size_t below = 0;  // those before the range
    if (archive != archives_.end()) {
        for (const auto& [id, row] : archive->second) {
            if (!matches(query, row)) continue;
            ++all;
            if (in_range(query, row)) found.push_back(&row);
            if (id <= query.after) ++below;
        }
    }
    const std::size_t in_reach = found.size();
    if (query.from_end) std::ranges::reverse(found);
    std::size_t bytes = 0;
    for (const ArchiveRow* row : found) {
        const bool room = page.rows.empty() || bytes + row->body.size() <= query.bytes;
        if (page.rows.size() >= query.rows || !room) {
            page.complete = false;
            break;
        }
        bytes += row->body.size();
        page.rows.push_back(*row);
    }
    if (query.from_end) std::ranges::reverse(page.rows);
    if (query.ids.empty() && !query.resource && all <= query.count_up_to) {
        page.count = all;
        page.index = below + (query.from_end ? in_reach - page.rows.size() : 0);
    }
    return page;
}

std::vector<ArchiveTotals> MemoryArchive::totals(const std::string& after_owner,
                                                 std::size_t limit) const {
    std::vector<ArchiveTotals> totals;
    auto at = archives_.upper_bound(after_owner);
    for (; at != archives_.end() && totals.size() < limit; ++at) {
        totals.push_back(total_of(at->first, at->second));
    }
    return totals;
}

ArchiveTotals MemoryArchive::total(const std::string& owner) const {
    const auto archive = archives_.find(owner);
    return archive == archives_.end() ? ArchiveTotals{.owner = owner}
                                      : total_of(owner, archive->second);
}

MemoryArchive::Recent MemoryArchive::recent(std::uint64_t after, std::size_t limit) const {
    Recent recent;
    for (auto at = owners_.upper_bound(after); at != owners_.end() && recent.size() < limit; ++at) {
        ArchiveRow row = archives_.at(at->second).at(at->first);
        if (!row.incoming) continue;
        row.body.clear();
        recent.emplace_back(at->second, std::move(row));
    }
    return recent;
}

}  // namespace causeway
