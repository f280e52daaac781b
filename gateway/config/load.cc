#include "gateway/config/load.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>
#include <tuple>

#include "gateway/base/encoding.h"
#include "gateway/base/escape.h"
#include "gateway/config/endpoint.h"
#include "gateway/config/key_depth.h"
#include "gateway/config/options.h"

namespace causeway {
namespace {

/// A configuration is written by hand; more than this is another kind of file.
constexpr std::size_t largest_file = 1024 * 1024;
/// Problems past these are counted, not told.
constexpr std::size_t most_problems = 50;

using Position = toml::source_position;

struct Problem {
    Position at;
    std::string text;
};

std::string_view type_of(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::none: return "nothing";
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "a list";
        case toml::node_type::string: return "a string";
        case toml::node_type::integer: return "an integer";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::boolean: return "a boolean";
        case toml::node_type::date: return "a date";
        case toml::node_type::time: return "a time";
        case toml::node_type::date_time: return "a date with a time";
    }
    return "unknown";
}

/// `text` in quotes for a message: cut to a length that fits a line, at a character's start.
std::string shown(std::string_view text) {
    constexpr std::size_t longest = 80;
    const std::string_view beginning = cut_text(text, longest);
    return toml_quote(beginning) + (beginning.size() < text.size() ? "..." : "");
}

std::string expected(const Option& option) {
    std::string text = "expected " + describe_form(option);
    if (!option.example.empty()) text += fmt::format(", such as {}", option.example);
    return text;
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Walks a TOML table and the option table together; collects problems instead of stopping.
class Reader {
public:
    Reader(const std::string& path, const DomainCheck& check) : check_(check) {
        config_.path = path;
    }

    Result<Config> read(const toml::table& root) {
        for (const auto& [key, node] : root) read_section(key, node);
        if (config_.domains.empty() && !domain_seen_) {
            report({1, 1},
                   "no domain; expected at least a table [[domain]] with name = \"example.org\"");
        }
        fill_lists();
        check_pairs();
        resolve_paths();
        if (problems_.empty()) return std::move(config_);
        return Outcome::malformed(told());
    }

    void report(Position at, std::string text) { problems_.push_back({at, std::move(text)}); }

    [[nodiscard]] std::string told() {
        std::ranges::stable_sort(problems_, [](const Problem& a, const Problem& b) {
            return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
        });
        std::string text;
        for (std::size_t i = 0; i < std::min(problems_.size(), most_problems); ++i) {
            const auto& [at, what] = problems_[i];
            if (i > 0) text += '\n';
            text += fmt::format("{}:{}:{}: {}", config_.path, at.line, at.column, what);
        }
        if (problems_.size() > most_problems) {
            text +=
                fmt::format("\n{}: and {} more", config_.path, problems_.size() - most_problems);
        }
        return text;
    }

private:
    void unknown(const toml::key& key, const std::string& dotted) {
        report(key.source().begin, fmt::format("unknown key {}; the nearest known one is \"{}\"",
                                               shown(dotted), nearest_option(dotted)));
    }

    void read_section(const toml::key& key, const toml::node& node) {
        const std::string_view name = key.str();
        if (name == "domain") return read_domains(key, node);
        if (section_doc(name).empty()) return unknown(key, std::string(name));
        const toml::table* const table = node.as_table();
        if (table == nullptr) {
            return report(
                key.source().begin,
                fmt::format("{} is {}; expected a table, written [{}]", name,
                            node.is_array_of_tables() ? "a list of tables" : type_of(node), name));
        }
        read_table(name, *table, {config_});
    }

    void read_domains(const toml::key& key, const toml::node& node) {
        domain_seen_ = true;
        if (!node.is_array_of_tables()) {
            return report(key.source().begin,
                          fmt::format("domain is {}; expected a list of tables, each written "
                                      "[[domain]]",
                                      type_of(node)));
        }
        for (const toml::node& item : *node.as_array()) {
            DomainConfig domain;
            const std::size_t problems_before = problems_.size();
            const toml::table& table = *item.as_table();
            read_table("domain", table, {config_, &domain});
            if (!table.contains("name")) {
                report(item.source().begin,
                       "[[domain]] without a name; expected name = \"example.org\" in it");
            } else if (problems_.size() == problems_before) {
                prepare_domain(table.get("name")->source().begin, domain);
            }
            config_.domains.push_back(std::move(domain));
        }
    }

    void prepare_domain(Position at, DomainConfig& domain) {
        auto name = check_(domain.name);
        if (!name) {
            return report(at, fmt::format("domain.name: {} {}; expected a domain name such as "
                                          "\"example.org\"",
                                          shown(domain.name), name.error().why()));
        }
        domain.name = std::move(*name);
        if (std::ranges::find(config_.domains, domain.name, &DomainConfig::name) !=
            config_.domains.end()) {
            report(at, fmt::format("domain.name: {} stands here twice; expected one [[domain]] for "
                                   "each domain",
                                   shown(domain.name)));
        }
    }

    void read_table(std::string_view section, const toml::table& table, OptionTarget target) {
        for (const auto& [key, node] : table) {
            const std::string dotted = fmt::format("{}.{}", section, key.str());
            const Option* const option = find_option(dotted);
            const toml::table* const inner = node.as_table();
            if (option == nullptr && inner != nullptr && !section_doc(key.str()).empty() &&
                target.domain != nullptr) {
                read_table(dotted, *inner, target);
            } else if (option == nullptr) {
                unknown(key, dotted);
            } else {
                if (!option->of_domain()) seen_.emplace(option->key, node.source().begin);
                read_option(*option, node, target);
            }
        }
    }

    void read_option(const Option& option, const toml::node& node, OptionTarget target) {
        switch (option.kind) {
            case Option::Kind::integer:
                if (const auto* const integer = node.as_integer()) {
                    return read_integer(option, node.source().begin, integer->get(), target);
                }
                break;
            case Option::Kind::text:
                if (const auto* const text = node.as_string()) {
                    return read_text(option, node.source().begin, text->get(), target);
                }
                break;
            case Option::Kind::boolean:
                if (const auto* const boolean = node.as_boolean()) {
                    if (const auto refusal = option.set(target, boolean->get())) {
                        refuse(option, node.source().begin, {}, *refusal);
                    }
                    return;
                }
                break;
            case Option::Kind::list:
                if (const auto* const list = node.as_array())
                    return read_list(option, *list, target);
                break;
        }
        report(node.source().begin,
               fmt::format("{} is {}; {}", option.key, type_of(node), expected(option)));
    }

    void read_integer(const Option& option, Position at, std::int64_t value, OptionTarget target) {
        if (value < option.minimum || value > option.maximum) {
            return report(at, fmt::format("{} is {}; {}", option.key, value, expected(option)));
        }
        if (const auto refusal = option.set(target, value)) refuse(option, at, {}, *refusal);
    }

    void read_text(const Option& option, Position at, const std::string& text,
                   OptionTarget target) {
        const auto refusal = has_control(text) ? OptionRefusal{"contains a control character"}
                                               : option.set(target, text);
        if (refusal) refuse(option, at, text, *refusal);
    }

    void read_list(const Option& option, const toml::array& list, OptionTarget target) {
        std::vector<std::string> items;
        for (const toml::node& item : list) {
            const auto* const text = item.as_string();
            if (text == nullptr) {
                return report(item.source().begin,
                              fmt::format("{}: {} stands in the list; {}", option.key,
                                          type_of(item), expected(option)));
            }
            items.push_back(text->get());
        }
        if (const auto refusal = option.set(target, items)) {
            refuse(option, list.get(refusal->item)->source().begin, items[refusal->item], *refusal);
        }
    }

    void refuse(const Option& option, Position at, std::string_view value,
                const OptionRefusal& refusal) {
        report(at, fmt::format("{}: {} {}; {}", option.key, shown(value), refusal.why,
                               expected(option)));
    }

    /// A section that names one of its two lists means only what it names: a second process on
    /// another address must not end up at the standard port of every address.
    void fill_lists() {
        const auto only = [&](std::string_view one, std::string_view other) {
            return seen_.contains(one) && !seen_.contains(other);
        };
        if (only("c2s.listen", "c2s.listen_tls")) config_.c2s.listen_tls.clear();
        if (only("c2s.listen_tls", "c2s.listen")) config_.c2s.listen.clear();
        if (only("s2s.listen", "s2s.listen_tls")) config_.s2s.listen_tls.clear();
        if (only("s2s.listen_tls", "s2s.listen")) config_.s2s.listen.clear();
        std::map<Config::Endpoint, std::string_view> taken;
        claim(taken, "c2s.listen", config_.c2s.listen);
        claim(taken, "c2s.listen_tls", config_.c2s.listen_tls);
        claim(taken, "s2s.listen", config_.s2s.listen);
        claim(taken, "s2s.listen_tls", config_.s2s.listen_tls);
        claim(taken, "http.listen_tls", config_.http.listen_tls);
        claim(taken, "http.listen", config_.http.listen);
        if (config_.metrics.listen) claim(taken, "metrics.listen", {*config_.metrics.listen});
    }

    /// Listeners share ports between threads (SO_REUSEPORT), so the system would not object to two
    /// services at one endpoint; each connection would reach one of them by chance.
    void claim(std::map<Config::Endpoint, std::string_view>& taken, std::string_view key,
               const Config::Endpoints& endpoints) {
        for (const auto& endpoint : endpoints) {
            const auto [at, added] = taken.emplace(endpoint, key);
            if (added) continue;
            report(position(key, at->second),
                   fmt::format("{}: \"{}\" is also in {}; expected an endpoint of its own", key,
                               to_text(endpoint), at->second));
        }
    }

    void check_pairs() {
        const Limits& limits = config_.limits;
        not_above("limits.client_queue_soft_bytes", limits.client_queue_soft_bytes,
                  "limits.client_queue_hard_bytes", limits.client_queue_hard_bytes);
        not_above("limits.server_queue_soft_bytes", limits.server_queue_soft_bytes,
                  "limits.server_queue_hard_bytes", limits.server_queue_hard_bytes);
        not_above("limits.unacked_bytes", limits.unacked_bytes, "limits.client_queue_hard_bytes",
                  limits.client_queue_hard_bytes);
        not_above("limits.stanza_bytes_client", limits.stanza_bytes_client,
                  "limits.client_queue_hard_bytes", limits.client_queue_hard_bytes);
        not_above("limits.stanza_bytes_server", limits.stanza_bytes_server,
                  "limits.server_queue_hard_bytes", limits.server_queue_hard_bytes);
        not_above("limits.unauthenticated_connections_per_prefix",
                  limits.unauthenticated_connections_per_prefix,
                  "limits.unauthenticated_connections", limits.unauthenticated_connections);
        not_above("limits.connect_seconds", limits.connect_seconds.count(),
                  "limits.link_connect_seconds", limits.link_connect_seconds.count());
        not_above("limits.remote_retry_min_seconds", limits.remote_retry_min_seconds.count(),
                  "limits.remote_retry_max_seconds", limits.remote_retry_max_seconds.count());
    }

    template <class T>
    void not_above(std::string_view low_key, T low, std::string_view high_key, T high) {
        if (low <= high) return;
        report(position(low_key, high_key),
               fmt::format("{} is {}, above {}, which is {}; expected at most as much", low_key,
                           low, high_key, high));
    }

    /// Where the first of the two keys that the file has stands.
    [[nodiscard]] Position position(std::string_view key, std::string_view other) const {
        for (const auto name : {key, other}) {
            const auto found = seen_.find(name);
            if (found != seen_.end()) return found->second;
        }
        return {1, 1};
    }

    void resolve_paths() {
        const auto directory = std::filesystem::path(config_.path).parent_path();
        const auto resolve = [&](std::string& path) { path = (directory / path).string(); };
        for (DomainConfig& domain : config_.domains) {
            if (domain.certificate.empty()) domain.certificate = "tls/" + domain.name + ".crt";
            if (domain.key.empty()) domain.key = "tls/" + domain.name + ".key";
            resolve(domain.certificate);
            resolve(domain.key);
        }
        if (!config_.tls.trust.empty()) resolve(config_.tls.trust);
        resolve(config_.store.location);
        resolve(config_.control.socket);
        // sockaddr_un has 108 bytes with the final zero.
        constexpr std::size_t longest_socket = 107;
        if (config_.control.socket.size() > longest_socket) {
            report(position("control.socket", {}),
                   fmt::format("control.socket: {} is {} bytes long; expected a path of at most {}",
                               shown(config_.control.socket), config_.control.socket.size(),
                               longest_socket));
        }
    }

    Config config_;
    const DomainCheck& check_;
    bool domain_seen_ = false;
    std::map<std::string_view, Position> seen_;  ///< options the file has, and where
    std::vector<Problem> problems_;
};

/// Line and column (in characters, as TOML's own positions) of an offset.
Position place_of(std::string_view text, std::size_t offset) {
    Position at{1, 1};
    for (const char c : text.substr(0, offset)) {
        if (c == '\n') {
            ++at.line;
            at.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) {
            ++at.column;
        }
    }
    return at;
}

Result<std::string> read_file(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    const auto failed = [&](std::string_view why) {
        return fmt::format("{}: {}; expected a configuration file", path, why);
    };
    if (status.type() == std::filesystem::file_type::not_found) {
        return Outcome::absent(failed("no such file"));
    }
    if (std::filesystem::is_directory(status)) return Outcome::refused(failed("is a directory"));
    // A reload opens it as well, and may wait for nobody.
    if (std::filesystem::is_fifo(status) || std::filesystem::is_socket(status)) {
        return Outcome::refused(failed("is a pipe or a socket"));
    }
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return Outcome::refused(failed(std::generic_category().message(errno)));
    std::string text(largest_file + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return Outcome::refused(failed("cannot be read"));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

}  // namespace

Result<std::string> check_domain_plainly(std::string_view name) {
    constexpr std::size_t longest = 1023;
    if (name.empty()) return Outcome::malformed("is empty");
    if (name.size() > longest) return Outcome::malformed("is longer than 1023 bytes");
    const auto forbidden = [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
               std::string_view("\"'/\\@:<>&").find(c) != std::string_view::npos;
    };
    if (std::ranges::any_of(name, forbidden)) {
        return Outcome::malformed("has a character that no domain name has");
    }
    std::string lower = ascii_lower(name);
    if (lower.ends_with('.')) lower.pop_back();
    if (lower.empty() || lower.starts_with('.') || lower.find("..") != std::string::npos) {
        return Outcome::malformed("has an empty label");
    }
    return lower;
}

Result<Config> parse_config(std::string_view text, const std::string& path,
                            const DomainCheck& check) {
    Reader reader(path, check);
    if (text.size() > largest_file) {
        return Outcome::malformed(fmt::format(
            "{}:1:1: larger than {} bytes; expected a configuration file", path, largest_file));
    }
    if (const auto deep = find_deep_key(text)) {
        reader.report(place_of(text, *deep),
                      fmt::format("a key with more than {} parts; expected at "
                                  "most section and key, such as c2s.listen",
                                  most_key_parts));
        return Outcome::malformed(reader.told());
    }
    try {
        return reader.read(toml::parse(text, path));
    } catch (const toml::parse_error& error) {
        // It quotes what it met, which may be any character.
        std::string description;
        append_escaped(description, error.description(), Escape::plain);
        reader.report(error.source().begin,
                      fmt::format("not TOML: {}; expected the syntax of TOML 1.0", description));
        return Outcome::malformed(reader.told());
    }
}

Result<Config> load_config(const std::string& path, const DomainCheck& check) {
    const auto text = read_file(path);
    if (!text) return text.error();
    return parse_config(*text, path, check);
}

}  // namespace causeway
