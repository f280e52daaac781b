#include "s2s/link_acknowledgements.h"

namespace causeway {

LinkAcknowledgements::LinkAcknowledgements(Hub& hub, Stream& stream, std::uint32_t count)
    : hub_(hub), stream_(stream) {
    management_.go_on(0, count);
    asked_about_ = count;
}

LinkAcknowledgements::~LinkAcknowledgements() { Flushable::unlink(); }

void LinkAcknowledgements::sent(const PacketRef& packet, HoldId hold, Worth worth) {
    management_.sent({.packet = packet, .hold = hold});
    if (management_.should_ask()) {
        hub_.shard.mark_dirty(*this);
    } else if (late_.armed()) {
        return;
    } else if (worth == Worth::passing) {
        ask_within(in_passing);
    } else if (const Duration since = hub_.clock().now() - asked_at_; since < interval) {
        ask_within(interval - since);
    } else {
        hub_.shard.mark_dirty(*this);
    }
}

void LinkAcknowledgements::ask_within(Duration time) {
    const TimePoint at = hub_.clock().now() + time;
    if (later_.armed() && later_at_ <= at) return;
    later_at_ = at;
    hub_.shard.timers().arm(later_, time, *this, ask_later);
}

void LinkAcknowledgements::flush() {
    const bool waits = !management_.unacknowledged().empty();
    if (management_.should_ask() || (waits && !late_.armed())) ask();
}

void LinkAcknowledgements::ask() {
    later_.cancel();
    asked_at_ = hub_.clock().now();
    management_.asked();
    asked_about_ = management_.sent_count();
    if (!late_.armed()) hub_.shard.timers().arm(late_, patience, *this, too_late);
    stream_.ask();
}

void LinkAcknowledgements::look_whether_there() {
    if (!late_.armed()) ask();
}

void LinkAcknowledgements::ask_about_the_rest() {
    if (!management_.unacknowledged().empty() && asked_about_ != management_.sent_count()) ask();
}

bool LinkAcknowledgements::acknowledge(std::uint32_t h) {
    std::vector<Sent> done;
    switch (management_.acknowledge(h, done)) {
        case StreamManagement::Acknowledged::too_much: return false;
        case StreamManagement::Acknowledged::nothing:
            // It is there; but what it does not acknowledge has to be some time.
            if (management_.unacknowledged().empty()) {
                late_.cancel();
            } else if (late_.armed()) {
                ask_within(asked_again);
            }
            return true;
        case StreamManagement::Acknowledged::something: break;
    }
    late_.cancel();
    if (management_.should_ask()) {
        hub_.shard.mark_dirty(*this);
    } else if (!management_.unacknowledged().empty()) {
        ask_within(interval);
    }
    stream_.acknowledged(done);
    return true;
}

void LinkAcknowledgements::on_timer(std::uint32_t which) {
    if (which == too_late) {
        stream_.silent();
    } else if (!management_.unacknowledged().empty()) {
        ask();
    }
}

std::deque<LinkAcknowledgements::Sent> LinkAcknowledgements::end() {
    late_.cancel();
    later_.cancel();
    management_.interrupted();
    return management_.take_unacknowledged();
}

}  // namespace causeway
