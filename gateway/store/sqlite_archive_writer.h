// The archive's part of the SQLite writer: what the archive operations of a batch become. Used on
// the writer's thread, inside its transactions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gateway/base/string_hash.h"
#include "gateway/store/sqlite_database.h"
#include "gateway/store/store.h"

namespace causeway {

class SqliteArchiveWriter {
public:
    /// The connection is borrowed.
    explicit SqliteArchiveWriter(SqliteDatabase& database) : database_(database) {}

    /// Prepares every statement.
    Outcome prepare();
    /// The statements, for a look at how SQLite would carry them out.
    static std::span<const std::string_view> texts();

    Outcome append(const Batch::ArchiveAppend& append);
    Outcome replace(const Batch::ArchiveReplace& replace);
    Outcome erase(const Batch::ArchiveErase& erase);
    Outcome trim(const Batch::ArchiveTrim& trim);
    Outcome clear(const Batch::ArchiveClear& clear);
    Outcome sweep(const Batch::ArchiveSweep& sweep);

    /// Writes what the transaction changed in the totals of owners, each once. Before the commit.
    Outcome write_totals();
    /// Forgets what was learned: the transaction was undone.
    void forget();

private:
    enum class Statement : std::size_t {
        find_owner,
        add_owner,
        find_conversation,
        add_conversation,
        append,
        body_size,
        replace,
        list_one,
        list_oldest,
        keep_waiting,
        erase,
        erase_conversation,
        add_totals,
        erase_empty_owner,
        clear_owner,
        find_cleared,
        erase_owner,
        count,
    };
    using Numbers = std::unordered_map<std::string, std::int64_t, StringHash, std::equal_to<>>;
    /// Of one owner, in the transaction.
    struct Change {
        std::int64_t messages = 0, bytes = 0;
    };

    /// nullopt: that owner has no archive.
    Result<std::optional<std::int64_t>> find_owner(std::string_view jid);
    /// Made if there is none.
    Result<std::int64_t> owner_number(std::string_view jid);
    Result<std::int64_t> conversation_number(std::int64_t owner, std::string_view jid);
    /// nullopt: there is no such row.
    Result<std::optional<std::int64_t>> find(SqliteStatement& bound);
    /// Rows of one owner that are to be erased.
    struct Erasable {
        std::vector<std::int64_t> ids;
        std::set<std::int64_t> conversations;
        std::int64_t bytes = 0;  ///< of bodies
    };
    /// What a bound statement lists: id, size and conversation of each row.
    Result<Erasable> list(SqliteStatement& bound);
    /// Erases the owner's oldest rows with ids up to `highest`. Answers how many. With `jid`, the
    /// owner's, a row of a Log that stands for one of them gets its body.
    Result<std::size_t> erase_oldest(std::int64_t owner, std::uint64_t highest, std::size_t rows,
                                     const std::string* jid = nullptr);
    Outcome erase_rows(std::int64_t owner, const Erasable& rows, const std::string* jid = nullptr);
    Outcome erase_unused_conversation(std::int64_t owner, std::int64_t number);
    Outcome execute(SqliteStatement& bound);
    [[nodiscard]] Outcome failure() const;
    SqliteStatement& statement(Statement which) {
        return statements_[static_cast<std::size_t>(which)];
    }

    SqliteDatabase& database_;
    std::array<SqliteStatement, static_cast<std::size_t>(Statement::count)> statements_;
    Numbers owners_;
    Numbers conversations_;  ///< by conversation_key()
    std::string key_;        ///< of the conversation that is looked up
    std::unordered_map<std::int64_t, Change> changes_;
};

}  // namespace causeway
