// Text for people: ages, sizes and tables. Whatever came from others is made harmless to a
// terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::ctl {

/// "4 s", "12 min", "3 h 20 min", "5 d 2 h": the two largest units that say something.
std::string age(std::int64_t milliseconds);

/// "512 B", "1.4 kB", "23 MB": powers of 1000, three digits at most.
std::string size(std::uint64_t bytes);

/// "12,345"
std::string grouped(std::uint64_t number);

/// 12:00:07.250, in UTC
std::string clock(std::int64_t unix_milliseconds);

/// 2026-01-31 12:00 UTC
std::string date(std::int64_t unix_milliseconds);

/// Control characters, those that turn the direction of writing, and bytes that are not UTF-8
/// become '?': nothing in a list may move the cursor or pose as another line.
std::string harmless(std::string_view text);

/// Columns that `text`, which is harmless, takes on a terminal.
std::size_t columns(std::string_view text);

/// Rows under headings, each column as wide as its widest cell.
class Table {
public:
    struct Column {
        std::string title;
        bool right = false;  ///< numbers stand at the right
    };
    explicit Table(std::vector<Column> columns);
    /// As many cells as there are columns; made harmless here.
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// Lines with their ends; nothing stands behind the last cell of a line.
    [[nodiscard]] std::string render() const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// "name:  value" lines with the values under each other.
class Sheet {
public:
    void add(std::string name, std::string_view value);
    [[nodiscard]] std::string render() const;

private:
    std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace causeway::ctl
