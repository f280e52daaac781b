#include "gateway/xml/stanza_skipper.h"

namespace causeway {
namespace {

constexpr std::uint32_t hash_start = 2166136261U;
constexpr std::string_view section_start = "[CDATA[";
constexpr std::size_t name_limit = 64;

bool white_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
/// Whether a name may begin with it; bytes beyond ASCII are taken on trust.
bool begins_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

StanzaSkipper::Result StanzaSkipper::feed(std::string_view bytes, std::size_t& taken) {
    for (taken = 0; taken < bytes.size();) {
        if (state_ == State::content || state_ == State::single_quoted ||
            state_ == State::double_quoted) {
            // Most of what is large is one of these.
            const std::string_view ends = state_ == State::content         ? "<"
                                          : state_ == State::single_quoted ? "<'"
                                                                           : "<\"";
            const std::size_t next = bytes.find_first_of(ends, taken);
            const std::size_t end = next == std::string_view::npos ? bytes.size() : next;
            skipped_ += end - taken;
            taken = end;
            if (taken == bytes.size()) break;
        }
        ++skipped_;
        if (const Result result = step(bytes[taken++]); result != Result::more) return result;
    }
    return Result::more;
}

StanzaSkipper::Result StanzaSkipper::opened(bool empty) {
    named_ = true;
    state_ = State::content;
    if (!empty) {
        if (open_ >= depth_limit) return Result::malformed;
        ++open_;
        names_.push_back(name_);
    }
    return open_ == 0 ? Result::done : Result::more;
}

StanzaSkipper::Result StanzaSkipper::closed() {
    if (open_ == 0) return Result::malformed;
    if (!names_.empty()) {
        if (names_.back() != name_) return Result::malformed;
        names_.pop_back();
    }
    state_ = State::content;
    return --open_ == 0 ? Result::done : Result::more;
}

StanzaSkipper::Result StanzaSkipper::step(char c) {
    const auto go = [this](State next) {
        state_ = next;
        return Result::more;
    };
    switch (state_) {
        case State::content: return go(State::opening);
        case State::opening:
            name_ = hash_start;
            matched_ = 0;
            if (c == '/') return go(State::end_name);
            if (c == '!') return go(State::declaration);
            if (!begins_name(c)) return Result::malformed;
            hash(c);
            if (!named_) first_name_ = c;
            return go(State::start_name);
        case State::start_name:
            if (c == '>') return opened(false);
            if (c == '/') return go(State::slash);
            if (white_space(c)) return go(State::tag);
            if (c == '<') return Result::malformed;
            hash(c);
            if (!named_ && first_name_.size() < name_limit) first_name_ += c;
            return Result::more;
        case State::tag:
            if (c == '>') return opened(false);
            if (c == '/') return go(State::slash);
            if (c == '\'') return go(State::single_quoted);
            if (c == '"') return go(State::double_quoted);
            return c == '<' ? Result::malformed : Result::more;
        case State::single_quoted:
        case State::double_quoted: return c == '<' ? Result::malformed : go(State::tag);
        case State::slash: return c == '>' ? opened(true) : Result::malformed;
        case State::end_name:
            if (c == '>') return closed();
            if (white_space(c)) return go(State::end_tag);
            if (c == '<' || c == '/') return Result::malformed;
            hash(c);
            return Result::more;
        case State::end_tag:
            if (c == '>') return closed();
            return white_space(c) ? Result::more : Result::malformed;
        case State::declaration:
            if (c != section_start[matched_] || open_ == 0) return Result::malformed;
            return ++matched_ == section_start.size() ? go(State::section) : Result::more;
        case State::section: return c == ']' ? go(State::section_end) : Result::more;
        case State::section_end: return go(c == ']' ? State::section_ending : State::section);
        case State::section_ending:
            if (c == ']') return Result::more;
            return go(c == '>' ? State::content : State::section);
    }
    return Result::malformed;
}

}  // namespace causeway
