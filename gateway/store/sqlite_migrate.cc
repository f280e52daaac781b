#include "gateway/store/sqlite_migrate.h"

#include <fmt/format.h>

namespace causeway {
namespace {

// "CsWy" as a number: marks the file as ours, in its header.
constexpr std::int64_t application_id = 0x43735779;

Outcome begin_history(SqliteDatabase& database) {
    return database.execute(
        fmt::format("PRAGMA application_id={};"
                    "CREATE TABLE migrations ("
                    " number INTEGER PRIMARY KEY,"
                    " name TEXT NOT NULL,"
                    " applied_at INTEGER NOT NULL) STRICT;",
                    application_id));
}

/// The number of the last step in the file, after making sure that the file is ours or empty.
Result<std::int64_t> applied_steps(SqliteDatabase& database) {
    const Result<std::int64_t> applied = schema_of(database);
    if (!applied || *applied != no_schema) return applied;
    if (Outcome outcome = begin_history(database); !outcome) return outcome;
    return std::int64_t{0};
}

Outcome record(SqliteDatabase& database, const Migration& step, UnixMillis now) {
    Result<SqliteStatement> insert =
        database.prepare("INSERT INTO migrations (number, name, applied_at) VALUES (?, ?, ?)");
    if (!insert) return insert.error();
    insert->bind_integer(1, step.number).bind_text(2, step.name).bind_integer(3, now);
    if (insert->step() != Step::done) return database.failure("a migration cannot be recorded");
    return {};
}

Outcome apply_missing(SqliteDatabase& database, std::span<const Migration> steps, UnixMillis now) {
    const Result<std::int64_t> applied = applied_steps(database);
    if (!applied) return applied.error();
    const auto known = static_cast<std::int64_t>(steps.size());
    if (*applied > known) {
        return newer_schema(*applied, known);
    }
    for (const Migration& step : steps.subspan(static_cast<std::size_t>(*applied))) {
        if (Outcome outcome = database.execute(std::string(step.sql)); !outcome) {
            return {outcome.cause(),
                    fmt::format("migration {:04} {}: {}", step.number, step.name, outcome.why())};
        }
        if (Outcome outcome = record(database, step, now); !outcome) return outcome;
    }
    return {};
}

}  // namespace

Result<std::int64_t> schema_of(SqliteDatabase& database) {
    const Result<std::int64_t> id = database.integer("PRAGMA application_id");
    if (!id) return id;
    if (*id == application_id) return database.integer("SELECT max(number) FROM migrations");
    const Result<std::int64_t> tables = database.integer("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables;
    if (*id != 0 || *tables != 0) {
        return Outcome::refused("the database belongs to another program");
    }
    return no_schema;
}

Outcome newer_schema(std::int64_t found, std::int64_t known) {
    return Outcome::refused(
        fmt::format("the database has schema {}, but this program knows only up to {}: it was "
                    "used by a newer version, which is needed to open it",
                    found, known));
}

Outcome migrate(SqliteDatabase& database, std::span<const Migration> steps, UnixMillis now) {
    // One transaction around all: two processes that start at once take turns, and a failure in the
    // third step does not leave the schema of a version that never was.
    if (Outcome outcome = database.execute("BEGIN IMMEDIATE"); !outcome) return outcome;
    Outcome outcome = apply_missing(database, steps, now);
    if (outcome) outcome = database.execute("COMMIT");
    if (!outcome && database.in_transaction()) static_cast<void>(database.execute("ROLLBACK"));
    return outcome;
}

}  // namespace causeway
