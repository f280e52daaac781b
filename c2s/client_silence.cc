// A client that says nothing: whether it is still there. TCP notices most clients that are gone,
// but only when there is something to send. So the client is sent a ping (XEP-0199), or an <r/> if
// it has stream management (XEP-0198); behind a proxy only the client itself can answer that. A
// client that can resume its session is not asked: it may sleep to save its battery, and nothing is
// lost if it is gone.
#include <fmt/format.h>

#include "c2s/client_session.h"
#include "gateway/base/random.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

std::string ping_id(std::uint64_t number) { return fmt::format("alive-{:016x}", number); }

}  // namespace

void ClientSession::watch_silence() {
    const auto bound = hub_.limits().client_silence_seconds;
    silence_.timer.cancel();
    silence_.question = Silence::Question::none;
    if (stream_ == nullptr || bound.count() == 0) return;
    if (resumable()) {
        stream_->stream().channel().expect_life(std::chrono::seconds{0});
        return;
    }
    stream_->stream().channel().expect_life(bound);
    hub_.shard.timers().arm(silence_.timer, std::chrono::duration_cast<Duration>(bound) / 2, *this,
                            silence_timer);
}

void ClientSession::silent() {
    if (stream_ == nullptr) return;
    const Duration half =
        std::chrono::duration_cast<Duration>(hub_.limits().client_silence_seconds) / 2;
    if (stream_->stream().is_held()) {
        // What it says is not read, by our doing.
        silence_.question = Silence::Question::none;
        if (half.count() != 0) hub_.shard.timers().arm(silence_.timer, half, *this, silence_timer);
        return;
    }
    const Duration quiet = hub_.clock().now() - stream_->stream().heard();
    if (half.count() == 0) return;
    if (stream_->stream().heard() >= silence_.asked_at) silence_.question = Silence::Question::none;
    if (quiet < half) {
        silence_.question = Silence::Question::none;
        hub_.shard.timers().arm(silence_.timer, half - quiet, *this, silence_timer);
        return;
    }
    if (silence_.question == Silence::Question::open) {
        if (management_ != nullptr || silence_.answers) {
            evict(stream_error::connection_timeout, "the client was silent and did not answer");
            return;
        }
        // It has never answered anything: only TCP can tell.
    } else if (management_ != nullptr) {
        management_->asked();
        emit(XmlBuilder().empty("r", ns::stream_management).take());
    } else {
        random_bytes({reinterpret_cast<unsigned char*>(&silence_.ping), sizeof silence_.ping});
        deliver(Packet::make(StanzaKind::iq, StanzaType::get, account_.jid().domain_jid(), jid(),
                             ping_id(silence_.ping), XmlBuilder().empty("ping", ns::ping).take()),
                0);
    }
    if (silence_.question == Silence::Question::none) silence_.asked_at = hub_.clock().now();
    silence_.question = Silence::Question::open;
    hub_.shard.timers().arm(silence_.timer, half, *this, silence_timer);
}

/// Whether that is the answer to our ping, which goes no further.
bool ClientSession::answers_ping(const Element& element, StanzaKind kind) {
    if (kind != StanzaKind::iq) return false;
    const std::string_view type = element.attribute("type");
    if (type != "result" && type != "error") return false;
    silence_.answers = true;
    return silence_.ping != 0 && element.attribute("id") == ping_id(silence_.ping);
}

}  // namespace causeway
