// Batch: collects writes and counts the bytes that they hold while they wait.
#include <fmt/format.h>

#include <limits>

#include "gateway/store/limits.h"
#include "gateway/store/store.h"

namespace causeway {
namespace {

constexpr auto highest_id = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

}  // namespace

void Batch::map_set(std::string_view store, std::string_view owner, std::string_view key,
                    std::string value) {
    bytes_ += sizeof(Operation) + store.size() + owner.size() + key.size() + value.size();
    operations_.emplace_back(
        MapSet{std::string(store), std::string(owner), std::string(key), std::move(value)});
}

void Batch::map_erase(std::string_view store, std::string_view owner, std::string_view key) {
    bytes_ += sizeof(Operation) + store.size() + owner.size() + key.size();
    operations_.emplace_back(MapErase{std::string(store), std::string(owner), std::string(key)});
}

void Batch::map_clear(std::string_view store, std::string_view owner) {
    bytes_ += sizeof(Operation) + store.size() + owner.size();
    operations_.emplace_back(MapClear{std::string(store), std::string(owner)});
}

void Batch::log_append(std::string_view store, std::string_view owner, LogRow row) {
    bytes_ += sizeof(Operation) + store.size() + owner.size() + row.body.size();
    operations_.emplace_back(LogAppend{std::string(store), std::string(owner), std::move(row)});
}

void Batch::log_erase(std::string_view store, std::string_view owner, std::uint64_t id) {
    bytes_ += sizeof(Operation) + store.size() + owner.size();
    operations_.emplace_back(LogErase{std::string(store), std::string(owner), id});
}

void Batch::log_clear(std::string_view store, std::string_view owner) {
    bytes_ += sizeof(Operation) + store.size() + owner.size();
    operations_.emplace_back(LogClear{std::string(store), std::string(owner)});
}

void Batch::archive_append(std::string_view owner, const ArchiveRowView& row, Attempt attempt) {
    bytes_ +=
        sizeof(Operation) + owner.size() + row.with.size() + row.resource.size() + row.body.size();
    operations_.emplace_back(ArchiveAppend{.owner = texts_.copy(owner),
                                           .row = {.id = row.id,
                                                   .with = texts_.copy(row.with),
                                                   .resource = texts_.copy(row.resource),
                                                   .incoming = row.incoming,
                                                   .body = texts_.copy(row.body)},
                                           .attempt = attempt});
}

void Batch::archive_replace(std::string_view owner, std::uint64_t id, std::string body) {
    bytes_ += sizeof(Operation) + owner.size() + body.size();
    operations_.emplace_back(ArchiveReplace{std::string(owner), id, std::move(body)});
}

void Batch::archive_erase(std::string_view owner, std::uint64_t id) {
    bytes_ += sizeof(Operation) + owner.size();
    operations_.emplace_back(ArchiveErase{std::string(owner), id});
}

void Batch::archive_trim(std::string_view owner, std::uint64_t before, std::size_t rows) {
    bytes_ += sizeof(Operation) + owner.size();
    operations_.emplace_back(ArchiveTrim{std::string(owner), before, rows});
}

void Batch::archive_clear(std::string_view owner) {
    bytes_ += sizeof(Operation) + owner.size();
    operations_.emplace_back(ArchiveClear{std::string(owner)});
}

void Batch::archive_sweep(std::size_t rows) {
    bytes_ += sizeof(Operation);
    operations_.emplace_back(ArchiveSweep{rows});
}

namespace {

/// The id that an operation gives to a new row; nullopt: it makes none.
std::optional<std::uint64_t> new_row(const Batch::Operation& operation) {
    if (const auto* append = std::get_if<Batch::LogAppend>(&operation)) return append->row.id;
    if (const auto* append = std::get_if<Batch::ArchiveAppend>(&operation)) return append->row.id;
    return {};
}

}  // namespace

Outcome check_batch(const Batch& batch, const StoreLimits& limits) {
    if (batch.bytes() > limits.queued_bytes) {
        return Outcome::policy(
            fmt::format("a batch of {} bytes is larger than the store's queue ({})", batch.bytes(),
                        limits.queued_bytes));
    }
    for (const Batch::Operation& operation : batch.operations()) {
        const std::optional<std::uint64_t> id = new_row(operation);
        if (id && (*id == 0 || *id > highest_id)) {
            return Outcome::malformed(fmt::format("row id {} is out of range", *id));
        }
    }
    return {};
}

}  // namespace causeway
