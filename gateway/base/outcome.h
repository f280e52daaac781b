// Outcome and Result: how every fallible operation reports. A closed set of causes decides what the
// caller does (bounce, retry, close); the `why` text is for the person who reads the log or the
// error.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace causeway {

/// What kind of failure it is; callers branch on this and never on the text.
enum class Cause : unsigned char {
    ok,         ///< it worked
    absent,     ///< the thing asked for does not exist, and will not by asking again
    retry,      ///< temporary: the same request may work later
    refused,    ///< the other side answered no
    malformed,  ///< input that its grammar does not allow
    policy,     ///< our own rules or limits forbid it
};

/// Stable lower-case name of a cause, for logs and the control socket.
constexpr std::string_view to_string(Cause cause) {
    switch (cause) {
        case Cause::ok: return "ok";
        case Cause::absent: return "absent";
        case Cause::retry: return "retry";
        case Cause::refused: return "refused";
        case Cause::malformed: return "malformed";
        case Cause::policy: return "policy";
    }
    return "unknown";
}

/// Success, or a cause with a sentence that a person understands. Cheap when ok.
class [[nodiscard]] Outcome {
public:
    Outcome() = default;
    Outcome(Cause cause, std::string why) : cause_(cause), why_(std::move(why)) {}

    static Outcome absent(std::string why) { return {Cause::absent, std::move(why)}; }
    static Outcome retry(std::string why) { return {Cause::retry, std::move(why)}; }
    static Outcome refused(std::string why) { return {Cause::refused, std::move(why)}; }
    static Outcome malformed(std::string why) { return {Cause::malformed, std::move(why)}; }
    static Outcome policy(std::string why) { return {Cause::policy, std::move(why)}; }

    [[nodiscard]] bool ok() const { return cause_ == Cause::ok; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] Cause cause() const { return cause_; }
    [[nodiscard]] const std::string& why() const { return why_; }

private:
    Cause cause_ = Cause::ok;
    std::string why_;
};

/// A value, or the Outcome that says why there is none. Never holds an ok Outcome. A layer with
/// failures of its own kind names that instead.
template <class T, class Failure = Outcome>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    /// Only when ok().
    [[nodiscard]] T& value() { return *std::get_if<0>(&state_); }
    [[nodiscard]] const T& value() const { return *std::get_if<0>(&state_); }
    T& operator*() { return value(); }
    const T& operator*() const { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    /// Only when not ok().
    [[nodiscard]] const Failure& error() const { return *std::get_if<1>(&state_); }

private:
    std::variant<T, Failure> state_;
};

}  // namespace causeway
