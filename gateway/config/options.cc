#include "gateway/config/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/config/endpoint.h"
#include "gateway/config/feature_option.h"

namespace causeway {
namespace {

using Refusal = std::optional<OptionRefusal>;
using Kind = Option::Kind;

/// What every row says about itself, whatever its type.
struct About {
    std::string_view key;
    Reload reload = Reload::restart;
    std::string_view example, fallback, doc;
};

Option row(const About& about, Kind kind, std::string_view form) {
    Option option;
    option.key = about.key;
    option.kind = kind;
    option.reload = about.reload;
    option.form = form;
    option.example = about.example;
    option.fallback = about.fallback;
    option.doc = about.doc;
    return option;
}

/// `of` gives the member, of a const Config or of one that is being filled.
template <class Member>
Option endpoints(const About& about, Member of, std::uint16_t default_port = 0,
                 bool loopback_only = false) {
    Option option =
        row(about, Kind::list,
            loopback_only ? "a list of endpoints at loopback addresses" : "a list of endpoints");
    option.set = [=](OptionTarget target, const OptionValue& value) -> Refusal {
        constexpr std::size_t most = 64;
        Config::Endpoints parsed;
        const auto& items = std::get<std::vector<std::string>>(value);
        for (std::size_t i = 0; i < items.size(); ++i) {
            const auto endpoint = parse_endpoint(items[i], default_port);
            if (!endpoint) return OptionRefusal{endpoint.error().why(), i};
            if (loopback_only && !endpoint->address().is_loopback()) {
                return OptionRefusal{"is not a loopback address, and nothing encrypts here", i};
            }
            if (std::ranges::find(parsed, *endpoint) != parsed.end()) {
                return OptionRefusal{"stands in the list twice", i};
            }
            if (i >= most) return OptionRefusal{fmt::format("is past the {} allowed", most), i};
            parsed.push_back(*endpoint);
        }
        of(target.config) = std::move(parsed);
        return {};
    };
    option.get = [=](const Config& config, const DomainConfig*) {
        std::string text;
        for (const auto& endpoint : of(config)) {
            if (!text.empty()) text += ", ";
            text += toml_quote(to_text(endpoint));
        }
        return "[" + text + "]";
    };
    return option;
}

Refusal not_empty(const std::string& text) {
    return text.empty() ? Refusal{OptionRefusal{"is empty"}} : Refusal{};
}

template <class Member>
Option path(const About& about, Member of) {
    Option option = row(about, Kind::text, "a path");
    option.set = [=](OptionTarget target, const OptionValue& value) {
        const auto& text = std::get<std::string>(value);
        Refusal refusal = not_empty(text);
        if (!refusal) of(target.config) = text;
        return refusal;
    };
    option.get = [=](const Config& config, const DomainConfig*) { return toml_quote(of(config)); };
    return option;
}

Option of_domain(const About& about, std::string_view form, std::string DomainConfig::*member) {
    Option option = row(about, Kind::text, form);
    option.set = [=](OptionTarget target, const OptionValue& value) {
        const auto& text = std::get<std::string>(value);
        Refusal refusal = not_empty(text);
        if (!refusal) target.domain->*member = text;
        return refusal;
    };
    option.get = [=](const Config&, const DomainConfig* domain) {
        return toml_quote(domain == nullptr ? std::string_view{} : domain->*member);
    };
    return option;
}

/// One of a few words, each standing for a value.
template <class Member, class Value>
Option choice(const About& about, std::string_view form, Member of,
              std::initializer_list<std::pair<std::string_view, Value>> words) {
    Option option = row(about, Kind::text, form);
    const std::vector<std::pair<std::string_view, Value>> known(words);
    option.set = [=](OptionTarget target, const OptionValue& value) -> Refusal {
        for (const auto& [word, meaning] : known) {
            if (word != std::get<std::string>(value)) continue;
            of(target.config) = meaning;
            return {};
        }
        return OptionRefusal{"is none of the words known here"};
    };
    option.get = [=](const Config& config, const DomainConfig*) {
        for (const auto& [word, meaning] : known) {
            if (meaning == of(config)) return toml_quote(word);
        }
        return std::string("\"\"");
    };
    return option;
}

Option store_url() {
    constexpr std::string_view scheme = "sqlite:";
    Option option =
        row({.key = "store.url",
             .reload = Reload::restart,
             .example = R"("sqlite:/var/lib/causeway/causeway.db")",
             .fallback = {},
             .doc = "Where accounts, rosters and waiting messages are kept: sqlite: and "
                    "the path of the database, which is created when missing."},
            Kind::text, "sqlite: and a path");
    option.set = [=](OptionTarget target, const OptionValue& value) -> Refusal {
        const auto& url = std::get<std::string>(value);
        if (!url.starts_with(scheme)) return OptionRefusal{"does not begin with sqlite:"};
        if (url.size() == scheme.size()) return OptionRefusal{"has no path"};
        target.config.store.backend = "sqlite";
        target.config.store.location = url.substr(scheme.size());
        return {};
    };
    option.get = [](const Config& config, const DomainConfig*) {
        return toml_quote(config.store.backend + ":" + config.store.location);
    };
    return option;
}

Option peer_bind() {
    Option option = row({.key = "s2s.bind",
                         .reload = Reload::new_streams,
                         .example = R"("192.0.2.10")",
                         .fallback = "the system chooses",
                         .doc = "Source address of the connections made to other servers."},
                        Kind::text, "an address in numbers");
    option.set = [](OptionTarget target, const OptionValue& value) -> Refusal {
        const auto address = parse_address(std::get<std::string>(value));
        if (!address) return OptionRefusal{address.error().why()};
        target.config.s2s.bind = *address;
        return {};
    };
    option.get = [](const Config& config, const DomainConfig*) {
        return toml_quote(config.s2s.bind ? config.s2s.bind->to_string() : std::string());
    };
    return option;
}

Option metrics_listen() {
    Option option =
        row({.key = "metrics.listen",
             .reload = Reload::restart,
             .example = R"("127.0.0.1:9180")",
             .fallback = "off",
             .doc = "Where /metrics is answered (OpenMetrics) over plain HTTP; everybody "
                    "who can connect can read the numbers."},
            Kind::text, "an endpoint");
    option.set = [](OptionTarget target, const OptionValue& value) -> Refusal {
        const auto endpoint = parse_endpoint(std::get<std::string>(value));
        if (!endpoint) return OptionRefusal{endpoint.error().why()};
        target.config.metrics.listen = *endpoint;
        return {};
    };
    option.get = [](const Config& config, const DomainConfig*) {
        return toml_quote(config.metrics.listen ? to_text(*config.metrics.listen) : std::string());
    };
    return option;
}

Option server_threads() {
    Option option =
        row({.key = "server.threads",
             .reload = Reload::restart,
             .example = "2",
             .fallback = "0 (one per core)",
             .doc = "Threads that serve connections, each on its own; 0 is one per core."},
            Kind::integer, {});
    option.maximum = 64;
    option.set = [](OptionTarget target, const OptionValue& value) -> Refusal {
        target.config.server.threads = static_cast<unsigned>(std::get<std::int64_t>(value));
        return {};
    };
    option.get = [](const Config& config, const DomainConfig*) {
        return fmt::format("{}", config.server.threads);
    };
    return option;
}

void add_domain_options(std::vector<Option>& table) {
    table.push_back(of_domain({.key = "domain.name",
                               .reload = Reload::restart,
                               .example = R"("example.org")",
                               .fallback = "none, it has to be given",
                               .doc = "The domain in its addresses, as Unicode or in A-labels."},
                              "a domain name", &DomainConfig::name));
    table.push_back(of_domain(
        {.key = "domain.certificate",
         .reload = Reload::new_streams,
         .example = R"("tls/example.org.crt")",
         .fallback = "tls/NAME.crt beside the file",
         .doc =
             "Its certificate and the intermediate ones, in PEM, the domain's own first. A reload "
             "reads it again even when the path is the same."},
        "a path", &DomainConfig::certificate));
    table.push_back(
        of_domain({.key = "domain.key",
                   .reload = Reload::new_streams,
                   .example = R"("tls/example.org.key")",
                   .fallback = "tls/NAME.key beside the file",
                   .doc = "The private key of the certificate, in PEM, without a password."},
                  "a path", &DomainConfig::key));
    table.push_back(path(
        {.key = "tls.trust",
         .reload = Reload::new_streams,
         .example = R"("tls/ca.pem")",
         .fallback = "the system's store",
         .doc = "Authorities, in PEM, that may vouch for other servers."},
        [](auto& config) -> auto& { return config.tls.trust; }));
    table.push_back(store_url());
}

void add_stream_options(std::vector<Option>& table) {
    table.push_back(endpoints(
        {.key = "c2s.listen",
         .reload = Reload::restart,
         .example = R"(["192.0.2.10:5222", "[2001:db8::10]:5222"])",
         .fallback = R"(["5222"], or [] where c2s.listen_tls is given)",
         .doc = "Where clients connect and then start TLS, which is required."},
        [](auto& config) -> auto& { return config.c2s.listen; }));
    table.push_back(endpoints(
        {.key = "c2s.listen_tls",
         .reload = Reload::restart,
         .example = R"(["192.0.2.10:5223"])",
         .fallback = R"(["5223"], or [] where c2s.listen is given)",
         .doc = "Where clients connect with TLS from the first byte (XEP-0368)."},
        [](auto& config) -> auto& { return config.c2s.listen_tls; }));
    table.push_back(endpoints(
        {.key = "s2s.listen",
         .reload = Reload::restart,
         .example = R"(["192.0.2.10:5269"])",
         .fallback = R"(["5269"], or [] where s2s.listen_tls is given)",
         .doc = "Where other servers connect and then start TLS, which is "
                "required."},
        [](auto& config) -> auto& { return config.s2s.listen; }));
    table.push_back(endpoints(
        {.key = "s2s.listen_tls",
         .reload = Reload::restart,
         .example = R"(["192.0.2.10:5270"])",
         .fallback = R"(["5270"], or [] where s2s.listen is given)",
         .doc = "Where other servers connect with TLS from the first byte "
                "(XEP-0368)."},
        [](auto& config) -> auto& { return config.s2s.listen_tls; }));
    using Authentication = Config::PeerAuthentication;
    table.push_back(
        choice<>({.key = "s2s.authentication",
                  .reload = Reload::new_streams,
                  .example = R"("certificate")",
                  .fallback = {},
                  .doc = "How another server proves its domain: by a certificate that an authority "
                         "vouches for, "
                         "or else, where allowed, by server dialback over TLS (XEP-0220)."},
                 R"("certificate-or-dialback" or "certificate")",
                 [](auto& config) -> auto& { return config.s2s.authentication; },
                 {std::pair{std::string_view("certificate-or-dialback"),
                            Authentication::certificate_or_dialback},
                  std::pair{std::string_view("certificate"), Authentication::certificate}}));
    table.push_back(peer_bind());
}

void add_process_options(std::vector<Option>& table) {
    table.push_back(endpoints(
        {.key = "http.listen_tls",
         .reload = Reload::restart,
         .example = R"(["192.0.2.10:5281"])",
         .fallback = {},
         .doc = "HTTPS: /xmpp-websocket (RFC 7395) and "
                "/.well-known/host-meta (XEP-0156). Usually 5281, "
                "or 443 where nothing else has it."},
        [](auto& config) -> auto& { return config.http.listen_tls; }));
    table.push_back(endpoints(
        {.key = "http.listen",
         .reload = Reload::restart,
         .example = R"(["127.0.0.1:5280"])",
         .fallback = {},
         .doc =
             "The same without TLS, for a proxy on this machine that adds it. The last address in "
             "its X-Forwarded-For is taken for the client's."},
        [](auto& config) -> auto& { return config.http.listen; }, 0, true));
    table.push_back(metrics_listen());
    table.push_back(endpoints(
        {.key = "dns.servers",
         .reload = Reload::restart,
         .example = R"(["127.0.0.53:53"])",
         .fallback = "the system's resolver configuration",
         .doc = "Name servers to ask; the port may be left out when it is 53."},
        [](auto& config) -> auto& { return config.dns.servers; }, 53));
    table.push_back(path(
        {.key = "control.socket",
         .reload = Reload::restart,
         .example = R"("/run/causeway/causeway.sock")",
         .fallback = {},
         .doc = "The Unix socket that causewayctl speaks to; at most 107 bytes long."},
        [](auto& config) -> auto& { return config.control.socket; }));
    table.push_back(choice<>({.key = "log.level",
                              .reload = Reload::live,
                              .example = R"("debug")",
                              .fallback = {},
                              .doc = "The least important event that is written."},
                             R"("error", "warn", "info" or "debug")",
                             [](auto& config) -> auto& { return config.log.level; },
                             {std::pair{std::string_view("error"), log::Level::error},
                              std::pair{std::string_view("warn"), log::Level::warn},
                              std::pair{std::string_view("info"), log::Level::info},
                              std::pair{std::string_view("debug"), log::Level::debug}}));
    table.push_back(choice<>(
        {.key = "log.format",
         .reload = Reload::live,
         .example = R"("json")",
         .fallback = {},
         .doc = "One event a line: key=value pairs, or a JSON object."},
        R"("logfmt" or "json")", [](auto& config) -> auto& { return config.log.json; },
        {std::pair{std::string_view("logfmt"), false}, std::pair{std::string_view("json"), true}}));
}

std::vector<Option> build_table() {
    std::vector<Option> table;
    add_domain_options(table);
    add_stream_options(table);
    add_process_options(table);
    std::ranges::move(limit_options(), std::back_inserter(table));
    table.push_back(server_threads());
    std::ranges::move(feature_options(), std::back_inserter(table));
    return table;
}

struct Section {
    std::string_view name, doc;
};

constexpr std::array sections{
    Section{"domain",
            "A domain that the server serves. It is written [[domain]], once for each; at "
            "least one is needed, and its name is all that it needs."},
    Section{"tls", "How other servers' certificates are judged."},
    Section{"store", "Where everything that must survive a restart is kept."},
    Section{"c2s",
            "Clients' connections. Where only one of the two lists is given, the other is empty."},
    Section{"s2s",
            "Connections from and to other servers. Where only one of the two lists is given, the "
            "other is empty."},
    Section{"http", "WebSocket clients and discovery. Off unless a list is given."},
    Section{"metrics", "Numbers for a monitoring system."},
    Section{"dns", "How names of other servers are resolved."},
    Section{"control", "The administrator's socket."},
    Section{"log", "The log, which goes to standard error."},
    Section{"limits", "Bounds on everything that others can make grow; each is on by default."},
    Section{"server", "The process."},
};

}  // namespace

std::span<const Option> options() {
    static const std::vector<Option> table = build_table();
    return table;
}

const Option* find_option(std::string_view key) {
    const auto table = options();
    const auto found = std::ranges::find(table, key, &Option::key);
    return found == table.end() ? nullptr : &*found;
}

std::vector<std::string_view> option_sections() {
    std::vector<std::string_view> names;
    for (const Section& section : sections) names.push_back(section.name);
    for (const FeatureOption* own : declared_options()) {
        const std::string_view section = own->key.substr(0, own->key.find('.'));
        if (std::ranges::find(names, section) == names.end()) names.push_back(section);
    }
    return names;
}

std::string_view section_doc(std::string_view section) {
    const auto found = std::ranges::find(sections, section, &Section::name);
    if (found != sections.end()) return found->doc;
    for (const FeatureOption* own : declared_options()) {
        if (own->key.substr(0, own->key.find('.')) == section && !own->section_doc.empty()) {
            return own->section_doc;
        }
    }
    return {};
}

}  // namespace causeway
