// A restart of the server under sessions that can be resumed (XEP-0198 §5). The sessions are in
// pairs and send each other numbered messages in the moment in which the restart begins; afterwards
// each must be there once and in order.
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <charconv>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tools/bench/scenarios.h"
#include "tools/bench/xml_text.h"

extern char** environ;

namespace causeway::bench {
namespace {

// A server that is down refuses at once, so that a client has to wait before it tries again.
constexpr auto pause_between_attempts = std::chrono::milliseconds(20);
constexpr auto message_limit = std::chrono::seconds(60);  // from the last resumption on

double seconds_between(TimePoint from, TimePoint to) {
    return std::chrono::duration<double>(to - from).count();
}

/// Runs a shell command beside the load. Ends with the command, not before it.
class ShellCommand {
public:
    ShellCommand() = default;
    ShellCommand(const ShellCommand&) = delete;
    ShellCommand& operator=(const ShellCommand&) = delete;
    ~ShellCommand() {
        if (process_ > 0) {
            ::waitpid(process_, nullptr, 0);
        }
    }

    [[nodiscard]] Failure start(std::string text) {
        std::string shell = "/bin/sh";
        std::string option = "-c";
        char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
        if (::posix_spawn(&process_, shell.c_str(), nullptr, nullptr, arguments, environ) != 0) {
            process_ = 0;
            return "cannot run /bin/sh";
        }
        return {};
    }

private:
    pid_t process_ = 0;
};

class Restart final : public ClientListener {
public:
    Restart(Workbench& bench, const Options& options)
        : bench_(bench),
          options_(options),
          places_(options.sessions, Place::waiting),
          heard_(options.sessions),
          last_(options.sessions) {
        counts_[static_cast<std::size_t>(Place::waiting)] = options.sessions;
    }

    /// Logs everybody in.
    Failure begin() {
        for (unsigned number = 0; number < options_.sessions; ++number) {
            ClientSettings settings = client_settings(options_, options_.server, number, "bench");
            settings.stream_management = settings.resumable = true;
            clients_.push_back(
                std::make_unique<Client>(bench_, std::move(settings), clients_.size(), *this));
            waiting_.push_back(number);
        }
        start_more();
        if (!run([this] { return count(Place::in) == clients_.size(); }, TimePoint::max())) {
            return failure_;
        }
        for (const auto& client : clients_) {
            if (options_.presence) {
                client->send_stanza("<presence/>");
            }
        }
        const auto settle = std::chrono::duration<double>(options_.settle);
        (void)run([] { return false; },
                  Clock::now() + std::chrono::duration_cast<Clock::duration>(settle));
        return failure_;
    }

    /// Sends the messages, has the server restarted and waits for everything.
    Failure restart() {
        logging_in_ = false;
        for (std::size_t index = 0; index < clients_.size(); ++index) {
            move(index, Place::not_broken);
        }
        for (unsigned round = 0; round < options_.messages; ++round) {
            for (std::size_t index = 0; index < clients_.size(); ++index) {
                send_message(index, round);
            }
        }
        began_ = Clock::now();
        ShellCommand command;
        if (Failure failure = command.start(options_.restart_command)) {
            return failure;
        }
        // Each attempt has its own deadline, and all sessions together the usual patience.
        std::size_t before = 0;
        do {
            before = settled();
            (void)run([this] { return settled() == clients_.size(); },
                      Clock::now() + bench_.timeout);
        } while (settled() != clients_.size() && settled() != before);
        if (settled() != clients_.size()) {
            return fmt::format("{} of {} sessions are not resumed, the last of them because: {}",
                               clients_.size() - settled(), clients_.size(), last_reason_);
        }
        (void)run([this] { return received_ == expected(); }, Clock::now() + message_limit);
        return {};
    }

    void describe(Report& report) const {
        const std::uint64_t lost = expected() - received_;
        report.values["sessions"] = options_.sessions;
        report.values["messages"] = expected();
        report.values["first_resumed_seconds"] = seconds_between(began_, first_resumed_);
        report.values["all_resumed_seconds"] = seconds_between(began_, last_resumed_);
        report.values["not_resumed"] = count(Place::refused);
        report.values["attempts_failed"] = attempts_failed_;
        report.values["lost"] = lost;
        report.values["twice"] = twice_;
        report.values["out_of_order"] = out_of_order_;
        report.line = fmt::format(
            "{} sessions, the first resumed after {:.2f} s, the last after {:.2f} s, {} not "
            "resumed; of {} messages {} lost, {} twice, {} out of order",
            options_.sessions, seconds_between(began_, first_resumed_),
            seconds_between(began_, last_resumed_), count(Place::refused), expected(), lost, twice_,
            out_of_order_);
        if (twice_ > 0) {
            report.values["first_twice"] = first_twice_;
            report.line += fmt::format(" (twice: {})", first_twice_);
        }
        if (count(Place::refused) > 0) {
            report.line += fmt::format(" (not resumed: {})", last_reason_);
        }
    }

private:
    /// Where a session is: before the restart `waiting`, `under_way` and `in`, from then on all of
    /// them.
    enum class Place { waiting, under_way, in, not_broken, refused };
    static constexpr std::size_t places = 5;

    [[nodiscard]] std::size_t count(Place place) const {
        return counts_[static_cast<std::size_t>(place)];
    }
    [[nodiscard]] std::size_t settled() const { return count(Place::in) + count(Place::refused); }
    [[nodiscard]] std::uint64_t expected() const {
        return std::uint64_t{options_.sessions} * options_.messages;
    }

    void move(std::size_t index, Place place) {
        --counts_[static_cast<std::size_t>(places_[index])];
        ++counts_[static_cast<std::size_t>(place)];
        places_[index] = place;
    }

    bool run(const std::function<bool()>& done, TimePoint deadline) {
        return bench_.loop.run_until(done, deadline);
    }

    void start_more() {
        while (!paused_ && !waiting_.empty() &&
               count(Place::under_way) < options_.pace.concurrency) {
            const std::size_t index = waiting_.front();
            waiting_.pop_front();
            move(index, Place::under_way);
            if (logging_in_) {
                clients_[index]->start();
            } else {
                clients_[index]->resume();
            }
        }
    }

    void pause() {
        if (!paused_) {
            paused_ = true;
            bench_.loop.call_at(Clock::now() + pause_between_attempts, [this] {
                paused_ = false;
                start_more();
            });
        }
    }

    void send_message(std::size_t index, unsigned round) {
        constexpr std::size_t other = 1;  // 0 and 1, 2 and 3, ...
        clients_[index]->send_stanza(fmt::format(
            "<message type='chat' id='r{0}' to='{1}'><body>restart {0}</body></message>", round,
            clients_[index ^ other]->full_jid()));
    }

    void on_ready(Client& client) override {
        move(client.index(), Place::in);
        if (!logging_in_) {
            last_resumed_ = Clock::now();
            if (resumed_++ == 0) {
                first_resumed_ = last_resumed_;
            }
        }
        start_more();
    }

    void on_stanza(Client& client, std::string_view stanza) override {
        if (!is_named(stanza, "message")) {
            return;
        }
        constexpr std::string_view opening = "restart ";
        std::string_view body = text_of(stanza, "body");
        if (!body.starts_with(opening)) {
            return;
        }
        body.remove_prefix(opening.size());
        unsigned number = 0;
        std::from_chars(body.data(), body.data() + body.size(), number);
        unsigned& next = heard_[client.index()];
        if (number < next) {
            if (twice_++ == 0) {
                first_twice_ = fmt::format("{} after {}", stanza, last_[client.index()]);
            }
            return;
        }
        last_[client.index()] = stanza;
        out_of_order_ += number > next ? 1 : 0;
        next = number + 1;
        ++received_;
    }

    void on_acknowledged(Client& /*client*/, std::uint64_t /*count*/) override {}

    void on_ended(Client& client, const std::string& reason) override {
        if (logging_in_) {
            failure_ = reason;
            bench_.loop.stop();
            return;
        }
        if (places_[client.index()] == Place::under_way) {
            ++attempts_failed_;
            last_reason_ = reason;
            pause();
        }
        if (!client.can_resume()) {
            move(client.index(), Place::refused);
            return;
        }
        move(client.index(), Place::waiting);
        waiting_.push_back(client.index());
        bench_.loop.after_turn([this] { start_more(); });
    }

    Workbench& bench_;
    const Options& options_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Place> places_;
    std::array<std::size_t, places> counts_{};
    std::deque<std::size_t> waiting_;
    std::vector<unsigned> heard_;    // the number of the next message of each session
    std::vector<std::string> last_;  // what each received last
    bool logging_in_ = true;
    bool paused_ = false;
    Failure failure_;
    std::string last_reason_;
    std::string first_twice_;  // the stanza that came again
    TimePoint began_;
    TimePoint first_resumed_;
    TimePoint last_resumed_;
    std::uint64_t resumed_ = 0;
    std::uint64_t attempts_failed_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t twice_ = 0;
    std::uint64_t out_of_order_ = 0;
};

}  // namespace

Failure run_restart(Workbench& bench, const Options& options, Report& report) {
    Restart restart(bench, options);
    if (Failure failure = restart.begin()) {
        return failure;
    }
    if (Failure failure = restart.restart()) {
        return failure;
    }
    restart.describe(report);
    return {};
}

}  // namespace causeway::bench
