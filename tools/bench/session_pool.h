// Many client sessions together: logged in at a bounded pace, watched while a scenario runs,
// closed.
//
// The pool owns its clients. The first session that ends unasked, and the first deadline that
// passes, becomes the pool's failure and stops the loop; every wait returns it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/client.h"

namespace causeway::bench {

/// What a scenario hears of its sessions.
class StanzaListener {
public:
    StanzaListener() = default;
    StanzaListener(const StanzaListener&) = delete;
    StanzaListener& operator=(const StanzaListener&) = delete;
    virtual ~StanzaListener() = default;

    virtual void on_stanza(Client& client, std::string_view stanza) = 0;
    virtual void on_acknowledged(Client& client, std::uint64_t count) = 0;
};

struct LoginPace {
    std::size_t concurrency = 16;  ///< logins under way at once
    double per_second = 0;         ///< logins begun a second; 0: as fast as they complete
};

class SessionPool final : private ClientListener {
public:
    explicit SessionPool(Workbench& bench) : bench_(bench) {}

    /// Adds a client that is not logged in; it stays where it is while the pool lives.
    Client& add(ClientSettings settings);

    [[nodiscard]] std::size_t size() const { return clients_.size(); }
    [[nodiscard]] Client& client(std::size_t index) { return *clients_[index]; }

    /// Who hears of stanzas from now on; null for nobody.
    void set_listener(StanzaListener* listener) { listener_ = listener; }

    /// Logs in whatever was added since the last call.
    [[nodiscard]] Failure log_in(const LoginPace& pace);

    /// Runs until `done()`; a failure if that takes longer than `limit` or a session breaks.
    [[nodiscard]] Failure run_until(const std::function<bool()>& done, Clock::duration limit,
                                    std::string_view waiting_for);

    /// As `run_until`, with the limit starting anew whenever `progress()` changes.
    [[nodiscard]] Failure run_while_progressing(const std::function<bool()>& done,
                                                const std::function<std::uint64_t()>& progress,
                                                std::string_view waiting_for);

    /// Runs for a time; a failure if a session breaks.
    [[nodiscard]] Failure run_for(Clock::duration time);

    /// Closes every session in order, some at a time.
    [[nodiscard]] Failure close();

    /// Ends the run with a reason, if there is none yet.
    void fail(std::string reason);

private:
    void on_ready(Client& client) override;
    void on_stanza(Client& client, std::string_view stanza) override;
    void on_acknowledged(Client& client, std::uint64_t count) override;
    void on_ended(Client& client, const std::string& reason) override;

    // Few enough that a busy server ends each well before its deadline.
    static constexpr std::size_t closes_at_once = 64;

    void start_more();
    void close_next();

    Workbench& bench_;
    std::vector<std::unique_ptr<Client>> clients_;
    StanzaListener* listener_ = nullptr;
    Failure failure_;
    LoginPace pace_;
    TimePoint login_began_;
    std::size_t first_of_login_ = 0;
    std::size_t started_ = 0;
    std::size_t ready_ = 0;
    std::size_t open_ = 0;
    std::size_t closed_ = 0;
    bool closing_ = false;
};

}  // namespace causeway::bench
