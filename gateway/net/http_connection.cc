#include "gateway/net/http_connection.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <ctime>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/config/endpoint.h"
#include "gateway/net/http_host.h"
#include "gateway/net/websocket.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using Fields = http::fields;

constexpr std::string_view host_meta_path = "/.well-known/host-meta";
constexpr std::string_view host_meta_json_path = "/.well-known/host-meta.json";
constexpr std::string_view slashed_websocket_path = "/xmpp-websocket/";
constexpr std::string_view websocket_relation = "urn:xmpp:alt-connections:websocket";
constexpr std::uint16_t https_port = 443;
constexpr std::string_view plain_text = "text/plain; charset=utf-8";

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }
boost::beast::string_view beast_view(std::string_view text) { return {text.data(), text.size()}; }

/// Whether a list header holds the token, in whatever case (RFC 9110 §5.6.1).
bool has_token(const Fields& fields, http::field name, std::string_view token) {
    const auto [first, last] = fields.equal_range(name);
    return std::any_of(first, last, [&](const Fields::value_type& field) {
        return http::token_list{field.value()}.exists(beast_view(token));
    });
}

/// Whom the proxy before us saw: the last address of the last X-Forwarded-For. What stands before
/// it is what others said, perhaps the client itself. Some proxies write a port behind it.
std::optional<Endpoint> forwarded_for(const Fields& fields) {
    const auto [first, last] = fields.equal_range("X-Forwarded-For");
    if (first == last) return std::nullopt;
    std::string_view text = view_of(std::prev(last)->value());
    text.remove_prefix(text.rfind(',') + 1);
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    text = text.substr(0, text.find_last_not_of(" \t") + 1);
    const auto client = parse_endpoint(text, https_port);
    return client ? std::optional(Endpoint(client->address(), 0)) : std::nullopt;
}

bool is_websocket_key(std::string_view key) {
    const auto bytes = base64_decode(key);
    return bytes.has_value() && bytes->size() == 16;
}

/// XEP-0156 §3, the XRD form.
std::string host_meta_xml(std::string_view url) {
    std::string out = "<?xml version='1.0' encoding='utf-8'?>\n<XRD";
    append_attribute(out, "xmlns", "http://docs.oasis-open.org/ns/xri/xrd-1.0");
    out += "><Link";
    append_attribute(out, "rel", websocket_relation);
    append_attribute(out, "href", url);
    return out + "/></XRD>\n";
}

/// XEP-0156 §3, the JSON form.
std::string host_meta_json(std::string_view url) {
    const boost::json::value document = {
        {"links", {{{"rel", beast_view(websocket_relation)}, {"href", beast_view(url)}}}}};
    return boost::json::serialize(document) + "\n";
}

std::string http_date(UnixMillis at) {
    return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                       fmt::gmtime(static_cast<std::time_t>(at / 1000)));
}

}  // namespace

/// A header section, as far as it has come.
struct HttpConnection::Request {
    Request() { parser.header_limit(header_limit); }
    http::request_parser<http::empty_body> parser;
    std::size_t parsed = 0;  ///< bytes that the parser has taken

    [[nodiscard]] const http::request<http::empty_body>& head() const { return parser.get(); }
    [[nodiscard]] std::string_view field(http::field name) const { return view_of(head()[name]); }
    [[nodiscard]] bool has_body() const {
        return parser.chunked() || parser.content_length().value_or(0) > 0;
    }
};

struct HttpConnection::Reply {
    http::status status = http::status::not_found;
    std::string body = "Not found.\n";
    std::string_view type = plain_text;
    std::vector<std::pair<http::field, std::string_view>> fields = {};
};

HttpConnection::HttpConnection(Shard& shard, std::unique_ptr<Channel> channel,
                               std::shared_ptr<const HttpSettings> settings, Upgraded upgraded,
                               Finished finished)
    : shard_(shard),
      channel_(std::move(channel)),
      settings_(std::move(settings)),
      upgraded_(std::move(upgraded)),
      finished_(std::move(finished)) {
    channel_->set_handler(this);
    shard_.timers().arm(deadline_, settings_->deadline, *this);
}

HttpConnection::~HttpConnection() {
    if (channel_ != nullptr) channel_->set_handler(nullptr);
}

void HttpConnection::on_bytes(std::string_view bytes) {
    if (closing_) return;
    input_ += bytes;
    while (!closing_ && !input_.empty() && handle_next()) {
    }
}

/// False when more input is needed, or none is wanted.
bool HttpConnection::handle_next() {
    if (request_ == nullptr) request_ = std::make_unique<Request>();
    // The parser's own limit is for what it has not taken yet; ours is for the whole section.
    const std::size_t room = header_limit - request_->parsed;
    const std::size_t offered = std::min(input_.size(), room);
    error_code error;
    const std::size_t taken =
        request_->parser.put(boost::asio::buffer(input_.data(), offered), error);
    input_.erase(0, taken);
    request_->parsed += taken;
    if (error == http::error::need_more) {
        if (offered < room) return false;
        error = http::error::header_limit;
    }
    if (error == http::error::header_limit) {
        return refuse(431, "The header section is longer than 8192 bytes.\n");
    }
    if (error == http::error::bad_version) return refuse(505, "HTTP 1.1 is spoken here.\n");
    if (error) return refuse(400, "That is no HTTP request.\n");
    // RFC 9112 §6.1: a body whose end is not known would be read as the next request.
    if (request_->head().count(http::field::transfer_encoding) != 0) {
        return refuse(request_->parser.chunked() ? 413 : 501, "No request here has a body.\n");
    }
    if (request_->has_body()) return refuse(413, "No request here has a body.\n");
    const Reply reply = route();
    if (reply.status != http::status::switching_protocols) {
        const bool last = ++requests_ >= request_limit || request_->head().version() < 11 ||
                          !request_->head().keep_alive();
        send(reply, last);
        request_.reset();
        return true;
    }
    // RFC 6455 §4.1: a client waits for the answer before it sends frames.
    if (!input_.empty()) return refuse(400, "Nothing may follow an upgrade before its answer.\n");
    upgrade();
    return false;
}

HttpConnection::Reply HttpConnection::route() const {
    const auto& head = request_->head();
    // A query is passed over, and so is a slash that somebody wrote behind the WebSocket's path.
    std::string_view target = view_of(head.target());
    target = target.substr(0, target.find('?'));
    if (target == slashed_websocket_path) target.remove_suffix(1);
    const auto authority = http_host(head, head.version());
    if (!authority) return {http::status::bad_request, authority.error().why() + "\n"};
    if (target == host_meta_path) return host_meta(false);
    if (target == host_meta_json_path) return host_meta(true);
    if (target == websocket_path) return check_upgrade();
    return {};
}

HttpConnection::Reply HttpConnection::host_meta(bool json) const {
    const auto& head = request_->head();
    if (head.method() != http::verb::get && head.method() != http::verb::head) {
        return {http::status::method_not_allowed,
                "Only GET and HEAD.\n",
                plain_text,
                {{http::field::allow, "GET, HEAD"}}};
    }
    const auto& domains = settings_->domains;
    const HttpAuthority authority = *http_host(head, head.version());  // route() has checked it
    const bool served = std::ranges::find(domains, authority.host) != domains.end();
    std::string url = "wss://" + (served ? authority.host : domains.front());
    const unsigned port =
        settings_->public_port != 0 ? settings_->public_port : authority.port.value_or(https_port);
    if (port != https_port) url += fmt::format(":{}", port);
    url += websocket_path;
    return {http::status::ok,
            json ? host_meta_json(url) : host_meta_xml(url),
            json ? "application/json" : "application/xrd+xml; charset=utf-8",
            {{http::field::access_control_allow_origin, "*"}}};
}

/// What is refused is told with what would be right (RFC 9110 §15.5.22, RFC 6455 §4.2.2).
HttpConnection::Reply HttpConnection::check_upgrade() const {
    const auto& head = request_->head();
    if (head.method() != http::verb::get) {
        return {http::status::method_not_allowed,
                "Only GET.\n",
                plain_text,
                {{http::field::allow, "GET"}}};
    }
    const Reply upgrade_required{http::status::upgrade_required,
                                 "This is a WebSocket of version 13.\n",
                                 plain_text,
                                 {{http::field::connection, "Upgrade"},
                                  {http::field::upgrade, "websocket"},
                                  {http::field::sec_websocket_version, "13"}}};
    if (head.version() < 11 || !has_token(head, http::field::connection, "upgrade") ||
        !has_token(head, http::field::upgrade, "websocket") ||
        request_->field(http::field::sec_websocket_version) != "13") {
        return upgrade_required;
    }
    if (!is_websocket_key(request_->field(http::field::sec_websocket_key))) {
        return {http::status::bad_request, "Sec-WebSocket-Key is not 16 bytes in base64.\n"};
    }
    if (!has_token(head, http::field::sec_websocket_protocol, "xmpp")) {
        return {http::status::bad_request, "The subprotocol here is xmpp (RFC 7395).\n"};
    }
    const auto& allowed = settings_->origins;
    if (!allowed.empty() && head.count(http::field::origin) != 0 &&
        std::ranges::find(allowed, request_->field(http::field::origin)) == allowed.end()) {
        return {http::status::forbidden, "Pages of that origin may not connect here.\n"};
    }
    return {http::status::switching_protocols};
}

void HttpConnection::send(const Reply& reply, bool last) {
    const auto& head = request_->head();
    http::response<http::string_body> response(reply.status, 11);
    response.set(http::field::server, "Causeway");
    response.set(http::field::date, http_date(shard_.clock().wall()));
    response.set(http::field::content_type, beast_view(reply.type));
    response.set("X-Content-Type-Options", "nosniff");
    response.keep_alive(!last);
    for (const auto& [name, value] : reply.fields) response.insert(name, beast_view(value));
    response.body() = reply.body;
    response.prepare_payload();
    std::ostringstream out;
    if (head.method() == http::verb::head) {
        out << response.base();
    } else {
        out << response;
    }
    channel_->write(out.str());
    if (last) close();
}

bool HttpConnection::refuse(unsigned status, std::string_view why) {
    send({static_cast<http::status>(status), std::string(why)}, true);
    return false;
}

void HttpConnection::close() {
    closing_ = true;
    input_.clear();
    deadline_.cancel();
    if (channel_ != nullptr) channel_->close();
}

void HttpConnection::upgrade() {
    closing_ = true;
    deadline_.cancel();
    channel_->set_handler(nullptr);
    auto channel = std::make_unique<WebSocketChannel>(
        shard_, std::move(channel_), request_->field(http::field::sec_websocket_key),
        settings_->message_limit);
    if (settings_->behind_proxy) {
        if (const auto client = forwarded_for(request_->head())) channel->set_remote(*client);
    }
    std::exchange(upgraded_, nullptr)(std::move(channel));
    finish();
}

void HttpConnection::on_timer(std::uint32_t) { close(); }

void HttpConnection::on_channel_closed(const Outcome&) {
    closing_ = true;
    deadline_.cancel();
    finish();
}

void HttpConnection::finish() {
    if (Finished finished = std::exchange(finished_, nullptr)) finished(*this);
}

}  // namespace causeway
