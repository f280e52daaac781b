#include "s2s/awaited_answers.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace causeway {
namespace {

constexpr Duration look_again{1000};

bool is_awaited(const Packet& packet) {
    return packet.kind() == StanzaKind::iq &&
           (packet.type() == StanzaType::get || packet.type() == StanzaType::set) &&
           packet.from().has_resource();
}

}  // namespace

AwaitedAnswers::Requests::iterator AwaitedAnswers::find(const Jid& from, const Jid& to,
                                                        std::string_view id) {
    const auto [begin, end] = by_id_.equal_range(id);
    const auto found = std::find_if(begin, end, [&](const auto& entry) {
        const Packet& packet = *entry.second->packet;
        return packet.from() == from && packet.to() == to;
    });
    return found == end ? requests_.end() : found->second;
}

void AwaitedAnswers::forget(Requests::iterator request) {
    const auto [begin, end] = by_id_.equal_range(request->packet->id());
    by_id_.erase(
        std::find_if(begin, end, [&](const auto& entry) { return entry.second == request; }));
    bytes_ -= request->packet->bytes().size();
    requests_.erase(request);
}

void AwaitedAnswers::written(const PacketRef& packet) {
    if (!is_awaited(*packet)) return;
    // The same id once more: the next answer is for both.
    if (const auto same = find(packet->from(), packet->to(), packet->id());
        same != requests_.end()) {
        if (same->state == State::told) owner_.asked_again(*packet);
        forget(same);
    }
    requests_.push_back({.packet = packet});
    by_id_.emplace(packet->id(), std::prev(requests_.end()));
    bytes_ += packet->bytes().size();
    while (requests_.size() > most || bytes_ > most_bytes) forget(requests_.begin());
}

bool AwaitedAnswers::answered(const Jid& from, const Jid& to, std::string_view id) {
    const auto request = find(to, from, id);
    if (request == requests_.end()) return true;
    const bool in_time = request->state != State::told;
    forget(request);
    return in_time;
}

void AwaitedAnswers::stream_ended() {
    if (requests_.empty()) return;
    for (Request& request : requests_) {
        if (request.state != State::sent) continue;
        request.state = State::in_doubt;
        request.ended = hub_.clock().now();
    }
    if (!timer_.armed()) hub_.shard.timers().arm(timer_, under_way, *this);
}

void AwaitedAnswers::decided(bool goes_on) {
    for (Request& request : requests_) {
        if (request.state == State::in_doubt) request.state = goes_on ? State::sent : State::lost;
    }
}

void AwaitedAnswers::on_timer(std::uint32_t) {
    const TimePoint now = hub_.clock().now();
    const bool may_go_on = owner_.stream_may_go_on();
    std::vector<PacketRef> unanswered;
    bool more = false;
    for (auto next = requests_.begin(); next != requests_.end();) {
        const auto request = next++;
        if (request->state == State::sent) continue;
        if (request->state == State::told) {
            if (now - request->ended >= late) {
                forget(request);
            } else {
                more = true;
            }
        } else if (now - request->ended < under_way ||
                   (request->state == State::in_doubt && may_go_on)) {
            more = true;
        } else {
            unanswered.push_back(request->packet);
            request->state = State::told;
            request->ended = now;
            more = true;
        }
    }
    if (more) hub_.shard.timers().arm(timer_, look_again, *this);
    for (const PacketRef& request : unanswered) owner_.no_answer(*request);
}

}  // namespace causeway
