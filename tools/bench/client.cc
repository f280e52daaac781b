// The client's side of stream negotiation, and its steady state.
#include "tools/bench/client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

constexpr std::string_view sasl_namespace = "urn:ietf:params:xml:ns:xmpp-sasl";
constexpr std::string_view tls_namespace = "urn:ietf:params:xml:ns:xmpp-tls";
constexpr std::string_view bind_namespace = "urn:ietf:params:xml:ns:xmpp-bind";
constexpr std::string_view stanza_error_namespace = "urn:ietf:params:xml:ns:xmpp-stanzas";
constexpr std::string_view stream_management_namespace = "urn:xmpp:sm:3";
constexpr std::string_view disco_namespace = "http://jabber.org/protocol/disco#info";
constexpr std::string_view acknowledgement_request = "<r xmlns='urn:xmpp:sm:3'/>";

}  // namespace

std::string_view name_of(Mechanism mechanism) {
    switch (mechanism) {
        case Mechanism::plain: return "PLAIN";
        case Mechanism::scram_sha_1: return "SCRAM-SHA-1";
        case Mechanism::scram_sha_256: return "SCRAM-SHA-256";
    }
    return {};
}

Client::Client(Workbench& bench, ClientSettings settings, std::size_t index,
               ClientListener& listener)
    : bench_(bench),
      settings_(std::move(settings)),
      index_(index),
      listener_(listener),
      connection_(bench.loop, bench.tls, *this) {}

void Client::start() {
    full_jid_.clear();
    resumption_token_.clear();
    unacknowledged_.clear();
    sent_ = received_ = acknowledged_ = resumptions_ = 0;
    connect();
}

void Client::resume() {
    ++resumptions_;
    connect();
}

void Client::connect() {
    scanner_.restart();
    server_proven_ = false;
    offers_stream_management_ = false;
    request_wanted_ = false;
    started_at_ = Clock::now();
    state_ = State::connecting;
    arm_deadline();
    if (Failure failure = connection_.connect(settings_.address)) {
        // Told at the turn's end, as every other end is: never from inside `start`.
        bench_.loop.after_turn([this, reason = std::move(*failure)] { end(reason); });
    }
}

void Client::send_stanza(std::string_view stanza) {
    connection_.send(stanza);
    ++sent_;
    request_wanted_ = true;
    if (can_resume()) {
        unacknowledged_.emplace_back(stanza);
    }
}

void Client::request_acknowledgement() {
    if (settings_.stream_management && state_ == State::ready) {
        connection_.send(acknowledgement_request);
    }
}

void Client::close() {
    if (state_ != State::ready) {
        return;
    }
    state_ = State::closing;
    arm_deadline();
    connection_.send("</stream:stream>");
}

void Client::set_account(std::string user, std::string password, std::string resource) {
    settings_.user = std::move(user);
    settings_.password = std::move(password);
    settings_.resource = std::move(resource);
}

void Client::on_connected() {
    if (settings_.direct_tls) {
        state_ = State::handshaking;
        connection_.start_tls(settings_.domain, "xmpp-client");
    } else {
        state_ = State::awaiting_starttls;
        open_stream();
    }
}

void Client::on_secured() {
    state_ = State::awaiting_mechanisms;
    open_stream();
}

void Client::open_stream() {
    scanner_.restart();
    connection_.send(
        fmt::format("<?xml version='1.0'?><stream:stream to='{}' version='1.0' "
                    "xml:lang='en' xmlns='jabber:client' "
                    "xmlns:stream='http://etherx.jabber.org/streams'>",
                    escape_xml(settings_.domain)));
}

void Client::on_bytes(std::string_view bytes) {
    if (!scanner_.scan(bytes, *this) && state_ != State::idle) {
        end("the server's stream is not well-formed, or an element of it is too large");
    }
}

void Client::on_before_flush() {
    if (request_wanted_ && settings_.stream_management && state_ == State::ready) {
        connection_.send(acknowledgement_request);
    }
    request_wanted_ = false;
}

void Client::on_disconnected(const std::string& reason) {
    end(state_ == State::closing ? std::string() : reason);
}

void Client::on_stream_open(std::string_view /*header*/) {}

void Client::on_stream_close() {
    if (state_ != State::idle) {
        end(state_ == State::closing ? "" : "the server ended the stream");
    }
}

void Client::on_element(std::string_view element) {
    if (is_named(element, "stream:error")) {
        end(fmt::format("stream error: {}", element));
        return;
    }
    switch (state_) {
        case State::awaiting_starttls:
            if (element.find("<starttls") == std::string_view::npos) {
                end("the server offers no STARTTLS");
                return;
            }
            state_ = State::starting_tls;
            connection_.send(fmt::format("<starttls xmlns='{}'/>", tls_namespace));
            return;
        case State::starting_tls:
            if (!is_named(element, "proceed")) {
                end(fmt::format("the server refuses STARTTLS: {}", element));
                return;
            }
            state_ = State::handshaking;
            scanner_.restart();
            connection_.start_tls(settings_.domain, {});
            return;
        case State::awaiting_mechanisms: offer_credentials(element); return;
        case State::authenticating: continue_sasl(element); return;
        case State::awaiting_bind: bind_or_resume(element); return;
        case State::binding: finish_binding(element); return;
        case State::enabling: finish_enabling(element); return;
        case State::resuming: finish_resuming(element); return;
        case State::ready:
        case State::closing: take_stanza(element); return;
        case State::idle:
        case State::connecting:
        case State::handshaking: return;
    }
}

void Client::offer_credentials(std::string_view features) {
    const std::string_view mechanism = name_of(settings_.mechanism);
    if (features.find(fmt::format(">{}<", mechanism)) == std::string_view::npos) {
        end(fmt::format("the server does not offer {}: {}", mechanism, features));
        return;
    }
    std::string message;
    if (settings_.mechanism == Mechanism::plain) {
        message = std::string(1, '\0') + settings_.user + std::string(1, '\0') + settings_.password;
        server_proven_ = true;  // PLAIN has no proof to give
    } else {
        const auto hash =
            settings_.mechanism == Mechanism::scram_sha_1 ? ScramHash::sha1 : ScramHash::sha256;
        scram_.emplace(hash, settings_.user, settings_.password, make_nonce());
        message = scram_->first_message();
    }
    state_ = State::authenticating;
    connection_.send(fmt::format("<auth xmlns='{}' mechanism='{}'>{}</auth>", sasl_namespace,
                                 mechanism, encode_base64(message)));
}

void Client::continue_sasl(std::string_view element) {
    if (is_named(element, "challenge")) {
        answer_challenge(element);
    } else if (is_named(element, "success")) {
        finish_sasl(element);
    } else {
        end(fmt::format("authentication failed: {}", element));
    }
}

void Client::answer_challenge(std::string_view element) {
    const auto challenge = decode_base64(text_of(element, "challenge"));
    if (!scram_ || !challenge) {
        end("the server sent a challenge that cannot be read");
        return;
    }
    if (scram_->verify(*challenge)) {
        // The server's proof may come as a last challenge, which is answered with nothing.
        server_proven_ = true;
        connection_.send(fmt::format("<response xmlns='{}'/>", sasl_namespace));
        return;
    }
    Failure failure;
    const std::string message = scram_->final_message(*challenge, bench_.scram, failure);
    if (failure) {
        end(*failure);
        return;
    }
    connection_.send(
        fmt::format("<response xmlns='{}'>{}</response>", sasl_namespace, encode_base64(message)));
}

void Client::finish_sasl(std::string_view element) {
    if (scram_ && !server_proven_) {
        const auto proof = decode_base64(text_of(element, "success"));
        server_proven_ = proof && scram_->verify(*proof);
    }
    scram_.reset();
    if (!server_proven_) {
        end("the server did not prove that it knows the account");
        return;
    }
    state_ = State::awaiting_bind;
    open_stream();
}

void Client::bind_or_resume(std::string_view features) {
    if (resumptions_ > 0) {
        state_ = State::resuming;
        connection_.send(fmt::format("<resume xmlns='{}' previd='{}' h='{}'/>",
                                     stream_management_namespace, resumption_token_,
                                     static_cast<std::uint32_t>(received_)));
        return;
    }
    offers_stream_management_ =
        features.find(stream_management_namespace) != std::string_view::npos;
    state_ = State::binding;
    connection_.send(
        fmt::format("<iq type='set' id='bind'><bind xmlns='{}'><resource>{}</resource></bind></iq>",
                    bind_namespace, escape_xml(settings_.resource)));
}

void Client::finish_binding(std::string_view element) {
    full_jid_ = text_of(element, "jid");
    if (attribute_of(element, "type") != "result" || full_jid_.empty()) {
        end(fmt::format("the server bound no resource: {}", element));
    } else if (!settings_.stream_management) {
        become_ready();
    } else if (!offers_stream_management_) {
        end("the server offers no stream management");
    } else {
        state_ = State::enabling;
        connection_.send(
            fmt::format("<enable xmlns='{}' resume='true'/>", stream_management_namespace));
    }
}

void Client::finish_enabling(std::string_view element) {
    if (!is_named(element, "enabled")) {
        end(fmt::format("the server refuses stream management: {}", element));
        return;
    }
    if (settings_.resumable) {
        resumption_token_ = attribute_of(element, "id");
        if (resumption_token_.empty()) {
            end("the server offers no resumption");
            return;
        }
    }
    become_ready();
}

void Client::finish_resuming(std::string_view element) {
    if (!is_named(element, "resumed")) {
        resumption_token_.clear();
        end(fmt::format("the server does not resume the session: {}", element));
        return;
    }
    take_acknowledgement(element);
    if (state_ != State::resuming) {
        return;  // it claimed more than was sent
    }
    for (const std::string& stanza : unacknowledged_) {
        connection_.send(stanza);
        request_wanted_ = true;
    }
    become_ready();
}

void Client::become_ready() {
    disarm_deadline();
    state_ = State::ready;
    listener_.on_ready(*this);
}

void Client::take_stanza(std::string_view element) {
    if (is_named(element, "r")) {
        connection_.send(fmt::format("<a xmlns='{}' h='{}'/>", stream_management_namespace,
                                     static_cast<std::uint32_t>(received_)));
    } else if (is_named(element, "a")) {
        take_acknowledgement(element);
    } else if (is_named(element, "message") || is_named(element, "presence") ||
               is_named(element, "iq")) {
        ++received_;
        if (state_ == State::ready && !answer_iq(element)) {
            listener_.on_stanza(*this, element);
        }
    }
}

/// Servers push rosters and may ask things; each request gets its answer, as RFC 6120 §8.2.3 wants.
bool Client::answer_iq(std::string_view element) {
    const std::string_view type =
        is_named(element, "iq") ? attribute_of(element, "type") : std::string_view();
    if (type != "get" && type != "set") {
        return false;
    }
    const std::string_view from = attribute_of(element, "from");
    const std::string to = from.empty() ? std::string() : fmt::format(" to='{}'", from);
    if (!settings_.disco_info.empty() && element.find(disco_namespace) != std::string_view::npos) {
        const std::string_view query =
            element.substr(std::min(element.find("<query"), element.size()));
        const std::string_view node = attribute_of(query, "node");
        send_stanza(fmt::format("<iq type='result' id='{}'{}><query xmlns='{}'{}>{}</query></iq>",
                                attribute_of(element, "id"), to, disco_namespace,
                                node.empty() ? std::string() : fmt::format(" node='{}'", node),
                                settings_.disco_info));
        return true;
    }
    const bool understood = element.find("jabber:iq:roster") != std::string_view::npos ||
                            element.find("urn:xmpp:ping") != std::string_view::npos;
    const std::string error = fmt::format(
        "<error type='cancel'><service-unavailable xmlns='{}'/></error>", stanza_error_namespace);
    send_stanza(fmt::format("<iq type='{}' id='{}'{}>{}</iq>", understood ? "result" : "error",
                            attribute_of(element, "id"), to, understood ? "" : error));
    return true;
}

void Client::take_acknowledgement(std::string_view element) {
    const std::string_view text = attribute_of(element, "h");
    std::uint32_t handled = 0;
    std::from_chars(text.data(), text.data() + text.size(), handled);
    // The counter on the wire has 32 bits and wraps.
    const std::uint64_t count =
        acknowledged_ +
        static_cast<std::uint32_t>(handled - static_cast<std::uint32_t>(acknowledged_));
    if (count > sent_) {
        end(fmt::format("the server acknowledged {} stanzas of {} sent", count, sent_));
        return;
    }
    for (; acknowledged_ < count; ++acknowledged_) {
        if (!unacknowledged_.empty()) {
            unacknowledged_.pop_front();
        }
    }
    if (state_ == State::ready) {
        listener_.on_acknowledged(*this, count);
    }
}

void Client::arm_deadline() {
    disarm_deadline();
    deadline_ = bench_.loop.call_at(Clock::now() + bench_.timeout, [this] {
        deadline_.reset();
        end(fmt::format("timed out {}", doing()));
    });
}

void Client::disarm_deadline() {
    if (deadline_) {
        bench_.loop.cancel(*deadline_);
        deadline_.reset();
    }
}

void Client::end(const std::string& reason) {
    if (state_ == State::idle) {
        return;
    }
    disarm_deadline();
    connection_.close();
    state_ = State::idle;
    listener_.on_ended(*this, reason.empty() ? reason : fmt::format("{}: {}", bare_jid(), reason));
}

std::string_view Client::doing() const {
    switch (state_) {
        case State::idle: return "doing nothing";
        case State::connecting: return "connecting";
        case State::awaiting_starttls: return "waiting for the first stream features";
        case State::starting_tls: return "waiting for the answer to STARTTLS";
        case State::handshaking: return "in the TLS handshake";
        case State::awaiting_mechanisms: return "waiting for SASL mechanisms";
        case State::authenticating: return "authenticating";
        case State::awaiting_bind: return "waiting for the features after authentication";
        case State::binding: return "binding a resource";
        case State::enabling: return "enabling stream management";
        case State::resuming: return "resuming the session";
        case State::ready: return "while logged in";
        case State::closing: return "waiting for the end of the stream";
    }
    return {};
}

}  // namespace causeway::bench
