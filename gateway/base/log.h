// Structured log: one event a line, logfmt or JSON, to standard error (over spdlog, asynchronous
// with a bounded queue that drops the oldest and tells how many as "log.dropped"). A slow reader of
// standard error therefore never holds up a shard, nor the end. Values are escaped (C0, C1, line
// separators, bidi controls, bytes that are not UTF-8) and cut at 512 bytes. Never pass a password,
// a key, a token or a stanza's body. Before configure() and after stop() nothing is written.
#pragma once

#include <fmt/core.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway::log {

enum class Level : unsigned char { error, warn, info, debug };

/// Bytes of a value that are shown; the rest is replaced by one "…".
constexpr std::size_t longest_value = 512;
/// Events that wait for standard error; the oldest gives way to one more.
constexpr std::size_t queued_events = 4096;

/// One key=value of an event. Keys are constants of the program and not escaped.
struct Field {
    std::string_view key;
    std::string value;
    bool number = false;

    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const std::string& v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(v) {}
    /// Exactly a bool: a pointer or an optional must not become "true".
    template <std::same_as<bool> T>
    Field(std::string_view k, T v) : key(k), value(v ? "true" : "false"), number(true) {}
    template <std::integral T>
    requires(!std::same_as<T, bool>) Field(std::string_view k, T v)
        : key(k), value(fmt::format("{}", v)), number(true) {}
};

/// Sets level and format ("logfmt" or "json"); callable again at any time (reload). The first call
/// starts the writer's thread and belongs before the shards.
void configure(Level level, bool json);
void set_level(Level level);
[[nodiscard]] Level level();
/// "error", "warn", "info" or "debug"; else Cause::malformed.
Result<Level> parse_level(std::string_view name);
std::string_view to_string(Level level);
[[nodiscard]] bool enabled(Level level);

/// Writes one event: `event` is a short stable name such as "s2s.refused". Callable from any
/// thread.
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

/// What an event looks like as a line, without time; separate so that tests see the escaping.
std::string render(bool json, Level level, std::string_view event,
                   std::initializer_list<Field> fields);

/// Events dropped so far because standard error was too slow or did not take them.
[[nodiscard]] std::uint64_t dropped();

/// Writes what is queued, as far as standard error takes it in half a second, and ends the writer;
/// the last call of the process, when no other thread logs any more.
void stop();

}  // namespace causeway::log

/// Fields are evaluated only when the level is enabled.
#define CAUSEWAY_LOG(level_name, event, ...)                                                  \
    do {                                                                                      \
        if (::causeway::log::enabled(::causeway::log::Level::level_name)) {                   \
            ::causeway::log::write(::causeway::log::Level::level_name, event, {__VA_ARGS__}); \
        }                                                                                     \
    } while (false)
