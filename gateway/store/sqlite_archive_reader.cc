#include "gateway/store/sqlite_archive_reader.h"

#include <algorithm>

namespace causeway {
namespace {

using Verdict = ArchiveFiller::Verdict;

// In the order of SqliteArchiveReader::Statement. The pages walk an index in its own order, so that
// what was not asked for is not read.
constexpr std::array statement_texts{
    std::string_view{"BEGIN"},
    std::string_view{"COMMIT"},
    std::string_view{"SELECT id FROM archive_owners WHERE jid = ?1"},
    std::string_view{"SELECT id FROM archive_conversations WHERE owner = ?1 AND jid = ?2"},
    std::string_view{"SELECT a.id, a.incoming, a.resource, a.body, c.jid"
                     " FROM archive AS a INDEXED BY archive_by_owner"
                     " LEFT JOIN archive_conversations AS c ON c.id = a.conversation"
                     " WHERE a.owner = ?1 AND a.id > ?2 AND a.id < ?3 ORDER BY a.id"},
    std::string_view{"SELECT a.id, a.incoming, a.resource, a.body, c.jid"
                     " FROM archive AS a INDEXED BY archive_by_owner"
                     " LEFT JOIN archive_conversations AS c ON c.id = a.conversation"
                     " WHERE a.owner = ?1 AND a.id > ?2 AND a.id < ?3 ORDER BY a.id DESC"},
    std::string_view{"SELECT id, incoming, resource, body, ?4"
                     " FROM archive INDEXED BY archive_by_conversation"
                     " WHERE conversation = ?1 AND id > ?2 AND id < ?3 ORDER BY id"},
    std::string_view{"SELECT id, incoming, resource, body, ?4"
                     " FROM archive INDEXED BY archive_by_conversation"
                     " WHERE conversation = ?1 AND id > ?2 AND id < ?3 ORDER BY id DESC"},
    std::string_view{"SELECT a.id, a.incoming, a.resource, a.body, c.jid FROM archive AS a"
                     " LEFT JOIN archive_conversations AS c ON c.id = a.conversation"
                     " WHERE a.id = ?2 AND a.owner = ?1"},
    std::string_view{"SELECT count(*) FROM (SELECT 1 FROM archive INDEXED BY archive_by_owner"
                     " WHERE owner = ?1 AND id > ?2 AND id < ?3 LIMIT ?4)"},
    std::string_view{"SELECT count(*) FROM (SELECT 1 FROM archive"
                     " INDEXED BY archive_by_conversation"
                     " WHERE conversation = ?1 AND id > ?2 AND id < ?3 LIMIT ?4)"},
    std::string_view{"SELECT jid, messages, bytes,"
                     " (SELECT id FROM archive WHERE owner = o.id ORDER BY id LIMIT 1),"
                     " (SELECT id FROM archive WHERE owner = o.id ORDER BY id DESC LIMIT 1)"
                     " FROM archive_owners AS o WHERE jid > ?1 AND messages > 0"
                     " ORDER BY jid LIMIT ?2"},
    std::string_view{"SELECT jid, messages, bytes,"
                     " (SELECT id FROM archive WHERE owner = o.id ORDER BY id LIMIT 1),"
                     " (SELECT id FROM archive WHERE owner = o.id ORDER BY id DESC LIMIT 1)"
                     " FROM archive_owners AS o WHERE jid = ?1"},
    // A cleared archive has rows until it goes, whatever is noted of it.
    std::string_view{"SELECT sum(max(messages, 1)) FROM archive_owners WHERE jid IS NULL"},
    std::string_view{"SELECT a.id, a.incoming, a.resource, NULL, c.jid, o.jid FROM archive AS a"
                     " CROSS JOIN archive_owners AS o ON o.id = a.owner"
                     " LEFT JOIN archive_conversations AS c ON c.id = a.conversation"
                     " WHERE a.id > ?1 AND a.incoming = 1 AND o.jid IS NOT NULL"
                     " ORDER BY a.id LIMIT ?2"},
};

std::uint64_t id_of(const SqliteStatement& row) {
    return static_cast<std::uint64_t>(row.integer(0));
}

ArchiveRow read_row(const SqliteStatement& row) {
    return {.id = id_of(row),
            .with = std::string(row.bytes(4)),
            .resource = std::string(row.bytes(2)),
            .incoming = row.integer(1) != 0,
            .body = std::string(row.bytes(3))};
}

/// Gives the row to the page.
Verdict give(const SqliteStatement& row, ArchiveFiller& filler) {
    const Verdict verdict = filler.look({.id = id_of(row),
                                         .resource = row.bytes(2),
                                         .incoming = row.integer(1) != 0,
                                         .body_bytes = row.bytes(3).size()});
    if (verdict == Verdict::take) filler.add(read_row(row));
    return verdict;
}

std::uint64_t not_negative(std::int64_t value) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
}

ArchiveTotals read_totals(const SqliteStatement& row) {
    return {.owner = std::string(row.bytes(0)),
            .rows = not_negative(row.integer(1)),
            .bytes = not_negative(row.integer(2)),
            .oldest = not_negative(row.integer(3)),
            .newest = not_negative(row.integer(4))};
}

}  // namespace

/// One state of the database for all that is read while it exists.
class SqliteArchiveReader::Snapshot {
public:
    explicit Snapshot(SqliteArchiveReader& reader) : reader_(reader) { run(Statement::begin); }
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    ~Snapshot() { run(Statement::end); }

private:
    void run(Statement which) {
        SqliteStatement& statement = reader_.statement(which);
        const StatementRun run(statement);
        // Without it each question has a state of its own, which is no reason to answer none.
        static_cast<void>(statement.step());
    }

    SqliteArchiveReader& reader_;
};

std::span<const std::string_view> SqliteArchiveReader::texts() { return statement_texts; }

Outcome SqliteArchiveReader::prepare() {
    static_assert(statement_texts.size() == static_cast<std::size_t>(Statement::count));
    return database_.prepare(statement_texts, statements_);
}

Result<ArchivePage> SqliteArchiveReader::page(const ArchiveQuery& query) {
    const Snapshot snapshot(*this);
    return page_in_snapshot(query);
}

Result<ArchivePage> SqliteArchiveReader::page_in_snapshot(const ArchiveQuery& query) {
    const Result<std::optional<Place>> place = find_place(query);
    if (!place) return place.error();
    ArchiveFiller filler(query);
    if (!place->has_value()) {
        ArchivePage nothing = filler.finish();
        if (counts(query)) nothing.count = nothing.index = 0;
        return nothing;
    }
    Outcome outcome =
        query.ids.empty() ? walk(query, **place, filler) : walk_ids(query, **place, filler);
    if (!outcome) return outcome;
    ArchivePage page = filler.finish();
    if (counts(query)) outcome = count(query, **place, page);
    if (!outcome) return outcome;
    return page;
}

Result<std::optional<SqliteArchiveReader::Place>> SqliteArchiveReader::find_place(
    const ArchiveQuery& query) {
    const auto owner = integer(statement(Statement::find_owner).bind_text(1, query.owner));
    if (!owner) return owner.error();
    if (!owner->has_value()) return std::optional<Place>{};
    Place place{.owner = **owner, .conversation = {}};
    if (query.with.empty()) return std::optional(place);
    SqliteStatement& find = statement(Statement::find_conversation);
    const auto conversation = integer(find.bind_integer(1, **owner).bind_text(2, query.with));
    if (!conversation) return conversation.error();
    if (!conversation->has_value()) return std::optional<Place>{};
    place.conversation = **conversation;
    return std::optional(place);
}

Outcome SqliteArchiveReader::walk(const ArchiveQuery& query, const Place& place,
                                  ArchiveFiller& filler) {
    const Statement forward =
        place.conversation ? Statement::page_of_conversation : Statement::page_of_owner;
    const Statement backward = place.conversation ? Statement::page_of_conversation_backward
                                                  : Statement::page_of_owner_backward;
    SqliteStatement& rows = statement(query.from_end ? backward : forward);
    const StatementRun run(rows);
    const ArchiveRange range = page_range(query);
    rows.bind_integer(1, place.conversation.value_or(place.owner));
    rows.bind_integer(2, sqlite_integer(range.low)).bind_integer(3, sqlite_integer(range.high));
    if (place.conversation) rows.bind_text(4, query.with);
    Step step = rows.step();
    while (step == Step::row && give(rows, filler) != Verdict::end) step = rows.step();
    return step == Step::failed ? failure() : Outcome{};
}

Outcome SqliteArchiveReader::walk_ids(const ArchiveQuery& query, const Place& place,
                                      ArchiveFiller& filler) {
    for (const std::uint64_t id : ids_in_order(query)) {
        SqliteStatement& row = statement(Statement::one_of_owner);
        const StatementRun run(row);
        row.bind_integer(1, place.owner).bind_integer(2, sqlite_integer(id));
        const Step step = row.step();
        if (step == Step::failed) return failure();
        const bool there = step == Step::row && (query.with.empty() || row.bytes(4) == query.with);
        if (!(there ? give(row, filler) != Verdict::end : filler.look_in_vain(id))) break;
    }
    return {};
}

Outcome SqliteArchiveReader::count(const ArchiveQuery& query, const Place& place,
                                   ArchivePage& page) {
    const auto most = static_cast<std::size_t>(
        std::min<std::uint64_t>(query.count_up_to, ArchiveQuery::last - 1));
    const auto all = count_range(place, {query.above, query.below}, most + 1);
    if (!all) return all.error();
    if (*all > most) return {};
    const auto before = count_range(place, range_before(query, page), most + 1);
    if (!before) return before.error();
    page.count = *all;
    page.index = *before;
    return {};
}

Result<std::uint64_t> SqliteArchiveReader::count_range(const Place& place,
                                                       const ArchiveRange& range,
                                                       std::size_t limit) {
    SqliteStatement& rows = statement(place.conversation ? Statement::count_of_conversation
                                                         : Statement::count_of_owner);
    rows.bind_integer(1, place.conversation.value_or(place.owner));
    rows.bind_integer(2, sqlite_integer(range.low)).bind_integer(3, sqlite_integer(range.high));
    const auto found = integer(rows.bind_integer(4, sqlite_integer(limit)));
    if (!found) return found.error();
    return not_negative(found->value_or(0));
}

Result<std::vector<ArchiveTotals>> SqliteArchiveReader::totals(const std::string& after_owner,
                                                               std::size_t limit) {
    SqliteStatement& rows = statement(Statement::totals);
    const StatementRun run(rows);
    rows.bind_text(1, after_owner).bind_integer(2, sqlite_integer(limit));
    std::vector<ArchiveTotals> totals;
    Step step = rows.step();
    for (; step == Step::row; step = rows.step()) totals.push_back(read_totals(rows));
    if (step == Step::failed) return failure();
    return totals;
}

Result<ArchiveTotals> SqliteArchiveReader::total(const std::string& owner) {
    SqliteStatement& row = statement(Statement::total);
    const StatementRun run(row);
    switch (row.bind_text(1, owner).step()) {
        case Step::row: return read_totals(row);
        case Step::done: return ArchiveTotals{.owner = owner};
        case Step::failed: break;
    }
    return failure();
}

Result<std::uint64_t> SqliteArchiveReader::unswept() {
    const auto rows = integer(statement(Statement::unswept));
    if (!rows) return rows.error();
    return not_negative(rows->value_or(0));
}

Result<SqliteArchiveReader::Recent> SqliteArchiveReader::recent(std::uint64_t after,
                                                                std::size_t limit) {
    SqliteStatement& rows = statement(Statement::recent);
    const StatementRun run(rows);
    rows.bind_integer(1, sqlite_integer(after)).bind_integer(2, sqlite_integer(limit));
    Recent recent;
    Step step = rows.step();
    for (; step == Step::row; step = rows.step()) {
        recent.emplace_back(std::string(rows.bytes(5)), read_row(rows));
    }
    if (step == Step::failed) return failure();
    return recent;
}

Result<std::optional<std::int64_t>> SqliteArchiveReader::integer(SqliteStatement& bound) {
    const StatementRun run(bound);
    switch (bound.step()) {
        case Step::row: return std::optional(bound.integer(0));
        case Step::done: return std::optional<std::int64_t>{};
        case Step::failed: break;
    }
    return failure();
}

Outcome SqliteArchiveReader::failure() const {
    return database_.failure("the archive cannot be read");
}

}  // namespace causeway
