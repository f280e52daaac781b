// Text for people; see text.h.
#include "tools/ctl/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/nowide/utf/utf.hpp>
#include <chrono>
#include <clocale>
#include <cwchar>
#include <utility>

#include "gateway/base/clock.h"

namespace causeway::ctl {

namespace {

namespace utf = boost::nowide::utf;

bool harmful(utf::code_point point) {
    const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    const bool turns = point == 0x061c || point == 0x200e || point == 0x200f ||
                       (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    const bool breaks_line = point == 0x2028 || point == 0x2029;
    return control || turns || breaks_line;
}

int width_of(utf::code_point point) {
    // wcwidth answers by the locale: without one that knows Unicode, every character counts as one.
    static const bool known = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
    return known ? std::max(0, ::wcwidth(static_cast<wchar_t>(point))) : 1;
}

struct Unit {
    std::int64_t seconds;
    const char* name;
};
constexpr std::array<Unit, 4> units{{{86'400, "d"}, {3'600, "h"}, {60, "min"}, {1, "s"}}};

std::string padding(std::string_view text, std::size_t width) {
    const std::size_t taken = columns(text);
    return std::string(width > taken ? width - taken : 0, ' ');
}

}  // namespace

std::string age(std::int64_t milliseconds) {
    std::int64_t rest = std::max<std::int64_t>(0, milliseconds) / 1000;
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (rest < units[i].seconds) {
            continue;
        }
        std::string text = fmt::format("{} {}", rest / units[i].seconds, units[i].name);
        rest %= units[i].seconds;
        // Seconds beside minutes, minutes beside days would only be noise.
        if (i < 2 && rest >= units[i + 1].seconds) {
            text += fmt::format(" {} {}", rest / units[i + 1].seconds, units[i + 1].name);
        }
        return text;
    }
    return "0 s";
}

std::string size(std::uint64_t bytes) {
    constexpr std::array names{"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        return fmt::format("{} B", bytes);
    }
    double value = static_cast<double>(bytes) / 1000;
    std::size_t name = 0;
    while (value >= 999.5 && name + 1 < names.size()) {
        value /= 1000;
        ++name;
    }
    return value < 9.95 ? fmt::format("{:.1f} {}", value, names[name])
                        : fmt::format("{:.0f} {}", value, names[name]);
}

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3; at -= 3) {
        text.insert(at - 3, 1, ',');
    }
    return text;
}

std::string clock(std::int64_t unix_milliseconds) {
    const std::string thousandths = std::to_string(1000 + unix_milliseconds % 1000);
    return format_date_time(unix_milliseconds).substr(11, 8) + "." + thousandths.substr(1);
}

std::string date(std::int64_t unix_milliseconds) {
    const std::string text = format_date_time(unix_milliseconds);
    return text.substr(0, 10) + " " + text.substr(11, 5) + " UTC";
}

std::string harmless(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        const char* const start = at;
        const utf::code_point point = utf::utf_traits<char>::decode(at, end);
        if (point == utf::illegal || point == utf::incomplete) {
            out += '?';
            at = start + 1;
        } else if (harmful(point)) {
            out += '?';
        } else {
            out.append(start, at);
        }
    }
    return out;
}

std::size_t columns(std::string_view text) {
    std::size_t total = 0;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        const utf::code_point point = utf::utf_traits<char>::decode(at, end);
        if (point == utf::illegal || point == utf::incomplete) {
            break;
        }
        total += static_cast<std::size_t>(width_of(point));
    }
    return total;
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
    for (std::string& cell : cells) {
        cell = harmless(cell);
    }
    rows_.push_back(std::move(cells));
}

std::string Table::render() const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = columns(columns_[i].title);
        for (const auto& row : rows_) {
            width = std::max(width, columns(row[i]));
        }
        widths.push_back(width);
    }
    std::string out;
    const auto line = [&](const auto& cell_of) {
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::string& cell = cell_of(i);
            const std::string space = padding(cell, widths[i]);
            out += columns_[i].right ? space + cell : cell + space;
            out += "  ";
        }
        out.erase(out.find_last_not_of(' ') + 1);
        out += '\n';
    };
    line([this](std::size_t i) -> const std::string& { return columns_[i].title; });
    for (const auto& row : rows_) {
        line([&row](std::size_t i) -> const std::string& { return row[i]; });
    }
    return out;
}

void Sheet::add(std::string name, std::string_view value) {
    lines_.emplace_back(std::move(name), harmless(value));
}

std::string Sheet::render() const {
    std::size_t width = 0;
    for (const auto& [name, value] : lines_) {
        width = std::max(width, name.empty() ? 0 : columns(name) + 1);
    }
    std::string out;
    for (const auto& [name, value] : lines_) {
        const std::string title = name.empty() ? name : name + ":";
        out += title;
        out += padding(title, width);
        out += "  ";
        out += value;
        out += '\n';
    }
    return out;
}

}  // namespace causeway::ctl
