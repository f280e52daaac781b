#include "gateway/base/log.h"

#include <fmt/chrono.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <memory>
#include <utility>

#include "gateway/base/escape.h"
#include "gateway/base/log_output.h"

namespace causeway::log {
namespace {

void append_value(std::string& out, bool json, std::string_view value) {
    const std::string_view shown = cut_text(value, longest_value);
    std::string text;
    bool quoted = append_escaped(text, shown, json ? Escape::json : Escape::quoted);
    if (shown.size() < value.size()) text += "\u2026";
    quoted = quoted || json || text.empty() || text.find_first_of(" =") != std::string::npos;
    if (quoted) out += '"';
    out += text;
    if (quoted) out += '"';
}

void append_field(std::string& out, bool json, const Field& field) {
    if (json) {
        out += ",\"";
        out += field.key;
        out += "\":";
    } else {
        out += ' ';
        out += field.key;
        out += '=';
    }
    if (field.number) {
        out += field.value;
    } else {
        append_value(out, json, field.value);
    }
}

/// How long the end of the process waits for the reader of standard error, for all events together.
constexpr std::chrono::milliseconds stop_patience{500};

std::string now_text() {
    const auto now =
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto millis = now.time_since_epoch().count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(static_cast<std::time_t>(millis / 1000)), millis % 1000);
}

std::string line(bool json, Level level, std::string_view event,
                 std::initializer_list<Field> fields) {
    const std::string rest = render(json, level, event, fields);
    return json ? fmt::format("{{\"time\":\"{}\",{}", now_text(), std::string_view(rest).substr(1))
                : fmt::format("time={} {}", now_text(), rest);
}

/// Both are read by every thread and change at a reload; nothing else depends on their order.
constexpr int off = -1;
std::atomic<int> current_level{off};
std::atomic<bool> current_json{false};

/// Runs on the writer's thread alone. Tells of lost events in front of the first that was not.
class StandardError final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    void watch(spdlog::details::thread_pool& pool) { pool_ = &pool; }
    void finish() { output_.finish(stop_patience); }
    /// Events that were taken out of the queue and could not be written.
    [[nodiscard]] std::size_t unwritten() const { return unwritten_; }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const std::size_t lost = pool_->overrun_counter() + unwritten_;
        if (lost != told_ && output_.put(line(current_json, Level::warn, "log.dropped",
                                              {{"count", lost - told_}}))) {
            told_ = lost;
        }
        if (!output_.put({message.payload.data(), message.payload.size()})) ++unwritten_;
    }
    void flush_() override {}

private:
    spdlog::details::thread_pool* pool_ = nullptr;
    Output output_;
    std::atomic<std::size_t> unwritten_{0};
    std::size_t told_ = 0;
};

/// The queue, its thread and what it writes to. The pool goes first: it drains into the sink.
struct Writer {
    std::shared_ptr<StandardError> sink = std::make_shared<StandardError>();
    std::shared_ptr<spdlog::details::thread_pool> pool =
        std::make_shared<spdlog::details::thread_pool>(queued_events, 1U);
    std::shared_ptr<spdlog::async_logger> logger = std::make_shared<spdlog::async_logger>(
        "causeway", sink, pool, spdlog::async_overflow_policy::overrun_oldest);

    Writer() {
        sink->watch(*pool);
        logger->set_level(spdlog::level::trace);
    }
    [[nodiscard]] std::uint64_t lost() const { return pool->overrun_counter() + sink->unwritten(); }
};

/// Owned by `owner`, seen by every thread through `writer`.
std::unique_ptr<Writer>& owner() {
    static std::unique_ptr<Writer> instance;
    return instance;
}
std::atomic<Writer*> writer{nullptr};
std::atomic<std::uint64_t> dropped_before_stop{0};

constexpr std::array<std::pair<std::string_view, Level>, 4> level_names{{{"error", Level::error},
                                                                         {"warn", Level::warn},
                                                                         {"info", Level::info},
                                                                         {"debug", Level::debug}}};

}  // namespace

void configure(Level level, bool json) {
    current_json = json;
    if (writer.load() == nullptr) {
        owner() = std::make_unique<Writer>();
        writer = owner().get();
    }
    set_level(level);
}

void set_level(Level level) {
    if (writer.load() != nullptr) current_level = static_cast<int>(level);
}

Level level() {
    const int now = current_level.load(std::memory_order_relaxed);
    return now == off ? Level::error : static_cast<Level>(now);
}

Result<Level> parse_level(std::string_view name) {
    for (const auto& [known, level] : level_names) {
        if (known == name) return level;
    }
    return Outcome::malformed("the log level is error, warn, info or debug");
}

std::string_view to_string(Level level) {
    return level_names[static_cast<std::size_t>(level)].first;
}

bool enabled(Level level) {
    return static_cast<int>(level) <= current_level.load(std::memory_order_relaxed);
}

std::string render(bool json, Level level, std::string_view event,
                   std::initializer_list<Field> fields) {
    std::string out =
        json ? fmt::format("{{\"level\":\"{}\",\"event\":\"{}\"", to_string(level), event)
             : fmt::format("level={} event={}", to_string(level), event);
    for (const Field& field : fields) append_field(out, json, field);
    if (json) out += '}';
    return out;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
    Writer* const to = writer.load(std::memory_order_acquire);
    if (to == nullptr || !enabled(level)) return;
    const std::string text = line(current_json, level, event, fields);
    to->logger->log(spdlog::level::critical, spdlog::string_view_t(text.data(), text.size()));
}

std::uint64_t dropped() {
    Writer* const to = writer.load(std::memory_order_acquire);
    return to == nullptr ? dropped_before_stop.load() : to->lost();
}

void stop() {
    current_level = off;
    Writer* const to = writer.exchange(nullptr);
    if (to == nullptr) return;
    to->sink->finish();
    // The pool's end waits until the thread has drained the queue into the sink.
    const std::uint64_t overrun = to->pool->overrun_counter();
    to->pool.reset();
    dropped_before_stop = overrun + to->sink->unwritten();
    owner().reset();
}

}  // namespace causeway::log
