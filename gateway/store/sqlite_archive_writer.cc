#include "gateway/store/sqlite_archive_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace causeway {
namespace {

// Numbers that are remembered, so that an append seldom has to look for them. When there are as
// many, all are forgotten: what is in use is soon known again.
constexpr std::size_t known_owners = 10'000;
constexpr std::size_t known_conversations = 20'000;

// In the order of SqliteArchiveWriter::Statement.
constexpr std::array statement_texts{
    std::string_view{"SELECT id FROM archive_owners WHERE jid = ?1"},
    std::string_view{"INSERT INTO archive_owners (jid, messages, bytes) VALUES (?1, 0, 0)"},
    std::string_view{"SELECT id FROM archive_conversations WHERE owner = ?1 AND jid = ?2"},
    std::string_view{"INSERT INTO archive_conversations (owner, jid) VALUES (?1, ?2)"},
    std::string_view{"INSERT INTO archive (id, owner, conversation, incoming, resource, body)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
    std::string_view{"SELECT length(body) FROM archive WHERE id = ?1 AND owner = ?2"},
    std::string_view{"UPDATE archive SET body = ?2 WHERE id = ?1"},
    std::string_view{"SELECT id, length(body), conversation FROM archive"
                     " WHERE id = ?1 AND owner = ?2"},
    std::string_view{"SELECT id, length(body), conversation FROM archive INDEXED BY"
                     " archive_by_owner WHERE owner = ?1 AND id <= ?2 ORDER BY id LIMIT ?3"},
    // There are few stores; the condition makes SQLite walk them by their key.
    std::string_view{"UPDATE logs SET body = (SELECT body FROM archive WHERE id = ?2)"
                     " WHERE store IN (SELECT id FROM stores WHERE id > 0)"
                     " AND owner = ?1 AND id = ?2 AND length(body) = 0"},
    std::string_view{"DELETE FROM archive WHERE id = ?1"},
    std::string_view{"DELETE FROM archive_conversations WHERE id = ?1 AND NOT EXISTS (SELECT 1"
                     " FROM archive INDEXED BY archive_by_conversation WHERE conversation = ?1)"
                     " RETURNING jid"},
    std::string_view{"UPDATE archive_owners SET messages = messages + ?2, bytes = bytes + ?3"
                     " WHERE id = ?1"},
    std::string_view{"DELETE FROM archive_owners WHERE jid = ?1 AND NOT EXISTS (SELECT 1 FROM"
                     " archive INDEXED BY archive_by_owner WHERE owner = archive_owners.id)"},
    std::string_view{"UPDATE archive_owners SET jid = NULL WHERE jid = ?1"},
    std::string_view{"SELECT id FROM archive_owners WHERE jid IS NULL ORDER BY id LIMIT 1"},
    std::string_view{"DELETE FROM archive_owners WHERE id = ?1"},
};

/// One string for both, so that the usual case makes one search.
void make_conversation_key(std::string& key, std::int64_t owner, std::string_view jid) {
    key.assign(reinterpret_cast<const char*>(&owner), sizeof owner).append(jid);
}

template <class Numbers>
void remember(Numbers& numbers, std::size_t most, std::string_view key, std::int64_t number) {
    if (numbers.size() >= most) numbers.clear();
    numbers.emplace(key, number);
}

}  // namespace

std::span<const std::string_view> SqliteArchiveWriter::texts() { return statement_texts; }

Outcome SqliteArchiveWriter::prepare() {
    static_assert(statement_texts.size() == static_cast<std::size_t>(Statement::count));
    return database_.prepare(statement_texts, statements_);
}

Outcome SqliteArchiveWriter::append(const Batch::ArchiveAppend& append) {
    const Result<std::int64_t> owner = owner_number(append.owner);
    if (!owner) return owner.error();
    if (append.attempt == Batch::Attempt::again) {
        const auto id = sqlite_integer(append.row.id);
        const auto there =
            find(statement(Statement::body_size).bind_integer(1, id).bind_integer(2, *owner));
        if (!there) return there.error();
        if (there->has_value()) return {};
    }
    const Result<std::int64_t> conversation = conversation_number(*owner, append.row.with);
    if (!conversation) return conversation.error();
    SqliteStatement& insert = statement(Statement::append);
    insert.bind_integer(1, static_cast<std::int64_t>(append.row.id)).bind_integer(2, *owner);
    insert.bind_integer(3, *conversation).bind_integer(4, append.row.incoming ? 1 : 0);
    insert.bind_text(5, append.row.resource).bind_blob(6, append.row.body);
    Outcome outcome = execute(insert);
    if (!outcome) return outcome;
    Change& change = changes_[*owner];
    ++change.messages;
    change.bytes += static_cast<std::int64_t>(append.row.body.size());
    return {};
}

Outcome SqliteArchiveWriter::replace(const Batch::ArchiveReplace& replace) {
    const auto owner = find_owner(replace.owner);
    if (!owner) return owner.error();
    if (!owner->has_value()) return {};
    const auto id = sqlite_integer(replace.id);
    const auto size =
        find(statement(Statement::body_size).bind_integer(1, id).bind_integer(2, **owner));
    if (!size) return size.error();
    if (!size->has_value()) return {};
    SqliteStatement& update = statement(Statement::replace);
    Outcome outcome = execute(update.bind_integer(1, id).bind_blob(2, replace.body));
    if (outcome) {
        changes_[**owner].bytes += static_cast<std::int64_t>(replace.body.size()) - **size;
    }
    return outcome;
}

Outcome SqliteArchiveWriter::erase(const Batch::ArchiveErase& erase) {
    const auto owner = find_owner(erase.owner);
    if (!owner) return owner.error();
    if (!owner->has_value()) return {};
    SqliteStatement& one = statement(Statement::list_one);
    one.bind_integer(1, sqlite_integer(erase.id)).bind_integer(2, **owner);
    const Result<Erasable> listed = list(one);
    return listed ? erase_rows(**owner, *listed) : listed.error();
}

Outcome SqliteArchiveWriter::trim(const Batch::ArchiveTrim& trim) {
    if (trim.before == 0) return {};
    const auto owner = find_owner(trim.owner);
    if (!owner) return owner.error();
    if (!owner->has_value()) return {};
    const Result<std::size_t> erased =
        erase_oldest(**owner, trim.before - 1, trim.rows, &trim.owner);
    return erased ? Outcome{} : erased.error();
}

Outcome SqliteArchiveWriter::clear(const Batch::ArchiveClear& clear) {
    owners_.erase(clear.owner);
    // Nobody sweeps what has no rows.
    SqliteStatement& erase = statement(Statement::erase_empty_owner);
    if (Outcome outcome = execute(erase.bind_text(1, clear.owner)); !outcome) return outcome;
    return execute(statement(Statement::clear_owner).bind_text(1, clear.owner));
}

Outcome SqliteArchiveWriter::sweep(const Batch::ArchiveSweep& sweep) {
    for (std::size_t left = sweep.rows; left > 0;) {
        const auto owner = find(statement(Statement::find_cleared));
        if (!owner) return owner.error();
        if (!owner->has_value()) break;
        const Result<std::size_t> erased = erase_oldest(**owner, ArchiveQuery::last, left);
        if (!erased) return erased.error();
        SqliteStatement& list = statement(Statement::list_oldest);
        list.bind_integer(1, **owner).bind_integer(2, sqlite_integer(ArchiveQuery::last));
        const auto more = find(list.bind_integer(3, 1));
        if (!more) return more.error();
        if (more->has_value()) break;
        SqliteStatement& erase = statement(Statement::erase_owner);
        if (Outcome outcome = execute(erase.bind_integer(1, **owner)); !outcome) return outcome;
        left -= std::clamp<std::size_t>(*erased, 1, left);
    }
    return {};
}

Outcome SqliteArchiveWriter::write_totals() {
    for (const auto& [owner, change] : changes_) {
        SqliteStatement& update = statement(Statement::add_totals);
        update.bind_integer(1, owner).bind_integer(2, change.messages);
        if (Outcome outcome = execute(update.bind_integer(3, change.bytes)); !outcome) {
            return outcome;
        }
    }
    changes_.clear();
    return {};
}

void SqliteArchiveWriter::forget() {
    owners_.clear();
    conversations_.clear();
    changes_.clear();
}

Result<std::optional<std::int64_t>> SqliteArchiveWriter::find_owner(std::string_view jid) {
    if (const auto known = owners_.find(jid); known != owners_.end()) {
        return std::optional(known->second);
    }
    auto found = find(statement(Statement::find_owner).bind_text(1, jid));
    if (found && found->has_value()) remember(owners_, known_owners, jid, **found);
    return found;
}

Result<std::int64_t> SqliteArchiveWriter::owner_number(std::string_view jid) {
    const auto found = find_owner(jid);
    if (!found) return found.error();
    if (found->has_value()) return **found;
    Outcome outcome = execute(statement(Statement::add_owner).bind_text(1, jid));
    if (!outcome) return outcome;
    remember(owners_, known_owners, jid, database_.last_insert_id());
    return database_.last_insert_id();
}

Result<std::int64_t> SqliteArchiveWriter::conversation_number(std::int64_t owner,
                                                              std::string_view jid) {
    make_conversation_key(key_, owner, jid);
    if (const auto known = conversations_.find(key_); known != conversations_.end()) {
        return known->second;
    }
    SqliteStatement& search = statement(Statement::find_conversation);
    const auto found = find(search.bind_integer(1, owner).bind_text(2, jid));
    if (!found) return found.error();
    std::int64_t number = found->value_or(0);
    if (!found->has_value()) {
        SqliteStatement& add = statement(Statement::add_conversation);
        Outcome outcome = execute(add.bind_integer(1, owner).bind_text(2, jid));
        if (!outcome) return outcome;
        number = database_.last_insert_id();
    }
    remember(conversations_, known_conversations, key_, number);
    return number;
}

Result<SqliteArchiveWriter::Erasable> SqliteArchiveWriter::list(SqliteStatement& bound) {
    Erasable rows;
    const StatementRun run(bound);
    Step step = bound.step();
    for (; step == Step::row; step = bound.step()) {
        rows.ids.push_back(bound.integer(0));
        rows.bytes += bound.integer(1);
        rows.conversations.insert(bound.integer(2));
    }
    if (step == Step::failed) return failure();
    return rows;
}

Result<std::size_t> SqliteArchiveWriter::erase_oldest(std::int64_t owner, std::uint64_t highest,
                                                      std::size_t rows, const std::string* jid) {
    SqliteStatement& oldest = statement(Statement::list_oldest);
    oldest.bind_integer(1, owner).bind_integer(2, sqlite_integer(highest));
    const Result<Erasable> listed = list(oldest.bind_integer(3, sqlite_integer(rows)));
    if (!listed) return listed.error();
    if (Outcome outcome = erase_rows(owner, *listed, jid); !outcome) return outcome;
    return listed->ids.size();
}

Outcome SqliteArchiveWriter::erase_rows(std::int64_t owner, const Erasable& rows,
                                        const std::string* jid) {
    for (const std::int64_t id : rows.ids) {
        if (jid != nullptr) {
            SqliteStatement& keep = statement(Statement::keep_waiting);
            Outcome outcome = execute(keep.bind_text(1, *jid).bind_integer(2, id));
            if (!outcome) return outcome;
        }
        SqliteStatement& erase = statement(Statement::erase);
        if (Outcome outcome = execute(erase.bind_integer(1, id)); !outcome) return outcome;
    }
    for (const std::int64_t conversation : rows.conversations) {
        Outcome outcome = erase_unused_conversation(owner, conversation);
        if (!outcome) return outcome;
    }
    Change& all = changes_[owner];
    all.messages -= static_cast<std::int64_t>(rows.ids.size());
    all.bytes -= rows.bytes;
    return {};
}

Outcome SqliteArchiveWriter::erase_unused_conversation(std::int64_t owner, std::int64_t number) {
    SqliteStatement& erase = statement(Statement::erase_conversation);
    const StatementRun run(erase);
    erase.bind_integer(1, number);
    Step step = erase.step();
    while (step == Step::row) {
        make_conversation_key(key_, owner, erase.bytes(0));
        conversations_.erase(key_);
        step = erase.step();
    }
    return step == Step::done ? Outcome{} : failure();
}

Result<std::optional<std::int64_t>> SqliteArchiveWriter::find(SqliteStatement& bound) {
    const StatementRun run(bound);
    switch (bound.step()) {
        case Step::row: return std::optional(bound.integer(0));
        case Step::done: return std::optional<std::int64_t>{};
        case Step::failed: break;
    }
    return failure();
}

Outcome SqliteArchiveWriter::execute(SqliteStatement& bound) {
    const StatementRun run(bound);
    return bound.step() == Step::done ? Outcome{} : failure();
}

Outcome SqliteArchiveWriter::failure() const {
    return database_.failure("the store cannot write to an archive");
}

}  // namespace causeway
