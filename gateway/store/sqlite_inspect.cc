#include "gateway/store/sqlite_inspect.h"

#include <fmt/format.h>

#include <functional>
#include <string_view>
#include <utility>

#include "gateway/store/sqlite_database.h"

namespace causeway {
namespace {

constexpr std::size_t most_damages = 20;

/// A question whose answer is a number of rows that should not be there, and the first owner.
struct Orphans {
    std::string_view what;  ///< a sentence with the number and the owner
    std::string_view advice;
    std::string_view sql;
};

constexpr std::string_view is_no_account =
    " NOT EXISTS (SELECT 1 FROM maps AS a WHERE a.store = (SELECT id FROM stores WHERE name = ?1)"
    " AND a.owner = ";

constexpr std::string_view tell_us =
    "they are answered to nobody and do no harm but for their room; make a backup and report it";

constexpr std::array orphans{
    Orphans{"{} stored rows stand for archived messages that are gone, the first of {}",
            "they are passed over when they are delivered, and expire; nothing has to be done",
            "SELECT count(*), min(owner) FROM logs WHERE length(body) = 0 AND NOT EXISTS"
            " (SELECT 1 FROM archive AS a JOIN archive_owners AS o ON o.id = a.owner"
            " WHERE a.id = logs.id AND o.jid = logs.owner)"},
    Orphans{"{} archived messages belong to no archive", tell_us,
            "SELECT count(*) FROM archive INDEXED BY archive_by_owner"
            " WHERE owner NOT IN (SELECT id FROM archive_owners)"},
    Orphans{"{} archived messages belong to no conversation",
            "they are shown, but not to who asks for the messages with one contact; make a backup "
            "and report it",
            "SELECT count(*) FROM archive INDEXED BY archive_by_conversation"
            " WHERE conversation NOT IN (SELECT id FROM archive_conversations)"},
    Orphans{"{} archives have another number of messages than is noted, the first that of {}",
            "limits on the size of an archive go by the note; make a backup and report it",
            "SELECT count(*), min(jid) FROM archive_owners AS o WHERE messages <>"
            " (SELECT count(*) FROM archive INDEXED BY archive_by_owner WHERE owner = o.id)"},
};

constexpr std::string_view sizes =
    "SELECT s.name, count(DISTINCT owner), count(*), sum(length(key) + length(value))"
    " FROM maps JOIN stores AS s ON s.id = store GROUP BY store"
    " UNION ALL SELECT s.name, count(DISTINCT owner), count(*), sum(length(body))"
    " FROM logs JOIN stores AS s ON s.id = store GROUP BY store"
    " UNION ALL SELECT 'archive', count(*), coalesce(sum(messages), 0), coalesce(sum(bytes), 0)"
    " FROM archive_owners WHERE messages > 0";

constexpr std::string_view largest_owners =
    "SELECT owner, 1, sum(rows), sum(bytes) AS size FROM"
    " (SELECT jid AS owner, messages AS rows, bytes FROM archive_owners WHERE jid IS NOT NULL"
    " UNION ALL SELECT owner, count(*), sum(length(body)) FROM logs GROUP BY store, owner)"
    " GROUP BY owner ORDER BY size DESC, owner LIMIT ?1";

// Each with its store, if it is no archive.
constexpr std::string_view archived =
    "SELECT '', o.jid, a.id, a.body FROM archive AS a JOIN archive_owners AS o ON o.id = a.owner"
    " WHERE o.jid IS NOT NULL";
constexpr std::string_view stored =
    "SELECT s.name, owner, logs.id, body FROM logs JOIN stores AS s ON s.id = store"
    " WHERE length(body) > 0";
/// Rows that are named.
constexpr std::uint64_t most_named = 10;

/// SQLite tells of several damages in lines, below a heading.
std::string in_one_line(std::string_view text) {
    std::string line;
    for (const char letter : text) {
        if (letter == '\n') {
            line += "; ";
        } else {
            line += letter;
        }
    }
    return line;
}

class Inspection {
public:
    Inspection(SqliteDatabase& database, const StoreCheck& what, SqliteJobContext& context)
        : database_(database), what_(what), context_(context) {}

    Result<StoreReport> run() {
        database_.ask_meanwhile([this] {
            context_.tell({step_, steps()});
            return !context_.cancelled();
        });
        Outcome outcome = database_.execute("BEGIN");
        if (outcome) outcome = look_for_damage();
        for (const Orphans& one : orphans) {
            if (outcome) outcome = look_for(one.what, one.advice, one.sql, {});
        }
        if (outcome) outcome = look_for_strangers();
        if (outcome && what_.readable) outcome = look_at_bodies();
        if (outcome) outcome = add_up();
        if (context_.cancelled()) return SqliteJobContext::cancellation();
        if (!outcome) return outcome;
        return std::move(report_);
    }

private:
    [[nodiscard]] std::uint64_t steps() const {
        return orphans.size() + 2 * what_.of_accounts.size() + (what_.readable ? 6 : 4);
    }

    /// Makes a step of it: false in `outcome` only if the rest cannot be looked at either.
    Outcome each_row(std::string_view sql, const std::function<void(SqliteStatement&)>& bind,
                     const std::function<void(const SqliteStatement&)>& row) {
        ++step_;
        Result<SqliteStatement> statement = database_.prepare(sql);
        if (!statement) return statement.error();
        bind(*statement);
        Step step = statement->step();
        for (; step == Step::row; step = statement->step()) row(*statement);
        if (step == Step::done) return {};
        if (context_.cancelled()) return SqliteJobContext::cancellation();
        // Damage has been reported, and what it keeps from being read is not the only thing asked.
        Outcome failed = database_.failure("a question to the store failed");
        if (report_.faults.empty()) return failed;
        return {};
    }

    Outcome look_for_damage() {
        return each_row(
            fmt::format("PRAGMA integrity_check({})", most_damages), [](SqliteStatement&) {},
            [this](const SqliteStatement& row) {
                if (row.bytes(0) == "ok") return;
                report_.faults.push_back(
                    {"damage in the file: " + in_one_line(row.bytes(0)),
                     "look after the disk, stop the server and put the latest backup in the place "
                     "of the store; keep the damaged file"});
            });
    }

    Outcome look_for(std::string_view what, std::string_view advice, std::string_view sql,
                     const std::function<void(SqliteStatement&)>& bind) {
        return each_row(
            sql, bind ? bind : [](SqliteStatement&) {},
            [&](const SqliteStatement& row) {
                if (row.integer(0) == 0) return;
                report_.faults.push_back(
                    {fmt::format(fmt::runtime(what), row.integer(0), row.bytes(1)),
                     std::string(advice)});
            });
    }

    /// What belongs to accounts that are not there. Some stores also have entries of domains.
    Outcome look_for_strangers() {
        Outcome outcome = look_for(
            "{} archives are of accounts that are gone, the first of {}",
            "archive purge JID removes one",
            fmt::format("SELECT count(*), min(jid) FROM archive_owners AS o WHERE messages > 0"
                        " AND instr(jid, '@') > 0 AND {} o.jid)",
                        is_no_account),
            [this](SqliteStatement& statement) { statement.bind_text(1, what_.accounts); });
        for (const std::string& store : what_.of_accounts) {
            for (const std::string_view table : {"maps", "logs"}) {
                if (!outcome) return outcome;
                outcome =
                    look_for("{} accounts that are gone still have entries in the store \"" +
                                 store + "\", the first is {}",
                             "add an account of that name and remove it again",
                             fmt::format("SELECT count(DISTINCT owner), min(owner) FROM {} AS o"
                                         " WHERE store = (SELECT id FROM stores WHERE name = ?2)"
                                         " AND instr(owner, '@') > 0 AND {} o.owner)",
                                         table, is_no_account),
                             [&](SqliteStatement& statement) {
                                 statement.bind_text(1, what_.accounts).bind_text(2, store);
                             });
            }
        }
        return outcome;
    }

    Outcome look_at_bodies() {
        Outcome outcome = look_for_unreadable(
            archived, "archived messages",
            "they are passed over, and left out of an export; make a backup and report it");
        if (!outcome) return outcome;
        return look_for_unreadable(stored, "stored stanzas",
                                   "they are passed over; make a backup and report it");
    }

    Outcome look_for_unreadable(std::string_view sql, std::string_view what,
                                std::string_view advice) {
        std::uint64_t count = 0;
        std::string named;
        const Outcome outcome = each_row(
            sql, [](SqliteStatement&) {},
            [&](const SqliteStatement& row) {
                if (what_.readable(row.bytes(3)) || ++count > most_named) return;
                named += fmt::format("{}{} of {}", named.empty() ? "" : ", ", row.integer(2),
                                     row.bytes(1));
                if (!row.bytes(0).empty()) named += fmt::format(" in {}", row.bytes(0));
            });
        if (count > most_named) named += fmt::format(" and {} more", count - most_named);
        if (count > 0) {
            report_.faults.push_back(
                {fmt::format("{} {} cannot be read: {}", count, what, named), std::string(advice)});
        }
        return outcome;
    }

    Outcome add_up() {
        const auto into = [](std::vector<StoreSize>& list) {
            return [&list](const SqliteStatement& row) {
                const auto number = [&](int column) {
                    return static_cast<std::uint64_t>(row.integer(column));
                };
                list.push_back({std::string(row.bytes(0)), number(1), number(2), number(3)});
            };
        };
        Outcome outcome = each_row(
            sizes, [](SqliteStatement&) {}, into(report_.stores));
        if (!outcome) return outcome;
        outcome = each_row(
            largest_owners,
            [this](SqliteStatement& statement) {
                statement.bind_integer(1, sqlite_integer(what_.largest));
            },
            into(report_.largest));
        if (!outcome) return outcome;
        return each_row(
            "SELECT page_count * page_size, freelist_count * page_size FROM pragma_page_count,"
            " pragma_page_size, pragma_freelist_count",
            [](SqliteStatement&) {},
            [this](const SqliteStatement& row) {
                report_.file_bytes = static_cast<std::uint64_t>(row.integer(0));
                report_.free_bytes = static_cast<std::uint64_t>(row.integer(1));
            });
    }

    SqliteDatabase& database_;
    const StoreCheck& what_;
    SqliteJobContext& context_;
    StoreReport report_;
    std::uint64_t step_ = 0;
};

}  // namespace

Result<std::string> find_damage(SqliteDatabase& database, SqliteJobContext& context) {
    database.ask_meanwhile([&context] { return !context.cancelled(); });
    Result<SqliteStatement> look = database.prepare("PRAGMA quick_check(1)");
    const bool answered = look.ok() && look->step() == Step::row;
    if (context.cancelled()) return SqliteJobContext::cancellation();
    if (answered) {
        const std::string_view found = look->bytes(0);
        return found == "ok" ? std::string() : in_one_line(found);
    }
    Outcome failed = look.ok() ? database.failure("the file cannot be looked at") : look.error();
    if (failed.cause() != Cause::refused) return failed;
    return failed.why();  // it is so damaged that SQLite does not even look
}

Result<StoreReport> inspect_sqlite(const std::string& path, const StoreCheck& what,
                                   const StoreLimits& limits, SqliteJobContext& context) {
    auto database = SqliteDatabase::open(path, SqliteDatabase::Access::read_only, limits);
    if (!database) return database.error();
    return Inspection(*database, what, context).run();
}

}  // namespace causeway
