#include "gateway/sasl/scram_message.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/xmpp/unicode.h"

namespace causeway::scram {
namespace {

constexpr std::size_t max_nonce = 1024;
constexpr std::size_t max_salt = 1024;
constexpr std::size_t max_binding_name = 64;

/// Attributes that have a place of their own and so cannot be extensions (RFC 5802 §5.1).
constexpr std::string_view defined_attributes = "anmrcsipve";

SaslFailure malformed(std::string why) {
    return {sasl_condition::malformed_request, std::move(why)};
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Length, encoding and NUL, which no part of any message may have.
std::optional<SaslFailure> check_text(std::string_view message) {
    if (message.size() > max_message) return malformed("the message is too long");
    if (message.find('\0') != std::string_view::npos || !unicode::decode(message)) {
        return malformed("the message is not UTF-8 without NUL");
    }
    return std::nullopt;
}

/// Reads a message's comma-separated parts from the left.
class Reader {
public:
    explicit Reader(std::string_view message) : rest_(message) {}

    [[nodiscard]] bool at_end() const { return ended_; }
    [[nodiscard]] std::string_view rest() const { return rest_; }

    /// The next part, without its comma. Only when not at_end(); may be empty.
    std::string_view take() {
        const std::size_t comma = rest_.find(',');
        const std::string_view part = rest_.substr(0, comma);
        ended_ = comma == std::string_view::npos;
        rest_.remove_prefix(ended_ ? rest_.size() : comma + 1);
        return part;
    }

    /// The value of the next part, taken only if it is the attribute `name` with some value.
    std::optional<std::string_view> attribute(char name) {
        if (ended_ || rest_.size() < 3 || rest_[0] != name || rest_[1] != '=' || rest_[2] == ',') {
            return std::nullopt;
        }
        return take().substr(2);
    }

private:
    std::string_view rest_;
    bool ended_ = false;
};

/// An optional attribute we do not know: allowed and ignored, unless it is none (RFC 5802 §5.1).
std::optional<SaslFailure> check_extension(std::string_view part) {
    if (part.size() < 3 || !is_letter(part[0]) || part[1] != '=') {
        return malformed("an attribute is malformed");
    }
    if (part[0] == 'm') return malformed("extensions-not-supported");
    if (defined_attributes.find(part[0]) != std::string_view::npos) {
        return malformed("an attribute stands in the wrong place");
    }
    return std::nullopt;
}

std::optional<SaslFailure> check_extensions(Reader& reader) {
    while (!reader.at_end()) {
        if (auto failure = check_extension(reader.take())) return failure;
    }
    return std::nullopt;
}

/// saslname to text; nothing when an '=' is no escape (RFC 5802 §5.1, attribute n).
std::optional<std::string> unescape_name(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '=') {
            out += name[i];
            continue;
        }
        const std::string_view escape = name.substr(i, 3);
        if (escape == "=2C") {
            out += ',';
        } else if (escape == "=3D") {
            out += '=';
        } else {
            return std::nullopt;
        }
        i += 2;
    }
    return out;
}

bool is_binding_name(std::string_view name) {
    return !name.empty() && name.size() <= max_binding_name &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-'; });
}

/// gs2-header, up to and with its second comma.
std::optional<SaslFailure> read_gs2_header(Reader& reader, ClientFirst& out) {
    const std::string_view flag = reader.take();
    if (flag == "n") {
        out.flag = BindingFlag::unsupported;
    } else if (flag == "y") {
        out.flag = BindingFlag::not_offered;
    } else if (flag.starts_with("p=") && is_binding_name(flag.substr(2))) {
        out.flag = BindingFlag::used;
        out.binding_name = flag.substr(2);
    } else {
        return malformed("the channel binding flag is malformed");
    }
    if (reader.at_end()) return malformed("the message is cut short");
    if (const auto value = reader.attribute('a')) {
        auto authzid = unescape_name(*value);
        if (!authzid) return malformed("the authorization identity is malformed");
        out.authzid = std::move(*authzid);
    } else if (!reader.take().empty()) {
        return malformed("the authorization identity is malformed");
    }
    if (reader.at_end()) return malformed("the message is cut short");
    return std::nullopt;
}

}  // namespace

SaslResult<ClientFirst> parse_client_first(std::string_view message) {
    if (auto failure = check_text(message)) return *failure;
    ClientFirst out;
    Reader reader(message);
    if (auto failure = read_gs2_header(reader, out)) return *failure;
    out.bare = reader.rest();
    out.gs2_header = message.substr(0, message.size() - out.bare.size());

    if (out.bare.starts_with("m=")) return malformed("extensions-not-supported");
    const auto name = reader.attribute('n');
    if (!name) return malformed("the user name is missing");
    auto username = unescape_name(*name);
    if (!username) return malformed("invalid-username-encoding");
    out.username = std::move(*username);
    const auto nonce = reader.attribute('r');
    if (!nonce || !is_nonce(*nonce)) return malformed("the nonce is missing or malformed");
    out.nonce = *nonce;
    if (auto failure = check_extensions(reader)) return *failure;
    return out;
}

SaslResult<ServerFirst> parse_server_first(std::string_view message) {
    if (auto failure = check_text(message)) return *failure;
    Reader reader(message);
    if (message.starts_with("m=")) return malformed("extensions-not-supported");
    ServerFirst out;
    const auto nonce = reader.attribute('r');
    if (!nonce || !is_nonce(*nonce)) return malformed("the nonce is missing or malformed");
    out.nonce = *nonce;
    const auto salt_text = reader.attribute('s');
    auto salt = salt_text ? base64_decode(*salt_text) : std::nullopt;
    if (!salt || salt->empty() || salt->size() > max_salt) {
        return malformed("the salt is missing or malformed");
    }
    out.salt = std::move(*salt);
    const auto count = reader.attribute('i');
    // posit-number: no sign, no leading zero.
    if (!count || !is_digit((*count)[0]) || (*count)[0] == '0') {
        return malformed("the iteration count is missing or malformed");
    }
    const char* const stop = count->data() + count->size();
    const auto [end, error] = std::from_chars(count->data(), stop, out.iterations);
    if (error != std::errc{} || end != stop) {
        return malformed("the iteration count is missing or malformed");
    }
    if (auto failure = check_extensions(reader)) return *failure;
    return out;
}

SaslResult<ClientFinal> parse_client_final(std::string_view message) {
    if (auto failure = check_text(message)) return *failure;
    Reader reader(message);
    ClientFinal out;
    if (message.starts_with("m=")) return malformed("extensions-not-supported");
    const auto binding_text = reader.attribute('c');
    auto binding = binding_text ? base64_decode(*binding_text) : std::nullopt;
    if (!binding) return malformed("the channel binding is missing or malformed");
    out.channel_binding = std::move(*binding);
    const auto nonce = reader.attribute('r');
    if (!nonce || !is_nonce(*nonce)) return malformed("the nonce is missing or malformed");
    out.nonce = *nonce;

    // The proof is the last attribute; what stands between are extensions.
    while (!reader.at_end()) {
        const std::string_view before = message.substr(0, message.size() - reader.rest().size());
        const std::string_view part = reader.take();
        if (!part.starts_with("p=")) {
            if (auto failure = check_extension(part)) return *failure;
            continue;
        }
        auto proof = base64_decode(part.substr(2));
        if (!proof || proof->empty() || !reader.at_end()) break;
        out.proof = std::move(*proof);
        out.without_proof = before.substr(0, before.size() - 1);
        return out;
    }
    return malformed("the proof is missing, malformed or not the last attribute");
}

SaslResult<std::string> parse_server_final(std::string_view message) {
    if (auto failure = check_text(message)) return *failure;
    Reader reader(message);
    if (message.starts_with("m=")) return malformed("extensions-not-supported");
    if (const auto error = reader.attribute('e')) {
        return SaslFailure{sasl_condition::not_authorized, std::string(*error)};
    }
    const auto text = reader.attribute('v');
    auto signature = text ? base64_decode(*text) : std::nullopt;
    if (!signature || signature->empty()) {
        return malformed("the server's signature is missing or malformed");
    }
    if (auto failure = check_extensions(reader)) return *failure;
    return std::move(*signature);
}

std::string escape_name(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    for (const char c : name) {
        if (c == ',') {
            out += "=2C";
        } else if (c == '=') {
            out += "=3D";
        } else {
            out += c;
        }
    }
    return out;
}

bool is_nonce(std::string_view text) {
    return !text.empty() && text.size() <= max_nonce &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

std::string exclusive_or(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return {};
    std::string out(a);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
    return out;
}

}  // namespace causeway::scram
