// Structured log: one event a line, logfmt or JSON, to standard error (over spdlog, asynchronous with
// a bounded queue that drops the oldest and counts). Values are escaped (C0, C1, bidi controls) and
// cut at 512 bytes. Never pass a password, a key, a token or a stanza's body.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "gateway/base/outcome.h"

namespace causeway::log {

enum class Level : unsigned char { error, warn, info, debug };

/// One key=value of an event. The value is copied into text only when the event is written.
struct Field {
    std::string_view key;
    std::string value;
    bool number = false;

    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const std::string& v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(v) {}
    Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), number(true) {}
    template <std::integral T>
        requires(!std::same_as<T, bool>)
    Field(std::string_view k, T v) : key(k), value(fmt::format("{}", v)), number(true) {}
};

/// Sets level and format ("logfmt" or "json"); callable again at any time (reload).
void configure(Level level, bool json);
void set_level(Level level);
[[nodiscard]] Level level();
Result<Level> parse_level(std::string_view name);
[[nodiscard]] bool enabled(Level level);

/// Writes one event: `event` is a short stable name such as "s2s.refused".
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

/// What an event looks like as a line, without time; separate so that tests see the escaping.
std::string render(bool json, Level level, std::string_view event,
                   std::initializer_list<Field> fields);

/// Flushes and stops the writer; the last call of the process.
void stop();

}  // namespace causeway::log

/// Fields are evaluated only when the level is enabled.
#define CAUSEWAY_LOG(level_name, event, ...)                                                  \
    do {                                                                                      \
        if (::causeway::log::enabled(::causeway::log::Level::level_name)) {                   \
            ::causeway::log::write(::causeway::log::Level::level_name, event, {__VA_ARGS__}); \
        }                                                                                     \
    } while (false)
