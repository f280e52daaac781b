// One hub with nothing but its ledger in use, for messages that their owner's archive keeps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/session/archive_mark.h"
#include "tests/unit/session/ledger_fixture.h"

namespace causeway::test {

class LedgerArchiveFixture : public LedgerFixture {
public:
    /// A message with an id of its own, for the archive of its recipient.
    PacketRef archived(const std::string& id) {
        return Packet::for_archive(
            Packet::stamped(message(id), *Jid::parse("juliet@a.test"), ids.next_id()));
    }
    HoldId hold_archived(std::uint32_t number) {
        return ledger().hold(archived(std::to_string(number)), ticket(number), store_key());
    }
    std::vector<ArchiveRow> archive(const std::string& owner = "juliet@a.test") {
        std::optional<Result<ArchivePage>> page;
        store.archive_page({.owner = owner}, hub->shard,
                           [&](Result<ArchivePage> answer) { page = std::move(answer); });
        settle();
        REQUIRE(page.has_value());
        REQUIRE(page->ok());
        return (*page)->rows;
    }
    std::uint64_t mark() {
        std::optional<std::string> value;
        store.map_get(std::string(ArchiveMark::store), {}, std::string(ArchiveMark::key),
                      hub->shard,
                      [&](const Result<std::optional<std::string>>& read) { value = *read; });
        settle();
        return value ? std::stoull(*value) : 0;
    }
};

}  // namespace causeway::test
