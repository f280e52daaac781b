#include "gateway/features/conversions/passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gateway/base/log.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/session/account.h"

namespace causeway::conversions {

namespace {

constexpr unsigned most_attempts = 6;
constexpr Duration first_pause{1000};  ///< each is twice as long as the one before
/// Questions of one account that wait; however often somebody changes something, more do not.
constexpr std::size_t most_questions = 64;

/// The passes of all kinds that work for an account, and what waits for their end.
struct UnderWay final : SlotState {
    unsigned passes = 0;
    std::vector<std::function<void()>> questions;
};
constexpr Slot<UnderWay> under_way{"conversions"};

void one_begins(Account& account) { ++account.slots.make(under_way).passes; }

void one_ends(Account& account) {
    UnderWay& all = *account.slots.get(under_way);
    if (--all.passes != 0) return;
    const auto questions = std::move(all.questions);
    account.slots.drop(under_way);
    for (const auto& question : questions) question();
}

}  // namespace

void when_in_step(Account& account, std::function<void()> task) {
    UnderWay* const all = account.slots.get(under_way);
    if (all == nullptr || all->questions.size() >= most_questions) {
        task();
    } else {
        all->questions.push_back(std::move(task));
    }
}

void Passes::request(Account& account, const Slot<Passes>& slot, Pass pass) {
    Passes& passes = account.slots.make(slot, account, slot);
    if (std::ranges::find(passes.waiting_, pass) == passes.waiting_.end()) {
        passes.waiting_.push_back(pass);
    }
    if (!passes.running_) {
        passes.running_ = true;
        account.begin_question();
        passes.next();
    } else if (passes.timer_.armed()) {
        // A client is there and may wait for it.
        passes.timer_.cancel();
        passes.next();
    }
}

/// This object may be gone afterwards.
void Passes::next() {
    if (!account_.exists()) waiting_.clear();
    if (waiting_.empty()) {
        Account& account = account_;
        account.slots.drop(slot_);
        account.end_question();
        return;
    }
    const Pass pass = waiting_.front();
    waiting_.pop_front();
    one_begins(account_);
    pass(account_, [this, pass](const Outcome& outcome) { ended(pass, outcome); });
}

void Passes::ended(Pass pass, const Outcome& outcome) {
    const bool again = outcome.cause() == Cause::retry && account_.exists() &&
                       failed_attempts_ + 1 < most_attempts;
    if (!outcome) {
        CAUSEWAY_LOG(info, "conversion.failed", {"jid", account_.jid().bare()},
                     {"kind", slot_.name}, {"cause", outcome.why()},
                     {"next", again ? "it is tried again" : "the places stay as they are"});
    }
    Account& account = account_;
    account.begin_question();  // for those that wait
    if (again) {
        try_later(pass);
    } else {
        failed_attempts_ = 0;
        next();
    }
    one_ends(account);
    account.end_question();
}

void Passes::try_later(Pass pass) {
    // One that waits would do the same.
    std::erase(waiting_, pass);
    waiting_.push_front(pass);
    account_.hub().shard.timers().arm(timer_, first_pause * (1U << failed_attempts_), *this);
    ++failed_attempts_;
}

void Passes::on_timer(std::uint32_t) { next(); }

bool look_at(std::string_view xml, const std::function<void(Element&, Arena&)>& visit) {
    bool seen = false;
    const Outcome read =
        Packet::visit_bytes(fmt::format("<iq type='set' id='x'>{}</iq>", xml), [&](Stanza& stanza) {
            Element* element = stanza.element.first_element();
            if (element == nullptr) return;
            seen = true;
            visit(*element, stanza.arena);
        });
    return read.ok() && seen;
}

std::string without_spaces(std::string_view text) {
    std::string packed(text);
    std::erase_if(packed, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    return packed;
}

}  // namespace causeway::conversions
