#include "tests/loss/numbered_client.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "gateway/base/encoding.h"

namespace causeway::loss {
namespace {

constexpr std::string_view stream_ns = "http://etherx.jabber.org/streams";
constexpr std::string_view sasl_ns = "urn:ietf:params:xml:ns:xmpp-sasl";
constexpr std::string_view bind_ns = "urn:ietf:params:xml:ns:xmpp-bind";
constexpr std::string_view sm_ns = "urn:xmpp:sm:3";
constexpr std::string_view client_ns = "jabber:client";
constexpr std::string_view ping_ns = "urn:xmpp:ping";

constexpr Duration login_patience{30'000};
constexpr Duration answer_patience{60'000};
constexpr Duration pause_between_attempts{300};
constexpr Duration asks_again_after{5'000};

std::optional<std::uint32_t> number(const std::string* text) {
    std::uint32_t value = 0;
    if (text == nullptr) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return value;
}

/// "m17" is the message 17.
std::optional<std::size_t> message_of(const std::string* id) {
    if (id == nullptr || !id->starts_with("m")) return std::nullopt;
    const std::string digits = id->substr(1);
    return number(&digits);
}

}  // namespace

NumberedClient::NumberedClient(scene::SimWorld& world, SSL_CTX* tls, ClientPlan plan,
                               Endpoint server, Telling tell)
    : world_(world),
      context_(tls),
      plan_(std::move(plan)),
      server_(std::move(server)),
      tell_(std::move(tell)) {}

// ---- connections ----

void NumberedClient::tick() {
    const TimePoint now = world_.clock().now();
    if (state_ == State::away) {
        if (now >= comes_back_) connect();
        return;
    }
    if (state_ != State::up) {
        if (now - since_ >= login_patience) broken("nothing came of the login");
        return;
    }
    if (answer_at_ && now >= *answer_at_) {
        answer_at_.reset();
        write(fmt::format("<a xmlns='{}' h='{}'/>", sm_ns, handled_));
    }
    if (unacknowledged_.empty() || !plan_.managed) return;
    if (asked_ && now - asked_at_ >= answer_patience) {
        // The server does not know yet that this connection is given up.
        tell_.journal("no answer came");
        drop(Break::leave);
        comes_back_ = now;
    } else if (!asked_ && now - asked_at_ >= asks_again_after) {
        ask();
    }
}

void NumberedClient::connect() {
    state_ = State::connecting;
    since_ = world_.clock().now();
    connecting_ = world_.network().connect(
        server_, std::nullopt, [this](Result<std::unique_ptr<Socket>> made) {
            if (!made) return broken("no connection");
            socket_ = std::move(*made);
            socket_->set_handler(this);
            socket_->want_read();
            tls_ = std::make_unique<TlsEngine>(context_, TlsEngine::Role::client, nullptr,
                                               plan_.domain);
            state_ = State::shaking_hands;
            take_records();
        });
}

void NumberedClient::drop(Break how) {
    if (how == Break::leave && socket_ != nullptr) {
        socket_->set_handler(nullptr);
        left_.push_back(std::move(socket_));
    }
    connecting_.reset();
    socket_.reset();
    tls_.reset();
    reader_.reset();
    came_.clear();
    ciphertext_.clear();
    unsent_.clear();
    answer_at_.reset();
    asked_ = false;
    if (state_ == State::up) tell_.of_client(Event::Kind::connection_lost, {});
    state_ = State::away;
    comes_back_ = world_.clock().now() + pause_between_attempts;
}

void NumberedClient::broken(const std::string& why) {
    tell_.journal(why);
    drop(Break::reset);
}

void NumberedClient::lose_connection(Break how, Duration absence) {
    drop(how);
    comes_back_ = world_.clock().now() + absence;
}

void NumberedClient::begin_anew() {
    if (answer_at_ || plan_.managed) write(fmt::format("<a xmlns='{}' h='{}'/>", sm_ns, handled_));
    write("</stream:stream>");
    world_.settle();
    drop(Break::reset);
    token_.clear();
    unacknowledged_.clear();
    looks_for_left_over_ = true;
}

// ---- input ----

void NumberedClient::on_readable() {
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const IoResult result = socket_->read(buffer);
    switch (result.status) {
        case IoResult::Status::ok: take({buffer.data(), result.bytes}); break;
        case IoResult::Status::again: break;
        case IoResult::Status::end:
        case IoResult::Status::failed: return broken("the connection ended");
    }
    if (socket_ != nullptr) socket_->want_read();
}

void NumberedClient::take(std::string_view bytes) {
    ciphertext_ += bytes;
    take_records();
}

void NumberedClient::take_records() {
    const std::size_t whole = TlsEngine::whole_records(ciphertext_);
    const std::string records = ciphertext_.substr(0, whole);
    ciphertext_.erase(0, whole);
    tls_->set_input(records);
    if (!tls_->established()) {
        const TlsEngine::Status status = tls_->handshake(unsent_);
        flush();
        if (status == TlsEngine::Status::want_input) return;
        if (status != TlsEngine::Status::done) return wrong("TLS: " + tls_->error());
        state_ = State::authenticating;
        open_stream();
    }
    std::array<char, 65536> plain;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    while (tls_ != nullptr) {
        std::size_t bytes = 0;
        const TlsEngine::Status status = tls_->decrypt(plain, bytes, unsent_);
        flush();
        if (status == TlsEngine::Status::want_input) return;
        if (status != TlsEngine::Status::done) return broken("TLS ended");
        read({plain.data(), bytes});
    }
}

void NumberedClient::open_stream() {
    stream_over_ = false;
    reader_ = std::make_unique<scene::XmlReader>(scene::XmlReader::Events{
        .opened = [](const scene::XmlNode&) {},
        .element = [this](scene::XmlNode node) { came_.push_back(std::move(node)); },
        .closed = [this] { stream_over_ = true; }});
    write(
        fmt::format("<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{}' "
                    "version='1.0'>",
                    client_ns, stream_ns, plan_.domain));
}

void NumberedClient::read(std::string_view plain) {
    try {
        reader_->feed(plain);
    } catch (const std::exception& error) {
        return wrong(error.what());
    }
    while (!came_.empty()) {
        const scene::XmlNode node = std::move(came_.front());
        came_.pop_front();
        element(node);
    }
    if (stream_over_ && socket_ != nullptr) broken("the server closed the stream");
}

void NumberedClient::element(const scene::XmlNode& node) {
    if (node.ns == stream_ns && node.name == "error") {
        return broken("stream error " +
                      (node.children.empty() ? std::string() : node.children.front().name));
    }
    if (node.ns == stream_ns && node.name == "features") return features();
    if (node.ns == sasl_ns && node.name == "success") {
        state_ = State::authenticated;
        return open_stream();
    }
    if (node.ns == sm_ns) {
        if (node.name == "resumed" && state_ == State::resuming) return resumed(node);
        if (node.name == "failed" && state_ == State::resuming) return not_resumed(node);
        if (node.name == "enabled" && state_ == State::enabling) {
            const std::string* token = node.attribute("id");
            token_ = token == nullptr ? std::string() : *token;
            return begin_session(true);
        }
        if (node.name == "a" && state_ == State::up) return acknowledge(node);
        if (node.name == "r" && state_ == State::up) {
            if (!answer_at_) answer_at_ = world_.clock().now() + plan_.answers_after;
            return tick();
        }
    }
    if (state_ == State::binding && node.name == "iq") {
        const std::string* type = node.attribute("type");
        if (type != nullptr && *type == "result") return bound();
    }
    if (state_ == State::up && node.ns == client_ns) return stanza(node);
    if (node.ns == sasl_ns && node.name == "failure" && !node.children.empty() &&
        node.children.front().name == "temporary-auth-failure") {
        return broken("the login is refused for now");
    }
    wrong(fmt::format("<{}> came where it makes no sense", node.name));
}

// ---- sessions ----

void NumberedClient::features() {
    if (state_ == State::authenticating) {
        const std::string credentials = '\0' + plan_.local + '\0' + plan_.password;
        write(fmt::format("<auth xmlns='{}' mechanism='PLAIN'>{}</auth>", sasl_ns,
                          base64_encode(credentials)));
    } else if (!token_.empty()) {
        state_ = State::resuming;
        write(fmt::format("<resume xmlns='{}' previd='{}' h='{}'/>", sm_ns, token_, handled_));
    } else {
        bind();
    }
}

void NumberedClient::bind() {
    state_ = State::binding;
    write(
        fmt::format("<iq type='set' id='bind'><bind xmlns='{}'><resource>loss</resource></bind>"
                    "</iq>",
                    bind_ns));
}

void NumberedClient::bound() {
    if (!plan_.managed) {
        tell_.of_client(Event::Kind::session_lost, "a new one begins");
        return begin_session(true);
    }
    state_ = State::enabling;
    write(fmt::format("<enable xmlns='{}' resume='true'/>", sm_ns));
}

void NumberedClient::resumed(const scene::XmlNode& node) {
    acknowledge(node);
    if (state_ == State::resuming) begin_session(false);
}

void NumberedClient::not_resumed(const scene::XmlNode& node) {
    if (node.attribute("h") != nullptr) acknowledge(node);
    if (state_ != State::resuming) return;
    tell_.of_client(Event::Kind::session_lost,
                    node.children.empty() ? std::string() : node.children.front().name);
    token_.clear();
    bind();
}

void NumberedClient::begin_session(bool anew) {
    state_ = State::up;
    left_.clear();
    if (anew) {
        handled_ = acknowledged_ = 0;
        // Presence and answers are of the session that is over.
        std::erase_if(unacknowledged_, [](const auto& one) { return !one.message; });
    }
    std::deque<Unacknowledged> again = std::exchange(unacknowledged_, {});
    if (anew) stanza_out(std::nullopt, "<presence/>");
    tell_.journal(
        anew ? "is there in a new session"
             : fmt::format("has resumed: it has {}, the server {}", handled_, acknowledged_));
    for (Unacknowledged& one : again) {
        if (anew && one.message) tell_.of_message(Event::Kind::sent_anew, *one.message);
        stanza_out(one.message, std::move(one.xml));
    }
    send_waiting();
}

void NumberedClient::acknowledge(const scene::XmlNode& node) {
    asked_ = false;
    const auto h = number(node.attribute("h"));
    const std::uint32_t newly = h ? *h - acknowledged_ : 0;
    if (!h || newly > unacknowledged_.size()) {
        return wrong(fmt::format("h='{}', but {} were acknowledged before, and {} sent since",
                                 h.value_or(0), acknowledged_, unacknowledged_.size()));
    }
    acknowledged_ = *h;
    for (std::uint32_t i = 0; i < newly; ++i) {
        if (const auto message = unacknowledged_.front().message) {
            tell_.of_message(Event::Kind::acknowledged, *message);
        }
        unacknowledged_.pop_front();
    }
}

// ---- stanzas ----

void NumberedClient::stanza(const scene::XmlNode& node) {
    ++handled_;
    if (node.name == "message") return message(node);
    const std::string* type = node.attribute("type");
    const std::string* id = node.attribute("id");
    if (node.name != "iq" || type == nullptr || id == nullptr || *type != "get") return;
    if (node.child(ping_ns, "ping") == nullptr) return;
    stanza_out(std::nullopt, fmt::format("<iq type='result' id='{}'/>", *id));
}

void NumberedClient::message(const scene::XmlNode& node) {
    const std::string* type = node.attribute("type");
    const auto number = message_of(node.attribute("id"));
    if (!number) return;
    if (type != nullptr && *type == "error") {
        const scene::XmlNode* error = node.child(client_ns, "error");
        tell_.journal(error == nullptr || error->children.empty()
                          ? std::string("an error")
                          : fmt::format("an error: {}: {}", error->children.front().name,
                                        error->children.back().text));
        tell_.of_message(Event::Kind::refused, *number);
        return;
    }
    if (node.child(client_ns, "body") == nullptr) return;
    tell_.of_message(looks_for_left_over_ ? Event::Kind::left_over : Event::Kind::read, *number);
}

void NumberedClient::send(const std::string& to, std::size_t message) {
    waiting_.emplace_back(to, message);
    if (up()) send_waiting();
}

void NumberedClient::send_waiting() {
    while (up() && !waiting_.empty()) {
        const auto [to, message] = std::move(waiting_.front());
        waiting_.pop_front();
        tell_.of_message(Event::Kind::sent, message);
        stanza_out(message,
                   fmt::format("<message type='chat' to='{}' id='m{}'><body>m{}</body></message>",
                               to, message, message));
    }
    if (up() && plan_.managed && !unacknowledged_.empty()) ask();
}

void NumberedClient::stanza_out(std::optional<std::size_t> message, std::string xml) {
    write(xml);
    if (plan_.managed) unacknowledged_.push_back({message, std::move(xml)});
}

void NumberedClient::ask() {
    if (!asked_) asked_at_ = world_.clock().now();
    asked_ = true;
    write(fmt::format("<r xmlns='{}'/>", sm_ns));
}

// ---- output ----

void NumberedClient::write(std::string_view xml) {
    if (tls_ == nullptr) return;
    (void)tls_->encrypt(xml, unsent_);
    flush();
}

void NumberedClient::flush() {
    while (!unsent_.empty() && socket_ != nullptr) {
        const IoResult result = socket_->write(unsent_);
        if (result.status == IoResult::Status::ok) {
            unsent_.erase(0, result.bytes);
        } else if (result.status == IoResult::Status::again) {
            return socket_->want_write();
        } else {
            unsent_.clear();  // the reading side tells that it is over
        }
    }
}

void NumberedClient::wrong(const std::string& what) {
    tell_.of_client(Event::Kind::wrong, what);
    broken(what);
}

}  // namespace causeway::loss
