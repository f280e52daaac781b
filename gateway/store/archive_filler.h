// ArchiveFiller: decides which rows of a walk through an archive make a page, and where the page
// ends. What the backends have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/store/archive.h"

namespace causeway {

class ArchiveFiller {
public:
    enum class Verdict : unsigned char {
        take,  ///< the row belongs into the page: give it to add()
        pass,  ///< it does not; go on with the next
        end,   ///< the page is full, or enough was looked at
    };

    /// The query is borrowed.
    explicit ArchiveFiller(const ArchiveQuery& query);

    /// What is looked at of a row.
    struct Row {
        std::uint64_t id;
        std::string_view resource;
        bool incoming;
        std::size_t body_bytes;
    };

    /// What becomes of the next row of the walk (with rising ids, or falling ones from the end).
    /// The walk has seen to owner, `with` and range; the rest is looked at here.
    Verdict look(const Row& row);
    /// The walk looked for this id and found no row. False: enough was looked at.
    bool look_in_vain(std::uint64_t id);
    void add(ArchiveRow row) { page_.rows.push_back(std::move(row)); }

    /// The page, without counts.
    ArchivePage finish();

private:
    [[nodiscard]] bool enough();
    [[nodiscard]] bool asked_for(const Row& row) const;

    const ArchiveQuery& query_;
    ArchivePage page_;
    std::size_t bytes_ = 0;
    std::size_t looked_at_ = 0;
};

/// The range of ids that a page may hold: above `low`, below `high`.
struct ArchiveRange {
    std::uint64_t low = 0, high = 0;
};
ArchiveRange page_range(const ArchiveQuery& query);
/// Those that are counted as standing before the page.
ArchiveRange range_before(const ArchiveQuery& query, const ArchivePage& page);
/// Whether a count is asked for that a backend gives.
bool counts(const ArchiveQuery& query);
/// The ids to be looked for, in the order of the walk, without those beyond the range.
std::vector<std::uint64_t> ids_in_order(const ArchiveQuery& query);

}  // namespace causeway
