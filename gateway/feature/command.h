// Command: a method of the control socket as data: its name, its parameters, what it does, how its
// answer looks to people, and the function that carries it out. The engine and each feature list
// theirs as constants. The control socket checks requests against them, `help` tells them, and
// causewayctl learns its verbs and its tables from `help`.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace causeway::control {

struct CommandRequest;  // gateway/control/command.h

/// What a parameter may be, and how causewayctl takes it.
enum class ParamType : unsigned char {
    string,    ///< not empty
    integer,   ///< 0 to Param::at_most
    password,  ///< a string that causewayctl asks for: it never stands on a command line
    path,      ///< of a file, absolute; causewayctl takes one that goes from its own folder
    flag,      ///< true or false; causewayctl takes it as "--name", without a value
    accounts,  ///< an array of [jid, password], 1 to Param::at_most of them; for programs only
};

/// A parameter of a command.
struct Param {
    std::string_view name;
    ParamType type = ParamType::string;
    bool required = true;
    std::string_view doc;
    std::uint64_t at_most = std::numeric_limits<std::uint32_t>::max();  ///< bytes, or the number
    /// causewayctl takes it as "--name VALUE", not by its place.
    bool option = false;
};

/// One column of a table, or one line of a sheet.
///
/// `text` is a template over the members of a row or a result. "{state}" is the member,
/// "{tls.cipher}" a member of a member, "{}" the whole of an element that is no object.
/// "{since:ago}" is written in a form: number, count (grouped), bytes, ago, ahead, date, expiry,
/// list. "{disabled?yes|no}" are words for a flag, "{queue!empty}" words for what is not there. "[
/// for {since:ago}]" is left out where something in it is missing. ";" separates parts that are
/// joined by commas; one in which something is missing is left out, and where none is left stands
/// "-".
struct Field {
    std::string_view title;  ///< a heading; in a sheet also a template
    std::string_view text;
    /// In a sheet: the line stands once for each element of that array. Neighbours of the same
    /// array stand together for each element.
    std::string_view each = {};
    std::string_view when = {};  ///< in a sheet: only if that member is there, and not zero
};

/// How people see an answer: a table of the rows, a sheet of `fields`, or a sentence.
struct View {
    std::span<const Field> fields = {};
    std::string_view sentence = {};  ///< a template; what a change without fields did
    std::string_view rows = {};      ///< the member of the result that holds the rows of a table
    std::string_view empty = {};     ///< said instead of a table without rows
    /// The member that says what is wrong: causewayctl ends with status 1 unless it is empty.
    std::string_view fault = {};
    /// Rows are shown as they come, each as `sentence`, until the user has seen enough.
    bool live = false;
};

struct Command {
    std::string_view name;  ///< "user.add"; people type "user add"
    std::span<const Param> params = {};
    std::string_view doc;
    bool mutates = false;  ///< changes something: logged with who asked
    bool streams = false;  ///< sends "rows" notifications before its answer
    /// On the control thread, with params that passed the shape. Answers once, now or later.
    void (*run)(const CommandRequest& request) = nullptr;
    View view = {};
};

}  // namespace causeway::control
