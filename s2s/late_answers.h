// LateAnswers: requests (iq) to domains of other shards whose senders were told that there is no
// answer (AwaitedAnswers). A stream that is at home here may bring one all the same, for a domain
// that was proven on it beside its own: it is known here at once, so that nothing is overtaken
// while another shard is asked. Owner: a ServerTable.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/xmpp/jid.h"
#include "s2s/awaited_answers.h"

namespace causeway {

class LateAnswers {
public:
    /// Of those that are remembered; the oldest is forgotten for one more.
    static constexpr std::size_t most = 1000;

    explicit LateAnswers(const Clock& clock) : clock_(clock) {}

    /// Who sent that request was told.
    void told(const Jid& from, const Jid& to, std::string_view id) {
        forget_old();
        if (requests_.size() >= most) requests_.pop_front();
        requests_.push_back({from, to, std::string(id), clock_.now()});
    }
    /// It was answered, or sent once more under that id. True: it was remembered.
    bool take(const Jid& from, const Jid& to, std::string_view id) {
        forget_old();
        const auto found = std::ranges::find_if(requests_, [&](const Request& one) {
            return one.id == id && one.from == from && one.to == to;
        });
        if (found == requests_.end()) return false;
        requests_.erase(found);
        return true;
    }

private:
    struct Request {
        Jid from, to;
        std::string id;
        TimePoint at;
    };
    void forget_old() {
        while (!requests_.empty() && clock_.now() - requests_.front().at >= AwaitedAnswers::late) {
            requests_.pop_front();
        }
    }

    const Clock& clock_;
    std::deque<Request> requests_;
};

}  // namespace causeway
