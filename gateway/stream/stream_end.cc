// XmppStream, its end: with an error, in good order, or because the connection is gone.
#include <fmt/format.h>

#include <utility>

#include "gateway/base/random.h"
#include "gateway/stream/stream.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {
/// How long the end of the peer's side is waited for.
constexpr Duration rest_within{5000};
}  // namespace

std::string XmppStream::end_of_stream() const {
    if (!framed()) return "</stream:stream>";
    std::string out = "<close";
    append_attribute(out, "xmlns", ns::framing);
    return out + "/>";
}

void XmppStream::fail(std::string_view condition, std::string_view text, std::string_view extra) {
    end_with(condition, text, extra, Rest::is_lost);
}

void XmppStream::end_with(std::string_view condition, std::string_view text, std::string_view extra,
                          Rest rest) {
    if (state_ == State::hearing || state_ == State::ended) close(rest);
    if (!usable()) return;
    failure_ = fmt::format("{}: {}", condition, text);
    // RFC 6120 §4.9.1.1: an error before our header still needs the header.
    if (!header_is_written(state_))
        send_header({.from = std::string(handler_->own_name()), .id = random_token()});
    std::string inner = fmt::format("<{}", condition);
    append_attribute(inner, "xmlns", ns::stream_errors);
    inner += "/>";
    if (!text.empty()) {
        inner += "<text";
        append_attribute(inner, "xmlns", ns::stream_errors);
        inner += " xml:lang='en'>";
        append_escaped(inner, text);
        inner += "</text>";
    }
    inner += extra;
    send_stream_element("error", inner);
    close(rest);
}

void XmppStream::close(Rest rest) {
    const bool heard = rest == Rest::is_heard && !is_held();
    if (state_ >= State::closing || (state_ == State::hearing && heard)) return;
    if (header_is_written(state_)) channel_->write(end_of_stream());
    take(heard ? XmppStreamEvent::ends_hearing : XmppStreamEvent::ends);
    if (state_ == State::hearing) {
        shard_.timers().arm(rate_.timer, rest_within, *this, rest_over);
        resume(Pause::rate);
        resume(Pause::output);  // of which there is no more
    } else {
        rate_.timer.cancel();
        channel_->close();
    }
}

void XmppStream::on_timer(std::uint32_t which) {
    if (which == rest_over) {
        close();
    } else {
        resume(Pause::rate);
    }
}

void XmppStream::on_channel_closed(const Outcome& why) {
    const bool orderly = state_ >= State::hearing && state_ != State::closed;
    rate_.timer.cancel();
    take(XmppStreamEvent::is_gone);
    if (orderly) {
        handler_->on_stream_closed(failure_.empty() ? Outcome{} : Outcome::policy(failure_));
    } else {
        handler_->on_stream_closed(
            why ? Outcome::retry("the connection was closed without ending the stream") : why);
    }
}

}  // namespace causeway
