// The archive's part of a SQLite reader: the questions about archives, answered on the calling
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/store/archive_filler.h"
#include "gateway/store/sqlite_database.h"
#include "gateway/store/store.h"

namespace causeway {

class SqliteArchiveReader {
public:
    using Recent = std::vector<std::pair<std::string, ArchiveRow>>;

    /// The connection is borrowed.
    explicit SqliteArchiveReader(SqliteDatabase& database) : database_(database) {}

    /// Prepares every statement.
    Outcome prepare();
    /// The statements, for a look at how SQLite would carry them out.
    static std::span<const std::string_view> texts();

    Result<ArchivePage> page(const ArchiveQuery& query);
    Result<std::vector<ArchiveTotals>> totals(const std::string& after_owner, std::size_t limit);
    Result<ArchiveTotals> total(const std::string& owner);
    Result<std::uint64_t> unswept();
    Result<Recent> recent(std::uint64_t after, std::size_t limit);

private:
    enum class Statement : std::size_t {
        begin,
        end,
        find_owner,
        find_conversation,
        page_of_owner,
        page_of_owner_backward,
        page_of_conversation,
        page_of_conversation_backward,
        one_of_owner,
        count_of_owner,
        count_of_conversation,
        totals,
        total,
        unswept,
        recent,
        count,
    };
    class Snapshot;
    /// What the index is searched for: everything of an owner, or one conversation.
    struct Place {
        std::int64_t owner = 0;
        std::optional<std::int64_t> conversation;
    };

    Result<ArchivePage> page_in_snapshot(const ArchiveQuery& query);
    /// nullopt: nothing is archived there.
    Result<std::optional<Place>> find_place(const ArchiveQuery& query);
    Outcome walk(const ArchiveQuery& query, const Place& place, ArchiveFiller& filler);
    Outcome walk_ids(const ArchiveQuery& query, const Place& place, ArchiveFiller& filler);
    Outcome count(const ArchiveQuery& query, const Place& place, ArchivePage& page);
    Result<std::uint64_t> count_range(const Place& place, const ArchiveRange& range,
                                      std::size_t limit);
    Result<std::optional<std::int64_t>> integer(SqliteStatement& bound);
    [[nodiscard]] Outcome failure() const;
    SqliteStatement& statement(Statement which) {
        return statements_[static_cast<std::size_t>(which)];
    }

    SqliteDatabase& database_;
    std::array<SqliteStatement, static_cast<std::size_t>(Statement::count)> statements_;
};

}  // namespace causeway
