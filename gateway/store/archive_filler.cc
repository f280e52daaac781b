#include "gateway/store/archive_filler.h"

#include <algorithm>

namespace causeway {

ArchiveFiller::ArchiveFiller(const ArchiveQuery& query) : query_(query) {
    page_.reached = query.from_end ? query.before : query.after;
}

bool ArchiveFiller::enough() {
    const bool by_chance = !query_.ids.empty() || query_.resource.has_value() || query_.incoming;
    if (!by_chance || looked_at_ < ArchiveQuery::looked_at) {
        ++looked_at_;
        return false;
    }
    page_.complete = false;
    return true;
}

bool ArchiveFiller::asked_for(const Row& row) const {
    if (query_.incoming && !row.incoming) return false;
    return query_.with.empty() || !query_.resource || *query_.resource == row.resource;
}

ArchiveFiller::Verdict ArchiveFiller::look(const Row& row) {
    if (enough()) return Verdict::end;
    if (!asked_for(row)) {
        page_.reached = row.id;
        return Verdict::pass;
    }
    const bool room = page_.rows.empty() || bytes_ + row.body_bytes <= query_.bytes;
    if (page_.rows.size() >= query_.rows || !room) {
        page_.complete = false;
        return Verdict::end;
    }
    bytes_ += row.body_bytes;
    page_.reached = row.id;
    return Verdict::take;
}

bool ArchiveFiller::look_in_vain(std::uint64_t id) {
    if (enough()) return false;
    page_.reached = id;
    return true;
}

ArchivePage ArchiveFiller::finish() {
    if (query_.from_end) std::ranges::reverse(page_.rows);
    return std::move(page_);
}

ArchiveRange page_range(const ArchiveQuery& query) {
    return {std::max(query.above, query.after), std::min(query.below, query.before)};
}

ArchiveRange range_before(const ArchiveQuery& query, const ArchivePage& page) {
    if (!page.rows.empty()) return {query.above, page.rows.front().id};
    if (query.from_end) return {query.above, std::min(query.below, query.before)};
    const std::uint64_t behind = std::min(query.after, ArchiveQuery::last) + 1;
    return {query.above, std::min(query.below, behind)};
}

bool counts(const ArchiveQuery& query) {
    return query.count_up_to > 0 && query.ids.empty() && !query.resource && !query.incoming;
}

std::vector<std::uint64_t> ids_in_order(const ArchiveQuery& query) {
    const ArchiveRange range = page_range(query);
    std::vector<std::uint64_t> ids;
    std::ranges::copy_if(query.ids, std::back_inserter(ids),
                         [&](std::uint64_t id) { return id > range.low && id < range.high; });
    std::ranges::sort(ids);
    const auto repeated = std::ranges::unique(ids);
    ids.erase(repeated.begin(), repeated.end());
    if (query.from_end) std::ranges::reverse(ids);
    return ids;
}

}  // namespace causeway
