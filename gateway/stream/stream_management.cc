#include "gateway/stream/stream_management.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "gateway/base/serial_number.h"

namespace causeway {

std::optional<std::uint32_t> stanza_count(std::string_view text) {
    std::uint32_t count{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return count;
}

std::uint32_t StreamManagement::receive() {
    open_.push_back(++received_);
    return received_;
}

void StreamManagement::expect_again(std::uint32_t number) { again_.push_back(number); }

bool StreamManagement::settle(std::uint32_t number) {
    if (const auto again = std::ranges::find(again_, number); again != again_.end()) {
        *again = again_.back();
        again_.pop_back();
        return false;
    }
    const auto found = std::ranges::find(open_, number);
    if (found == open_.end()) return false;
    open_.erase(found);
    if (record_ == Record::none) return true;
    if (const auto noted = std::ranges::find(noted_, number); noted != noted_.end()) {
        noted_.erase(noted);
    } else {
        const auto after = std::ranges::find_if(
            unnoted_, [number](std::uint32_t other) { return serial_distance(other, number) > 0; });
        unnoted_.insert(after, number);
    }
    return true;
}

void StreamManagement::note(std::uint32_t number) {
    if (std::ranges::find(open_, number) != open_.end()) noted_.push_back(number);
}

void StreamManagement::note_up_to(std::uint32_t number) {
    const auto left = std::ranges::find_if(
        unnoted_, [number](std::uint32_t other) { return serial_distance(other, number) > 0; });
    unnoted_.erase(unnoted_.begin(), left);
}

bool StreamManagement::noted() const {
    return unnoted_.empty() || serial_distance(unnoted_.front(), handled()) > 0;
}

bool StreamManagement::wants_note() const {
    return !noted() && (answer_due() || unnoted_.size() >= note_after);
}

bool StreamManagement::answer_due() const {
    return peer_question_ != Question::none && serial_distance(handled(), answer_at_) >= 0;
}

void StreamManagement::go_on(std::uint32_t handled, std::uint32_t acknowledged) {
    received_ = handled;
    sent_ = acknowledged;
}

void StreamManagement::peer_asks() {
    if (peer_question_ == Question::none) answer_at_ = received_;
    peer_question_ = Question::open;
    asked_at_ = received_;
}

std::optional<std::uint32_t> StreamManagement::take_answer() {
    const std::uint32_t h = noted() ? handled() : unnoted_.front() - 1;
    if (!answer_due() || serial_distance(h, answer_at_) < 0) return std::nullopt;
    peer_question_ = serial_distance(asked_at_, h) > 0 ? Question::open : Question::none;
    answer_at_ = asked_at_;
    return h;
}

void StreamManagement::sent(Sent stanza) {
    ++sent_;
    bytes_ += cost(stanza);
    if (stanza.answer) answer_bytes_ += cost(stanza);
    if (stanza.hold != 0) ++held_;
    if (question_ == Question::fruitless) question_ = Question::none;
    unacknowledged_.push_back(std::move(stanza));
}

bool StreamManagement::hold_for_copy(std::uint64_t number, HoldId hold) {
    const auto copy = std::ranges::find_if(unacknowledged_, [&](const Sent& stanza) {
        return stanza.hold == 0 && stanza.packet->kind() == StanzaKind::message &&
               stanza.packet->stanza_id() == number;
    });
    if (copy == unacknowledged_.end()) return false;
    copy->hold = hold;
    ++held_;
    return true;
}

StreamManagement::Acknowledged StreamManagement::acknowledge(std::uint32_t h,
                                                             std::vector<Sent>& done) {
    const auto waiting = static_cast<std::uint32_t>(unacknowledged_.size());
    if (serial_distance(h, sent_) > 0) return Acknowledged::too_much;
    const std::int32_t newly = serial_distance(h, sent_ - waiting);
    if (newly <= 0) {
        if (question_ == Question::open) question_ = Question::fruitless;
        return Acknowledged::nothing;
    }
    question_ = Question::none;
    done.reserve(done.size() + static_cast<std::size_t>(newly));
    for (std::int32_t i = 0; i < newly; ++i) {
        Sent& first = unacknowledged_.front();
        bytes_ -= cost(first);
        if (first.answer) answer_bytes_ -= cost(first);
        if (first.hold != 0) --held_;
        done.push_back(std::move(first));
        unacknowledged_.pop_front();
    }
    return Acknowledged::something;
}

bool StreamManagement::should_ask() const {
    return question_ == Question::none && (held_ != 0 || unacknowledged_.size() >= ask_after);
}

std::deque<StreamManagement::Sent> StreamManagement::take_unacknowledged() {
    bytes_ = answer_bytes_ = held_ = 0;
    return std::exchange(unacknowledged_, {});
}

void StreamManagement::interrupted() {
    question_ = Question::none;
    peer_question_ = Question::none;
}

}  // namespace causeway
