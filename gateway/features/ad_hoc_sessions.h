// The sessions of ad-hoc commands on one shard; see ad_hoc_commands.cc.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/feature/ad_hoc.h"
#include "gateway/feature/slots.h"

namespace causeway {

/// One execution of a command, from its first step to its last.
struct AdHocSession {
    enum class State : unsigned char {
        running,   ///< the command has not answered its last step yet
        asks,      ///< it waits for a form, after which another comes
        asks_last  ///< it waits for its last form
    };
    const AdHocCommand* command;
    Jid who, to;
    std::vector<FormValues> forms = {};
    State state = State::running;
    TimePoint deadline{};
};

/// All executions on a shard that wait for their next step.
class AdHocSessions final : public SlotState {
public:
    static constexpr Duration lifetime{10 * 60'000};  ///< after the last step
    static constexpr std::size_t most_of_one = 8;     ///< requester
    static constexpr std::size_t most = 10'000;

    /// The id of a new session; empty: the shard has too many.
    std::string begin(const AdHocCommand& command, const AdHocCaller& caller) {
        auto& own = of_[std::string(caller.who.full())];
        if (own.size() >= most_of_one) {
            sessions_.erase(own.front());
            own.erase(own.begin());
        }
        if (sessions_.size() >= most) {
            if (own.empty()) of_.erase(std::string(caller.who.full()));
            return {};
        }
        std::string id = random_token();
        own.push_back(id);
        sessions_.emplace(id,
                          AdHocSession{.command = &command, .who = caller.who, .to = caller.to});
        return id;
    }

    AdHocSession* find(std::string_view id) {
        const auto found = sessions_.find(id);
        return found == sessions_.end() ? nullptr : &found->second;
    }

    void end(std::string_view id) {
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) return;
        const auto own = of_.find(found->second.who.full());
        if (own != of_.end()) {
            std::erase(own->second, id);
            if (own->second.empty()) of_.erase(own);
        }
        sessions_.erase(found);
    }

    void end_all_of(std::string_view who) {
        const auto own = of_.find(who);
        if (own == of_.end()) return;
        for (const std::string& id : own->second) sessions_.erase(id);
        of_.erase(own);
    }

    /// Those that ended a while ago: until then their requester is told that they expired.
    void sweep(TimePoint now) {
        std::vector<std::string> over;
        for (const auto& [id, session] : sessions_) {
            if (session.deadline + lifetime < now) over.push_back(id);
        }
        for (const std::string& id : over) end(id);
    }

private:
    std::map<std::string, AdHocSession, std::less<>> sessions_;  ///< by id
    std::map<std::string, std::vector<std::string>, std::less<>>
        of_;  ///< ids by requester, in order
};

}  // namespace causeway
