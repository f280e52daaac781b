#include "gateway/features/conversions/passes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "gateway/base/log.h"
#include "gateway/session/account.h"

namespace causeway::conversions {

void Passes::request(Account& account, const Slot<Passes>& slot, Pass pass) {
    Passes& passes = account.slots.make(slot);
    if (std::ranges::find(passes.waiting_, pass) != passes.waiting_.end()) return;
    passes.waiting_.push_back(pass);
    if (!passes.running_) run(account, slot);
}

void Passes::run(Account& account, const Slot<Passes>& slot) {
    Passes& passes = *account.slots.get(slot);
    const Pass pass = passes.waiting_.front();
    passes.waiting_.pop_front();
    passes.running_ = true;
    account.begin_question();
    pass(account, [&account, &slot](const Outcome& outcome) {
        if (!outcome) {
            CAUSEWAY_LOG(info, "conversion.failed", {"jid", account.jid().bare()},
                         {"kind", slot.name}, {"cause", outcome.why()});
        }
        Passes& all = *account.slots.get(slot);
        all.running_ = false;
        if (all.waiting_.empty()) {
            account.slots.drop(slot);
        } else {
            run(account, slot);
        }
        account.end_question();
    });
}

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
