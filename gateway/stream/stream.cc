#include "gateway/stream/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

bool is_white_space(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// Near enough to RFC 5646 that it can stand in an attribute of others' stanzas.
bool is_language_tag(std::string_view text) {
    constexpr std::size_t longest = 35;
    return !text.empty() && text.size() <= longest && text.front() != '-' && text.back() != '-' &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-';
           });
}

}  // namespace

XmppStream::XmppStream(Shard& shard, std::unique_ptr<Channel> channel, std::string_view content_ns,
                       StreamHandler& handler)
    : shard_(shard),
      channel_(std::move(channel)),
      handler_(&handler),
      content_ns_(content_ns),
      heard_(shard.clock().now()) {
    channel_->set_handler(this);
}

XmppStream::~XmppStream() {
    if (channel_ == nullptr) return;
    channel_->set_handler(nullptr);
    // The channel may be on the stack below us: it is freed when the turn is over.
    shard_.condemn(std::move(channel_));
}

void XmppStream::set_limits(std::shared_ptr<const Limits> limits, std::size_t stanza_bytes,
                            Larger larger) {
    limits_ = std::move(limits);
    stanza_bytes_ = stanza_bytes;
    larger_ = larger;
    // A little more, so that an element that is too long gets its stream error or is passed over: a
    // message is whole in memory before it is read.
    channel_->set_message_limit(larger == Larger::is_skipped ? 2 * stanza_bytes
                                                             : stanza_bytes + 1024);
    if (parser_ != nullptr) lease_parser();
}

void XmppStream::set_rate(std::size_t bytes_per_second, std::size_t burst_bytes) {
    rate_.bytes_per_second = bytes_per_second;
    rate_.burst = burst_bytes;
}

void XmppStream::charge(std::size_t bytes) {
    if (rate_.bytes_per_second == 0) return;
    constexpr std::int64_t second = 1'000'000'000;
    const std::int64_t now = shard_.clock().now().time_since_epoch().count() * 1'000'000;
    const auto cost = [&](std::size_t count) {
        return static_cast<std::int64_t>(static_cast<double>(count) /
                                         static_cast<double>(rate_.bytes_per_second) *
                                         static_cast<double>(second));
    };
    rate_.paid_until = std::max(rate_.paid_until, now) + cost(bytes);
    const std::int64_t beyond = rate_.paid_until - now - cost(rate_.burst);
    if (beyond <= 0 || rate_.timer.armed()) return;
    pause(Pause::rate);
    shard_.timers().arm(rate_.timer, Duration{beyond / 1'000'000 + 1}, *this, rate_allows);
}

void XmppStream::pause(Pause reason) {
    pauses_ |= static_cast<unsigned char>(reason);
    channel_->pause_reading();
}

void XmppStream::resume(Pause reason) {
    if (pauses_ == 0) return;
    pauses_ &= static_cast<unsigned char>(~static_cast<unsigned>(reason));
    if (pauses_ == 0 && state_ < State::closing) channel_->resume_reading();
}

void XmppStream::lease_parser() {
    if (parser_ == nullptr) {
        if (context_ != nullptr) {
            parser_ = shard_.parsers().take(*context_);
        } else {
            parser_ = std::make_unique<XmlStreamParser>(
                framed() ? XmlFraming::message : XmlFraming::stream, content_ns_);
            if (framed()) context_ = shard_.parsers().intern(parser_->context());
        }
    }
    if (limits_ == nullptr) return;
    XmlLimits limits;
    limits.stanza_bytes = stanza_bytes_;
    limits.skip_larger = larger_ == Larger::is_skipped;
    limits.depth = limits_->depth;
    limits.attributes = limits_->attributes;
    limits.attribute_bytes = limits_->attribute_bytes;
    limits.namespaces = limits_->namespaces;
    // A tree takes more memory than its text: before login, little of either.
    limits.children = std::min(limits_->children, stanza_bytes_ / 64);
    // A peer that has authenticated may have more: what it wrote short may have become longer.
    limits.token_bytes =
        std::min(stanza_bytes_, std::clamp<std::size_t>(stanza_bytes_ / 8, 16384, 65536));
    parser_->set_limits(limits);
}

void XmppStream::on_bytes(std::string_view bytes) {
    if (state_ >= State::closing) return;
    heard_ = shard_.clock().now();
    charge(bytes.size());
    take_in(bytes, Stands::first);
}

void XmppStream::take_in(std::string_view bytes, Stands where) {
    lease_parser();
    reading_ = Reading::yes;
    input_ = bytes;
    if (!framed() || where == Stands::behind || pass_declaration(input_)) read(where);
    input_ = {};
    reading_ = Reading::no;
    if (state_ == State::closing) handler_->on_stream_ending();
}

/// A message may begin with an XML declaration, as any document may (RFC 7395 §3.3.3). A parser of
/// its own judges it, for the stream's has read the root of all messages before. False: it was
/// refused.
bool XmppStream::pass_declaration(std::string_view& message) {
    const std::size_t end =
        message.starts_with("<?xml") ? message.find("?>") : std::string_view::npos;
    if (end == std::string_view::npos) return true;
    XmlStreamParser document(XmlFraming::stream, content_ns_);
    if (document.feed(message.substr(0, end + 2)) == XmlEvent::fault) {
        fail(document.fault_condition(), document.fault_text());
        return false;
    }
    message.remove_prefix(end + 2);
    return true;
}

/// A new parser for what the old one has not read.
void XmppStream::go_on_with(std::string_view rest, XmlEvent& event) {
    parser_.reset();
    lease_parser();
    input_ = rest;
    event = parser_->feed(rest);
}

void XmppStream::read(Stands where) {
    XmlEvent event = parser_->feed(input_);
    bool came = where == Stands::behind;
    while (event != XmlEvent::need_more) {
        if (framed() && std::exchange(came, true)) {
            fail(stream_error::not_well_formed, "each WebSocket message is one whole element");
            return;
        }
        handle(event);
        if (state_ >= State::closing) return;
        if (parser_ == nullptr) return;  // TLS begins
        if (reading_ == Reading::until_restart) {
            reading_ = Reading::yes;
            context_.reset();
            if (is_held()) {
                leftover_ = rest();
                parser_.reset();
                return;
            }
            go_on_with(rest(), event);
        } else if (is_held()) {
            // The stream goes on elsewhere, or later, behind this element.
            leftover_ = rest();
            parser_.reset();
            return;
        } else if (event == XmlEvent::skipped ||
                   (event == XmlEvent::element && parser_->heap() > ParserPool::heap_bound)) {
            // Input that always ends inside a stanza would keep this parser, and every name ever
            // seen.
            go_on_with(rest(), event);
        } else {
            event = parser_->resume();
        }
    }
    if (parser_->idle()) {
        shard_.parsers().give_back(std::move(parser_));
        parser_.reset();
    } else if (framed()) {
        fail(stream_error::not_well_formed, "each WebSocket message is one whole element");
    }
}

void XmppStream::handle(XmlEvent event) {
    switch (event) {
        case XmlEvent::need_more: return;
        case XmlEvent::opened: handle_header(parser_->header()); return;
        case XmlEvent::element:
            if (framed()) {
                handle_framed(parser_->element());
            } else if (hears(state_)) {
                hand_over(parser_->element());
            }
            return;
        case XmlEvent::skipped:
            if (hears(state_)) {
                handler_->on_skipped(parser_->element());
            } else {
                fail(stream_error::policy_violation, "that is larger than what is allowed here");
            }
            return;
        case XmlEvent::closed:
            if (framed()) {
                fail(stream_error::not_well_formed, "an end tag without its start");
            } else if (state_ == State::open && handler_->on_peer_end()) {
                take(XmppStreamEvent::peer_ends);
                hold();
            } else {
                close();
            }
            return;
        case XmlEvent::fault:
            fail(std::string(parser_->fault_condition()), std::string(parser_->fault_text()));
            return;
    }
}

void XmppStream::handle_header(const Element& header) {
    if (header.ns != ns::stream) {
        fail(stream_error::invalid_namespace, "this is no XMPP stream");
        return;
    }
    if (header.name != "stream") {
        fail(stream_error::bad_format, "a stream begins with <stream>");
        return;
    }
    const std::string& context = parser_->context();
    if (context.find(fmt::format(" xmlns='{}'", content_ns_)) == std::string::npos) {
        fail(stream_error::invalid_namespace,
             fmt::format("the default namespace of this stream is {}", content_ns_));
        return;
    }
    context_ = shard_.parsers().intern(context);
    open(header);
}

void XmppStream::open(const Element& header) {
    take(XmppStreamEvent::header_came);
    const std::string_view language = header.attribute(ns::xml, "lang");
    // RFC 6120 §4.7.4: that of what the one says who opened the stream. An answer names the
    // language of its server's own words, whoever is heard behind it.
    const bool of_stanzas = state_ == State::header_came;
    language_ = of_stanzas && is_language_tag(language) ? language : std::string_view{};
    handler_->on_stream_opened({header.attribute("to"), header.attribute("from"),
                                header.attribute("id"), header.attribute("version"), language});
}

void XmppStream::hand_over(Element& element) {
    // RFC 6120 §8.1.5: the stream's language is that of a stanza that names none, wherever that
    // stanza goes from here.
    if (!language_.empty() && element.ns == ns::client &&
        (element.name == "message" || element.name == "presence" || element.name == "iq") &&
        element.attribute(ns::xml, "lang").empty()) {
        element.set_attribute(parser_->arena(), ns::xml, "lang", language_);
    }
    handler_->on_element(element, parser_->arena());
}

void XmppStream::handle_framed(Element& element) {
    if (element.ns == ns::framing && element.name == "open" && header_is_due(state_)) {
        open(element);
    } else if (element.ns == ns::framing && element.name == "close") {
        close();
    } else if (header_is_due(state_)) {
        fail(stream_error::invalid_namespace, "a WebSocket stream begins with <open/>");
    } else if (element.ns == ns::framing) {
        fail(stream_error::bad_format, "this stream is open, only <close/> may come");
    } else {
        hand_over(element);
    }
}

void XmppStream::send_header(const OwnHeader& header) {
    if (!usable()) return;
    take(XmppStreamEvent::header_written);
    std::string out;
    if (framed()) {
        out = "<open";
        append_attribute(out, "xmlns", ns::framing);
    } else {
        out = "<?xml version='1.0'?><stream:stream";
        append_attribute(out, "xmlns", content_ns_);
        append_attribute(out, "xmlns:stream", ns::stream);
        if (header.dialback) append_attribute(out, "xmlns:db", ns::dialback);
    }
    if (!header.id.empty()) append_attribute(out, "id", header.id);
    if (!header.from.empty()) append_attribute(out, "from", header.from);
    if (!header.to.empty()) append_attribute(out, "to", header.to);
    out += " version='1.0'";
    // RFC 6120 §4.7.4: it stands in every answer. In a header of our own to another server it would
    // be the language of whatever is said behind it by people who named none.
    if (!header.id.empty()) out += " xml:lang='en'";
    out += framed() ? "/>" : ">";
    channel_->write(out);
}

void XmppStream::send(std::string_view xml) {
    if (!takes_output()) return;
    if (!framed()) {
        channel_->write(xml);
        return;
    }
    // RFC 7395 §3.3.3: each message stands alone, so a stanza declares its namespace itself.
    for (const std::string_view name : {"<message", "<presence", "<iq"}) {
        if (!xml.starts_with(name)) continue;
        std::string standing(name);
        append_attribute(standing, "xmlns", content_ns_);
        standing += xml.substr(name.size());
        channel_->write(standing);
        return;
    }
    channel_->write(xml);
}

void XmppStream::send_stream_element(std::string_view name, std::string_view inner) {
    if (!usable()) return;
    std::string out = fmt::format("<stream:{}", name);
    if (framed()) append_attribute(out, "xmlns:stream", ns::stream);
    if (inner.empty()) {
        out += "/>";
    } else {
        out += fmt::format(">{}</stream:{}>", inner, name);
    }
    channel_->write(out);
}

void XmppStream::restart() {
    take(XmppStreamEvent::restarts);
    // Framed streams keep their parser: each message stands alone anyway (RFC 7395 §3.7).
    if (framed()) return;
    if (reading_ != Reading::no) {
        reading_ = Reading::until_restart;
    } else if (parser_ != nullptr && !parser_->only_white_space_left()) {
        fail(stream_error::policy_violation, "nothing may be sent before the answer has come");
    } else {
        parser_.reset();
        context_.reset();
    }
}

void XmppStream::start_tls(std::string_view go_ahead, std::unique_ptr<TlsEngine> engine) {
    // Some libraries write a line feed behind each element.
    if (parser_ != nullptr && !is_white_space(rest())) {
        fail(stream_error::policy_violation, "nothing may follow <starttls/> before TLS");
        return;
    }
    send(go_ahead);
    parser_.reset();
    context_.reset();
    take(XmppStreamEvent::restarts);
    channel_->start_tls(std::move(engine), TransportKind::starttls);
}

void XmppStream::hold() {
    pauses_ |= static_cast<unsigned char>(Pause::held);
    channel_->hold();
}

void XmppStream::let_go() {
    if (!is_held()) return;
    pauses_ &= static_cast<unsigned char>(~static_cast<unsigned>(Pause::held));
    const std::string rest = std::exchange(leftover_, {});
    if (state_ >= State::closing) return;
    if (reading_ == Reading::no) {
        heard_ = shard_.clock().now();
        if (!rest.empty()) take_in(rest, Stands::behind);
    }
    if (pauses_ == 0 && state_ < State::closing) channel_->resume_reading();
}

std::unique_ptr<DetachedChannel> XmppStream::detach() {
    auto detached = channel_->detach();
    if (detached == nullptr) return nullptr;
    detached->undelivered.insert(0, leftover_);
    rate_.timer.cancel();
    take(XmppStreamEvent::is_gone);
    return detached;
}

void XmppStream::go_on(const Opened& opened) {
    context_ = shard_.parsers().intern(opened.context);
    language_ = opened.language;
    take(XmppStreamEvent::goes_on);
}

std::unique_ptr<Channel> XmppStream::release() {
    take(XmppStreamEvent::is_gone);
    rate_.timer.cancel();
    channel_->set_handler(nullptr);
    return std::move(channel_);
}

void XmppStream::on_secured() {
    if (usable()) handler_->on_stream_secured();
}

void XmppStream::on_drained() {
    if (usable()) handler_->on_stream_drained();
}

}  // namespace causeway
