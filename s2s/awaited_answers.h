// AwaitedAnswers: requests (iq) that sessions and services here have sent to another domain, and
// that were not answered yet. A stream that ends may take them with it, or the server that was to
// answer: who waits then hears of it (RFC 6120 §8.2.3), unless the answer comes within a moment, on
// whatever stream, or the stream goes on (XEP-0198). An answer that comes after that is one too
// many. What this server asks by itself has a patience of its own (Asking). Owner: a RemotePair.
#pragma once

#include <list>
#include <string_view>
#include <unordered_map>

#include "gateway/base/timer_wheel.h"
#include "gateway/session/hub.h"

namespace causeway {

class AwaitedAnswers final : private TimerTarget {
public:
    /// Requests that are remembered, and bytes of them: the oldest are forgotten for more.
    static constexpr std::size_t most = 1000;
    static constexpr std::size_t most_bytes = 1U << 20U;
    /// After the end of the stream that a request went on: the answer may be under way on another.
    static constexpr Duration under_way{10'000};
    /// After somebody was told that there is no answer: so long one that comes is known as late.
    static constexpr Duration late{60'000};

    class Owner {
    public:
        virtual void no_answer(const Packet& request) = 0;
        /// It is sent once more, under the same id.
        virtual void asked_again(const Packet&) {}
        /// Whether the stream that ended may yet go on, with what was sent on it.
        [[nodiscard]] virtual bool stream_may_go_on() const = 0;

    protected:
        ~Owner() = default;
    };

    AwaitedAnswers(Hub& hub, Owner& owner) : hub_(hub), owner_(owner) {}
    AwaitedAnswers(const AwaitedAnswers&) = delete;
    AwaitedAnswers& operator=(const AwaitedAnswers&) = delete;

    /// A stanza is being written; remembered if it is such a request.
    void written(const PacketRef& packet);
    /// An answer came, of that sender. False: it is late, and `to` has been told that there is
    /// none.
    [[nodiscard]] bool answered(const Jid& from, const Jid& to, std::string_view id);
    void stream_ended();
    /// Whether what was on it goes on, on another one.
    void decided(bool goes_on);
    /// Somebody is to be told soon, or was a moment ago.
    [[nodiscard]] bool needed() const { return timer_.armed(); }

private:
    enum class State : unsigned char {
        sent,
        in_doubt,  ///< the stream has ended, and may go on
        lost,      ///< it did not
        told,      ///< who asked knows that there is no answer
    };
    struct Request {
        PacketRef packet;
        State state = State::sent;
        TimePoint ended{};  ///< the stream that it went on; once told: when that was
    };
    using Requests = std::list<Request>;

    void on_timer(std::uint32_t which) override;
    [[nodiscard]] Requests::iterator find(const Jid& from, const Jid& to, std::string_view id);
    void forget(Requests::iterator request);

    Hub& hub_;
    Owner& owner_;
    Requests requests_;                                                    ///< the oldest first
    std::unordered_multimap<std::string_view, Requests::iterator> by_id_;  ///< of their packets
    std::size_t bytes_ = 0;
    Timer timer_;
};

}  // namespace causeway
