#include "gateway/store/memory_archive.h"

#include <algorithm>
#include <ranges>

#include "gateway/store/archive_filler.h"

namespace causeway {
namespace {

bool matches(const ArchiveQuery& query, const ArchiveRow& row) {
    return query.with.empty() || row.with == query.with;
}

/// Gives the row to the page; false when the page ends with it.
bool give(const ArchiveQuery& query, const ArchiveRow& row, ArchiveFiller& filler) {
    if (!matches(query, row)) return true;
    switch (filler.look({.id = row.id,
                         .resource = row.resource,
                         .incoming = row.incoming,
                         .body_bytes = row.body.size()})) {
        case ArchiveFiller::Verdict::take: filler.add(row); return true;
        case ArchiveFiller::Verdict::pass: return true;
        case ArchiveFiller::Verdict::end: break;
    }
    return false;
}

/// The rows with ids above `low` and below `high`.
template <class Rows>
auto between(const Rows& rows, const ArchiveRange& range) {
    const auto first = rows.upper_bound(range.low);
    const auto end = rows.lower_bound(range.high);
    return std::ranges::subrange(range.low < range.high ? first : end, end);
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

void MemoryArchive::append(const std::string& owner, const ArchiveRowView& row) {
    // One that is there stays as it is.
    archives_[owner].emplace(row.id, ArchiveRow{.id = row.id,
                                                .with = std::string(row.with),
                                                .resource = std::string(row.resource),
                                                .incoming = row.incoming,
                                                .body = std::string(row.body)});
    owners_.emplace(row.id, owner);
}

void MemoryArchive::replace(const std::string& owner, std::uint64_t id, const std::string& body) {
    const auto archive = archives_.find(owner);
    if (archive == archives_.end()) return;
    const auto row = archive->second.find(id);
    if (row != archive->second.end()) row->second.body = body;
}

void MemoryArchive::erase(const std::string& owner, std::uint64_t id) {
    const auto archive = archives_.find(owner);
    if (archive == archives_.end() || archive->second.erase(id) == 0) return;
    owners_.erase(id);
    if (archive->second.empty()) archives_.erase(archive);
}

std::vector<std::pair<std::uint64_t, std::string>> MemoryArchive::trim(const std::string& owner,
                                                                       std::uint64_t before,
                                                                       std::size_t rows) {
    std::vector<std::pair<std::uint64_t, std::string>> erased;
    const auto archive = archives_.find(owner);
    if (archive == archives_.end()) return erased;
    Rows& all = archive->second;
    for (; rows > 0 && !all.empty() && all.begin()->first < before; --rows) {
        owners_.erase(all.begin()->first);
        erased.emplace_back(all.begin()->first, std::move(all.begin()->second.body));
        all.erase(all.begin());
    }
    if (all.empty()) archives_.erase(archive);
    return erased;
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
    static const Rows none;
    const auto archive = archives_.find(query.owner);
    const Rows& rows = archive == archives_.end() ? none : archive->second;
    ArchiveFiller filler(query);
    const auto in_range = between(rows, page_range(query));
    const auto give_row = [&](const auto& entry) { return give(query, entry.second, filler); };
    if (!query.ids.empty()) {
        for (const std::uint64_t id : ids_in_order(query)) {
            const auto row = rows.find(id);
            const bool there = row != rows.end() && matches(query, row->second);
            if (!(there ? give(query, row->second, filler) : filler.look_in_vain(id))) break;
        }
    } else if (query.from_end) {
        static_cast<void>(std::ranges::all_of(std::views::reverse(in_range), give_row));
    } else {
        static_cast<void>(std::ranges::all_of(in_range, give_row));
    }
    ArchivePage page = filler.finish();
    if (!counts(query)) return page;
    const auto count = [&](const ArchiveRange& range) {
        return static_cast<std::uint64_t>(std::ranges::count_if(
            between(rows, range), [&](const auto& entry) { return matches(query, entry.second); }));
    };
    const std::uint64_t all = count({query.above, query.below});
    if (all > query.count_up_to) return page;
    page.count = all;
    page.index = count(range_before(query, page));
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
