// XEP-0220 §2.6.1, multiplexing sender domains: further domains of ours on a stream that one of
// them opened.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/xmpp/domain.h"
#include "s2s/outgoing_stream.h"

namespace causeway {

bool OutgoingStream::takes_guest(std::string_view local) const {
    if (state_ != State::established || purpose_ != Purpose::stanzas || owner_ == nullptr ||
        !dialback_errors_ || !stream_->usable() ||
        guests_.size() + 1 >= hub_.limits().dialback_pairs ||
        hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        return false;
    }
    const DomainTls* tls = hub_.tls->find(local);
    const TlsEngine* engine = stream_->channel().tls();
    return tls != nullptr && engine != nullptr &&
           engine->shows_certificate_of(tls->connecting.get());
}

void OutgoingStream::add_guest(std::string local, OutgoingOwner& guest) {
    send_dialback_key(local);
    guests_.push_back({std::move(local), &guest});
}

void OutgoingStream::remove_guest(const OutgoingOwner& guest) {
    std::erase_if(guests_, [&](const Guest& one) { return one.owner == &guest; });
}

void OutgoingStream::guest_answered(const Element& element) {
    if (domain_of(element.attribute("from")) != remote_) return;
    const std::string local = domain_of(element.attribute("to"));
    const auto found = std::ranges::find_if(
        guests_, [&](const Guest& one) { return !one.proven && one.local == local; });
    if (found == guests_.end()) return;
    OutgoingOwner& owner = *found->owner;
    if (element.attribute("type") == "valid") {
        found->proven = true;
        CAUSEWAY_LOG(info, "s2s.ready", {"local", local}, {"remote", remote_},
                     {"authentication", "dialback"}, {"target", target_text_},
                     {"stream_of", local_});
        owner.on_ready(*this);
        return;
    }
    guests_.erase(found);
    owner.on_stopped(*this, Outcome::retry("it takes no other domain on that stream"));
}

void OutgoingStream::stop_guests(const Outcome& why) {
    failed_over_guest_ =
        peer_failed_ && std::ranges::any_of(guests_, [](const Guest& one) { return !one.proven; });
    for (const Guest& guest : std::exchange(guests_, {})) guest.owner->on_stopped(*this, why);
}

}  // namespace causeway
