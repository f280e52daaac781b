// XEP-0220 §2.6.1, multiplexing sender domains: further domains of ours on a stream that one of
// them opened.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/xmpp/domain.h"
#include "s2s/outgoing_stream.h"

namespace causeway {

bool OutgoingStream::can_share(std::string_view local) const {
    if (state_ != State::established || owner_ == nullptr || !stream_->usable() ||
        ending_ == End::peer_error || !has(stream_bits::dialback_errors) ||
        has(stream_bits::only_asks) || sharers_.size() + 1 >= hub_.limits().dialback_pairs ||
        hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        return false;
    }
    const DomainTls* tls = hub_.tls->find(local);
    const TlsEngine* engine = stream_->channel().tls();
    return tls != nullptr && engine != nullptr &&
           engine->shows_certificate_of(tls->connecting.get());
}

bool OutgoingStream::shared() const {
    return std::ranges::any_of(sharers_, [](const Sharer& one) { return one.owner != nullptr; });
}

void OutgoingStream::share(std::string local, StreamUser& sharer) {
    resumption_.token.clear();  // the others are not proven on a stream that goes on with this one
    send_key(local);
    sharers_.push_back({std::move(local), &sharer});
}

void OutgoingStream::sharer_answered(const Element& element) {
    if (domain_of(element.attribute("from")) != remote_) return;
    const std::string local = domain_of(element.attribute("to"));
    const auto found = std::ranges::find_if(
        sharers_, [&](const Sharer& one) { return !one.proven && one.local == local; });
    if (found == sharers_.end()) return;
    StreamUser* const sharer = found->owner;
    const bool valid = element.attribute("type") == "valid";
    if (valid && from_peer_ != nullptr) from_peer_->prove({remote_, local}, "dialback");
    if (sharer == nullptr) {
        sharers_.erase(found);
        return;
    }
    if (valid) {
        found->proven = true;
        CAUSEWAY_LOG(info, "s2s.ready", {"local", local}, {"remote", remote_},
                     {"authentication", "dialback"}, {"target", target()}, {"stream_of", domain_});
        sharer->on_ready(*this);
        return;
    }
    sharers_.erase(found);
    sharer->on_stopped(*this, Outcome::retry("it takes no other domain on that stream"));
}

}  // namespace causeway
