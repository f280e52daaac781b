// The third shape of what is stored: an archive, the messages of one account in the order of their
// ids. A message is stored once for its owner, whatever else refers to it: a row of a Log whose
// body is empty stands for the archived message of the same owner and id (LogRow::body).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/store/ids.h"

namespace causeway {

/// One that is to be archived, as ArchiveRow, whose parts somebody else holds.
struct ArchiveRowView {
    std::uint64_t id = 0;
    std::string_view with = {};
    std::string_view resource = {};
    bool incoming = false;
    std::string_view body = {};
};

/// One archived message. Its time is that of its id (time_of_id).
struct ArchiveRow {
    /// Chosen by the caller, unique in the store, and rising within an owner.
    std::uint64_t id = 0;
    std::string with = {};      ///< bare JID of the other side
    std::string resource = {};  ///< of the other side; empty: none
    /// It came for the owner, and is to be delivered; not one that the owner sent.
    bool incoming = false;
    std::string body = {};  ///< canonical bytes

    [[nodiscard]] ArchiveRowView view() const {
        return {.id = id, .with = with, .resource = resource, .incoming = incoming, .body = body};
    }
};

/// Which messages of one owner. All conditions hold together.
struct ArchiveQuery {
    static constexpr std::uint64_t last = std::numeric_limits<std::int64_t>::max();
    /// How many rows, or ids, one question looks at that asks for a resource, for ids or for what
    /// came in: they are not found by an index. Then the page ends, and the caller goes on from
    /// ArchivePage::reached.
    static constexpr std::size_t looked_at = 5000;

    std::string owner = {};
    std::uint64_t above = 0;     ///< ids above this one
    std::uint64_t below = last;  ///< ids below this one
    std::string with = {};       ///< bare JID of the other side; empty: anybody
    /// With `with`: the other side's resource.
    std::optional<std::string> resource = {};
    bool incoming = false;  ///< only what came to the owner
    /// If not empty: only these, in any order.
    std::vector<std::uint64_t> ids = {};
    /// The newest that match, instead of the oldest. They are answered in rising order either way.
    bool from_end = false;
    // Where the page begins, and the side that it does not reach. What is counted is counted
    // without them.
    std::uint64_t after = 0;
    std::uint64_t before = last;
    // The page ends with whichever comes first.
    std::size_t rows = 50;
    std::size_t bytes = 1U << 20U;  ///< of bodies; one row is answered however large it is
    /// Up to how many matching rows are counted; 0: none.
    std::size_t count_up_to = 0;
};

struct ArchivePage {
    std::vector<ArchiveRow> rows;  ///< rising ids
    bool complete = true;          ///< nothing that matches is left behind the page
    /// If not complete: the id up to which was looked, which need not be that of a row in the page.
    /// The next page is asked for with this as `after`; from the end, as `before`.
    std::uint64_t reached = 0;
    /// All that match, and how many of them stand before the page's first row; not known if there
    /// are more than `count_up_to`, or with a resource, with ids, or of what came in.
    std::optional<std::uint64_t> count = {};
    std::optional<std::uint64_t> index = {};
};

/// Totals of one owner's archive.
struct ArchiveTotals {
    std::string owner = {};
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;   ///< of bodies
    std::uint64_t oldest = 0;  ///< id; 0: it is empty
    std::uint64_t newest = 0;
};

}  // namespace causeway
