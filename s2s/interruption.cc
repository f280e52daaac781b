#include "s2s/interruption.h"

#include <utility>

#include "gateway/base/serial_number.h"

namespace causeway {

std::unique_ptr<Interruption> Interruption::of(Carrier& stream) {
    LinkResumption resumption = stream.resumption();
    if (!stream.managed() || resumption.token.empty()) return nullptr;
    resumption.state = LinkResumption::State::possible;
    resumption.sent = stream.sent_count();
    resumption.h.reset();
    auto left = std::make_unique<Interruption>(std::move(resumption), stream.take_unacknowledged());
    left->received(stream.release_received());
    return left;
}

std::vector<Interruption::Arrived> Interruption::give_back(
    const std::deque<Confirmations::Written>& left) {
    std::vector<Arrived> learn(left.size());
    std::uint32_t number = resumption_.sent - static_cast<std::uint32_t>(unacknowledged_.size());
    std::size_t next = 0;
    for (const Sent& sent : std::exchange(unacknowledged_, {})) {
        ++number;
        if (next == left.size() || left[next].packet != sent.packet) {
            if (sent.packet->kind() == StanzaKind::presence) {
                forgotten_.emplace_back(number, sent.packet);
            }
            continue;
        }
        const std::size_t which = next++;
        if (given_back_->size() >= rows_at_most) continue;
        given_back_->push_back({.number = number});
        learn[which] = [rows = given_back_, at = given_back_->size() - 1](std::uint64_t row) {
            GivenBack& given = (*rows)[at];
            given.row = row;
            if (given.arrived) std::exchange(given.arrived, {})(row);
        };
    }
    return learn;
}

void Interruption::go_on(const LinkResumption& outcome, std::deque<Confirmations::Written> left,
                         Visitor& visitor, const Arrived& arrived) {
    const auto has = [&](std::uint32_t number) {
        return outcome.h && serial_distance(number, *outcome.h) <= 0;
    };
    for (GivenBack& given : *given_back_) {
        if (!has(given.number)) continue;
        if (given.row != 0) {
            arrived(given.row);
        } else {
            given.arrived = arrived;
        }
    }
    for (const auto& [which, packet] : forgotten_) {
        if (!has(which)) visitor.lost(*packet);
    }
    std::uint32_t number = resumption_.sent - static_cast<std::uint32_t>(unacknowledged_.size());
    for (const Sent& sent : std::exchange(unacknowledged_, {})) {
        ++number;
        if (!left.empty() && left.front().packet == sent.packet) {
            const Confirmations::Written written = std::move(left.front());
            left.pop_front();
            if (has(number)) {
                visitor.has(written);
            } else {
                visitor.send_again(written);
            }
            continue;
        }
        // What a domain itself asked is asked again by whoever wants to know. What it answered
        // is not.
        const StanzaType type = sent.packet->type();
        const bool question = sent.packet->kind() == StanzaKind::iq &&
                              !sent.packet->from().has_local() &&
                              (type == StanzaType::get || type == StanzaType::set);
        if (outcome.state == LinkResumption::State::resumed && !has(number) && !question) {
            visitor.send_again_in_passing(sent.packet);
        } else if (!has(number)) {
            visitor.lost(*sent.packet);
        }
    }
    for (const Confirmations::Written& written : left) visitor.send_again(written);
}

}  // namespace causeway
