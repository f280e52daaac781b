#include "s2s/carrier.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {

void Carrier::send(const PacketRef& packet, HoldId hold, LinkAcknowledgements::Worth worth) {
    used();
    if (managed()) acknowledgements_->sent(packet, hold, worth);
    stream().send(packet->bytes());
}

bool Carrier::congested() {
    const std::size_t most = link_hub_.limits().server_queue_hard_bytes;
    return stream().channel().queued() > most ||
           (managed() && acknowledgements_->management().bytes() > most);
}

// ---- who sends ----

StreamUser* Carrier::sharer(std::string_view local) const {
    const auto found = std::ranges::find_if(
        sharers_, [&](const Sharer& one) { return one.proven && one.local == local; });
    return found == sharers_.end() ? nullptr : found->owner;
}

void Carrier::unshare(const StreamUser& user) {
    std::erase_if(sharers_, [&](const Sharer& one) { return one.proven && one.owner == &user; });
    // The answer for one that is being proven still comes.
    for (Sharer& one : sharers_) {
        if (one.owner == &user) one.owner = nullptr;
    }
}

void Carrier::stop_sharers(const Outcome& why) {
    for (const Sharer& sharer : std::exchange(sharers_, {})) {
        if (sharer.owner != nullptr) sharer.owner->on_stopped(*this, why);
    }
}

void Carrier::writable() {
    // One that is called may leave.
    const std::vector<Sharer> sharers = sharers_;
    for (const Sharer& sharer : sharers) {
        if (sharer.proven) sharer.owner->on_stream_writable(*this);
    }
}

// ---- what has arrived ----

void Carrier::begin_acknowledgements(std::uint32_t count) {
    acknowledgements_ = std::make_unique<LinkAcknowledgements>(
        link_hub_, static_cast<LinkAcknowledgements::Stream&>(*this), count);
}

void Carrier::ask() {
    if (!stream().usable()) return;
    stream().send(XmlBuilder().empty("r", ns::stream_management).take());
}

void Carrier::acknowledged(std::span<const StreamManagement::Sent> done) {
    std::size_t before = acknowledgements_->management().bytes();
    for (const StreamManagement::Sent& sent : done) {
        before += sent.packet->bytes().size() + StreamManagement::overhead;
    }
    while (!done.empty() && carries()) {
        const std::string_view local = done.front().packet->from().domain();
        std::size_t count = 1;
        while (count < done.size() && done[count].packet->from().domain() == local) ++count;
        if (StreamUser* user = user_of(local)) user->on_acknowledged(*this, done.first(count));
        done = done.subspan(count);
    }
    // What waits for room may be another pair's.
    if (before > link_hub_.limits().server_queue_hard_bytes && carries() && !congested()) {
        writable();
    }
}

void Carrier::silent() {
    CAUSEWAY_LOG(info, "s2s.silent", {"remote", peer_domain()});
    fail(Outcome::retry(fmt::format("{} answers no more", peer_domain())));
}

}  // namespace causeway
