#include "tests/support/scene_actor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace causeway::scene {
namespace {
constexpr std::string_view sm_ns = "urn:xmpp:sm:3";
constexpr std::string_view ping_ns = "urn:xmpp:ping";
constexpr std::string_view client_ns = "jabber:client";
}  // namespace

std::string to_text(const Happening& happening, std::string_view content_ns) {
    switch (happening.kind) {
        case Happening::Kind::header: return to_text(happening.node, content_ns);
        case Happening::Kind::element: return to_text(happening.node, content_ns);
        case Happening::Kind::stream_end: return "the end of the stream\n";
        case Happening::Kind::closed: return "the end of the connection\n";
    }
    return {};
}

SceneActor::SceneActor(SceneWorld& world, const Mode& mode, std::string name,
                       std::string content_ns)
    : world_(world), mode_(mode), name_(std::move(name)), content_ns_(std::move(content_ns)) {}

// ---- the connection ----

void SceneActor::connect(const Endpoint& to) {
    std::optional<Result<std::unique_ptr<Socket>>> made;
    connecting_ = world_.network().connect(
        to, std::nullopt,
        [&](Result<std::unique_ptr<Socket>> result) { made.emplace(std::move(result)); });
    const bool answered = world_.wait_until([&] { return made.has_value(); });
    connecting_.reset();
    if (!answered) throw std::runtime_error("the connection attempt was not answered");
    if (!made->ok()) throw std::runtime_error("no connection: " + made->error().why());
    adopt(std::move(**made));
}

void SceneActor::adopt(std::unique_ptr<Socket> socket) {
    if (const std::string left = unexpected(); !left.empty()) {
        throw std::runtime_error("before this connection it had also got:\n" + left);
    }
    drop();
    socket_ = std::move(socket);
    inbox_.clear();
    expect_new_stream();
    reading_ = true;
    socket_->set_handler(this);
    socket_->want_read();
}

void SceneActor::set_reading(bool reading) {
    reading_ = reading;
    if (reading && socket_ != nullptr) socket_->want_read();
    world_.go_on();
}

void SceneActor::drop() {
    socket_.reset();
    tls_.reset();
    ciphertext_.clear();
    unsent_.clear();
    broken_ = false;
}

bool SceneActor::start_tls(SSL_CTX* context, TlsEngine::Role role,
                           std::shared_ptr<const void> owner, const std::string& server_name,
                           std::string_view go_ahead) {
    // The other side's first words may come as soon as time goes on.
    if (!go_ahead.empty()) write_split(go_ahead);
    tls_ = std::make_unique<TlsEngine>(context, role, std::move(owner), server_name);
    if (!protocol.empty() && role == TlsEngine::Role::client) {
        const std::string offer = static_cast<char>(protocol.size()) + protocol;
        SSL_set_alpn_protos(tls_->native(), reinterpret_cast<const unsigned char*>(offer.data()),
                            static_cast<unsigned>(offer.size()));
    }
    expect_new_stream();
    if (role == TlsEngine::Role::client) take_records();
    world_.wait_until([this] { return broken_ || tls_->established(); });
    return tls_->established();  // and perhaps over, if the certificate does not please
}

void SceneActor::finish() {
    if (socket_ == nullptr) return;
    if (tls_ != nullptr) tls_->shut_down(unsent_);
    flush();
    if (socket_ != nullptr) socket_->shutdown_write();
    world_.go_on();
}

void SceneActor::over() {
    if (std::exchange(broken_, true)) return;
    inbox_.push_back({.kind = Happening::Kind::closed});
}

// ---- input ----

void SceneActor::on_readable() {
    if (!reading_) return;
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const IoResult result = socket_->read(buffer);
    switch (result.status) {
        case IoResult::Status::ok: take({buffer.data(), result.bytes}); break;
        case IoResult::Status::again: break;
        case IoResult::Status::end:
        case IoResult::Status::failed: over(); return;
    }
    if (socket_ != nullptr && !broken_) socket_->want_read();
}

void SceneActor::take(std::string_view bytes) {
    if (tls_ == nullptr) {
        read_stream(bytes);
        return;
    }
    ciphertext_ += bytes;
    take_records();
}

void SceneActor::take_records() {
    const std::size_t whole = TlsEngine::whole_records(ciphertext_);
    const std::string records = ciphertext_.substr(0, whole);
    ciphertext_.erase(0, whole);
    tls_->set_input(records);
    if (!tls_->established()) {
        const TlsEngine::Status status = tls_->handshake(unsent_);
        flush();
        if (status == TlsEngine::Status::want_input) return;
        if (status != TlsEngine::Status::done) {
            over();
            return;
        }
    }
    std::array<char, 65536> plain;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (;;) {
        std::size_t bytes = 0;
        const TlsEngine::Status status = tls_->decrypt(plain, bytes, unsent_);
        flush();
        if (status == TlsEngine::Status::done) {
            read_stream({plain.data(), bytes});
        } else {
            if (status != TlsEngine::Status::want_input) over();
            return;
        }
    }
}

void SceneActor::expect_new_stream() {
    stream_over_ = false;
    reader_ = std::make_unique<XmlReader>(
        XmlReader::Events{.opened =
                              [this](XmlNode header) {
                                  judge(header, {});
                                  inbox_.push_back({Happening::Kind::header, std::move(header)});
                              },
                          .element = [this](XmlNode element) { came(std::move(element)); },
                          .closed =
                              [this] {
                                  stream_over_ = true;
                                  inbox_.push_back({.kind = Happening::Kind::stream_end});
                              }});
}

void SceneActor::read_stream(std::string_view plain) {
    if (stream_over_) {
        if (trouble_.empty()) trouble_ = fmt::format("behind the end of the stream: {}", plain);
        return;
    }
    try {
        reader_->feed(plain);
    } catch (const std::exception& error) {
        trouble_ = error.what();
    }
}

void SceneActor::judge(const XmlNode& came, const std::string& rule_broken) {
    if (!fault_.empty()) return;
    if (!rule_broken.empty()) {
        fault_ = fmt::format("{}  which {}\n", to_text(came, content_ns_), rule_broken);
    } else if (mode_.schemas != nullptr) {
        const std::string why = mode_.schemas->fault(came, world_.sent);
        if (why.empty()) return;
        fault_ = fmt::format("{}  which is not valid:\n  {}\n", to_text(came, content_ns_), why);
    }
}

void SceneActor::came(XmlNode element) {
    if (management.enabled && element.ns == content_ns_) ++management.received;
    judge(element, stanza_fault(element, content_ns_, identity));
    if (ignores_presence && element.name == "presence") return;
    if (management.enabled && element.ns == sm_ns && element.name == "r") {
        if (management.automatic) {
            write(fmt::format("<a xmlns='{}' h='{}'/>", sm_ns, management.received));
        }
        return;
    }
    if (content_ns_ == client_ns && element.name == "iq" &&
        element.child(ping_ns, "ping") != nullptr && element.attribute("from") != nullptr &&
        element.attribute("id") != nullptr &&
        element.attribute("from")->find('@') == std::string::npos) {
        if (answers_pings)
            write(fmt::format("<iq type='result' id='{}'/>", *element.attribute("id")));
        return;
    }
    if (!hears_pings && element.name == "iq" && element.child(ping_ns, "ping") != nullptr) return;
    inbox_.push_back({Happening::Kind::element, std::move(element)});
}

// ---- output ----

void SceneActor::on_writable() { flush(); }

void SceneActor::flush() {
    while (!unsent_.empty() && socket_ != nullptr) {
        const IoResult result = socket_->write(unsent_);
        if (result.status == IoResult::Status::ok) {
            unsent_.erase(0, result.bytes);
        } else if (result.status == IoResult::Status::again) {
            socket_->want_write();
            return;
        } else {
            unsent_.clear();  // the reading side tells that it is over
        }
    }
}

void SceneActor::write(std::string_view plain) {
    if (tls_ == nullptr) {
        unsent_ += plain;
    } else if (tls_->encrypt(plain, unsent_) != TlsEngine::Status::done) {
        throw std::runtime_error("TLS: " + tls_->error());
    }
    flush();
}

void SceneActor::send_at_once(std::string_view text) {
    if (socket_ == nullptr) throw std::runtime_error("is not connected");
    world_.sent.note(text, content_ns_);
    write(text);
    world_.go_on();
}

void SceneActor::write_split(std::string_view text) {
    if (socket_ == nullptr) throw std::runtime_error("is not connected");
    world_.sent.note(text, content_ns_);
    if (!mode_.split_input) {
        write(text);
        return;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        // Records keep the bytes apart; in the clear, only time does.
        if (i != 0 && tls_ == nullptr && world_.simulated()) world_.settle();
        write(text.substr(i, 1));
    }
}

void SceneActor::send(std::string_view text) {
    write_split(text);
    world_.go_on();
}

void SceneActor::send_last(std::string_view text) {
    write_split(text);
    expect_new_stream();
    world_.go_on();
}

// ---- looking ----

std::optional<Happening> SceneActor::next(bool with_headers) {
    const auto at_hand = [&] {
        while (!with_headers && !inbox_.empty() && inbox_.front().kind == Happening::Kind::header) {
            inbox_.pop_front();
        }
        return !inbox_.empty() || !trouble_.empty();
    };
    world_.wait_until(at_hand);
    if (inbox_.empty() && !trouble_.empty()) throw std::runtime_error(trouble_);
    if (inbox_.empty()) return std::nullopt;
    Happening first = std::move(inbox_.front());
    inbox_.pop_front();
    return first;
}

std::string SceneActor::unexpected() const {
    if (!fault_.empty()) return fault_;
    if (!trouble_.empty()) return trouble_ + "\n";
    if (may_receive_more) return {};
    const auto left = std::ranges::find_if(
        inbox_, [](const Happening& came) { return came.kind != Happening::Kind::header; });
    return left == inbox_.end() ? std::string{} : to_text(*left, content_ns_);
}

XmlNode SceneActor::expect(std::string_view ns, std::string_view name) {
    auto happening = next();
    if (!happening) throw std::runtime_error(fmt::format("<{}> never came", name));
    if (happening->kind == Happening::Kind::element && happening->node.ns == ns &&
        happening->node.name == name) {
        return std::move(happening->node);
    }
    throw std::runtime_error(
        fmt::format("this came instead of <{}>:\n{}", name, to_text(*happening, content_ns_)));
}

}  // namespace causeway::scene
