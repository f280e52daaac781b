#include "s2s/server_link.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {
constexpr Duration capabilities_patience{60'000};
/// A server that is started anew is back within that time.
constexpr Duration a_restart{60'000};
// Of our domains, so many are proven on one stream at the same time: what a peer does for each is
// to look us up and to connect back.
constexpr std::size_t joining_at_once = 5;
}  // namespace

ServerLink::ServerLink(Hub& hub, ServerTable& table, std::string remote)
    : hub_(hub), table_(table), remote_(std::move(remote)), ending_(hub) {}

ServerLink::~ServerLink() {
    for (auto& [local, pair] : pairs_) pair->leave_shared_stream();
}

bool ServerLink::closing() const { return table_.closing(); }

Outcome ServerLink::room_for_stream() const { return table_.room_for_stream(); }

std::shared_ptr<const void> ServerLink::opened() const { return table_.opened(); }

void ServerLink::no_answer(const Packet& request) { table_.no_answer(request); }

void ServerLink::asked_again(const Packet& request) { table_.asked_again(request); }

// ---- what we say to it ----

RemotePair* ServerLink::find(std::string_view local) const {
    const auto found = pairs_.find(local);
    return found == pairs_.end() ? nullptr : found->second.get();
}

RemotePair& ServerLink::make(const std::string& local, std::string asked_by) {
    auto pair = std::make_unique<RemotePair>(hub_, *this, local, remote_, std::move(asked_by));
    return *pairs_.emplace(local, std::move(pair)).first->second;
}

IncomingStream* ServerLink::way_back(const std::string& local) const {
    using WayBack = IncomingStream::WayBack;
    IncomingStream* best = nullptr;
    WayBack of_best = WayBack::none;
    for (const auto& [key, stream] : incoming_) {
        const WayBack way = stream->way_back(local);
        if (way == WayBack::none || way < of_best) continue;
        if (way == of_best && stream->since() < best->since()) continue;
        best = stream.get();
        of_best = way;
    }
    return best;
}

void ServerLink::way_back_opened(IncomingStream& stream) {
    for (auto& [local, pair] : pairs_) {
        if (stream.way_back(local) == IncomingStream::WayBack::open) pair->way_back_opened(stream);
    }
}

OutgoingStream* ServerLink::stream_to_share(const RemotePair& asking) const {
    if (sharing_ == Sharing::refused) return nullptr;
    for (const auto& [local, pair] : pairs_) {
        if (pair.get() == &asking) continue;
        if (OutgoingStream* stream = pair->stream_to_share(asking.local())) return stream;
    }
    return nullptr;
}

bool ServerLink::comes_later(const RemotePair& asking) const {
    if (sharing_ != Sharing::works || closing()) return false;
    const DomainTls* tls = hub_.tls->find(asking.local());
    std::size_t joining = 0;
    for (const auto& [local, pair] : pairs_) {
        if (pair.get() == &asking) continue;
        if (pair->joining()) ++joining;
        const DomainTls* other = hub_.tls->find(local);
        if (pair->opening() && tls != nullptr && other != nullptr &&
            tls->same_certificate(*other)) {
            return true;
        }
    }
    return joining >= joining_at_once;
}

void ServerLink::next_follower() {
    for (auto& [local, pair] : pairs_) {
        if (pair->following() && !comes_later(*pair)) pair->go_on();
    }
}

void ServerLink::followers_fail(const Outcome& why) {
    for (auto& [local, pair] : pairs_) {
        if (pair->following()) pair->give_up_following(why);
    }
}

void ServerLink::stream_ended(const Carrier& stream, bool own, bool in_good_order) {
    // A peer that ends a shared stream with an error hits several domains at once: from then on
    // each has its own stream.
    if (!own && stream.end() == Carrier::End::peer_error) {
        sharing_ = Sharing::refused;
    } else if (own && in_good_order && sharing_ == Sharing::refused) {
        sharing_ = Sharing::possible;
    }
}

void ServerLink::reached(const std::string& account) { table_.reached(account); }

// ---- what it says to us ----

void ServerLink::adopt(std::unique_ptr<IncomingStream> stream) {
    IncomingStream* key = stream.get();
    key->belongs_to(this);
    incoming_.emplace(key, std::move(stream));
    std::size_t count = 0;
    IncomingStream* most_silent = nullptr;
    for (auto& [other, owned] : incoming_) {
        if (!other->stream().usable() || other->pairs() != key->pairs()) continue;
        ++count;
        if (other != key &&
            (most_silent == nullptr || other->stream().heard() < most_silent->stream().heard())) {
            most_silent = other;
        }
    }
    if (count > incoming_per_pair) most_silent->end_unused();
}

void ServerLink::remove(IncomingStream& stream, bool broke) {
    const auto found = incoming_.find(&stream);
    if (found == incoming_.end()) return;
    hub_.shard.condemn(std::move(found->second));
    incoming_.erase(found);
    // Whether the domain is within reach is known where it is at home. A stream that proved more
    // than one domain before it could move may have one of them elsewhere.
    if (!broke || closing() || &hub_.home_of(remote_) != &hub_) return;
    stream_broke();
    for (auto& [local, pair] : pairs_) pair->look_whether_there();
}

TimePoint ServerLink::lately_broken() const {
    TimePoint broke = broke_;
    for (const Kept& kept : kept_) broke = std::max(broke, kept.broke);
    // A server that went on with what the process before had was not killed, and has forgotten
    // nothing.
    if (!went_on_) broke = std::max(broke, broken_by_start(hub_));
    return hub_.clock().now() - broke < SeenMessages::lately ? broke : TimePoint{};
}

TimePoint ServerLink::broken_by_start(const Hub& hub) {
    const TimePoint broke = hub.shared.started - Duration{1};
    return hub.clock().now() - broke < SeenMessages::lately ? broke : TimePoint{};
}

void ServerLink::broke() { broke_ = hub_.clock().now(); }

void ServerLink::counts_anew(const IncomingStream& stream) {
    const bool forgotten = std::ranges::any_of(incoming_, [&](const auto& entry) {
        const IncomingStream* other = entry.first;
        return other != &stream && other->pairs() == stream.pairs() &&
               other->receipts() != nullptr && other->receipts()->resumable();
    });
    if (forgotten) broke();
}

bool ServerLink::empty() const {
    return pairs_.empty() && incoming_.empty() && kept_.empty() && ending_.size() == 0 &&
           lately_broken() == TimePoint{};
}

void ServerLink::give_up(Kept kept) {
    broke_ = std::max(broke_, kept.broke);
    kept.receipts->forget();
}

void ServerLink::keep(std::unique_ptr<Receipts> receipts) {
    const auto of_pair = [&](const Kept& one) {
        return one.receipts->local() == receipts->local();
    };
    if (static_cast<std::size_t>(std::ranges::count_if(kept_, of_pair)) >= kept_per_pair) {
        const auto oldest = std::ranges::find_if(kept_, of_pair);
        Kept over = std::move(*oldest);
        kept_.erase(oldest);
        give_up(std::move(over));
    }
    Receipts* key = receipts.get();
    key->wait_for_peer([this, key] {
        const auto found =
            std::ranges::find_if(kept_, [&](const Kept& one) { return one.receipts.get() == key; });
        if (found == kept_.end()) return;
        Kept over = std::move(*found);
        kept_.erase(found);
        give_up(std::move(over));
    });
    kept_.push_back({std::move(receipts), hub_.clock().now()});
}

void ServerLink::leave_process() {
    for (const Kept& kept : kept_) kept.receipts->leave_process();
}

std::unique_ptr<Receipts> ServerLink::take_receipts(std::string_view token,
                                                    std::string_view local) {
    const auto kept = std::ranges::find_if(
        kept_, [&](const Kept& one) { return one.receipts->resumable_by(token, local); });
    if (kept != kept_.end()) {
        std::unique_ptr<Receipts> taken = std::move(kept->receipts);
        kept_.erase(kept);
        return taken;
    }
    for (auto& [key, stream] : incoming_) {
        if (key->receipts() == nullptr || !key->receipts()->resumable_by(token, local)) continue;
        std::unique_ptr<Receipts> taken = key->release_receipts();
        taken->belongs_to(nullptr);
        key->stream().fail(stream_error::conflict, "the stream was resumed elsewhere");
        key->end_way_back(Outcome::retry("the stream was resumed elsewhere"));
        return taken;
    }
    return nullptr;
}

void ServerLink::heard_from() {
    if (stamping_ == Stamping::no) stamping_ = Stamping::unknown;  // it may be another version
    bool presence_lost = false;
    for (auto& [local, pair] : pairs_) {
        pair->peer_is_back();
        // What was dropped is sent anew now, unless the pause goes on.
        if (!pair->pausing() && pair->take_presence_lost()) presence_lost = true;
    }
    contact_made(presence_lost);
}

bool ServerLink::pausing() const {
    return std::ranges::any_of(pairs_, [](const auto& entry) { return entry.second->pausing(); });
}

// ---- within reach ----

bool ServerLink::has_stream() const {
    return std::ranges::any_of(incoming_,
                               [](const auto& entry) { return entry.first->stream().usable(); }) ||
           std::ranges::any_of(pairs_,
                               [](const auto& entry) { return entry.second->established(); });
}

void ServerLink::announce(LifeEvent event) {
    // Not from within: what a feature sends to that domain comes back to the pairs.
    hub_.shard.post([&hub = hub_, event, domain = Jid::trusted({}, remote_)] {
        hub.shared.features.announce({.event = event, .hub = hub, .contact = &domain});
    });
}

void ServerLink::contact_made(bool presence_lost) {
    if (contact_ == Contact::there && !presence_lost) return;
    // Where that was not announced: contacts are asked and told again after a loss alone.
    if (contact_ != Contact::lost && presence_lost) announce(LifeEvent::link_down);
    contact_ = Contact::there;
    announce(LifeEvent::link_up);
}

bool ServerLink::lately_there() const {
    return contact_ == Contact::there ||
           (contact_ == Contact::lost && hub_.clock().now() - lost_at_ < a_restart);
}

/// A domain that was never in contact is no outage: it may not exist.
void ServerLink::contact_lost() {
    if (contact_ == Contact::unknown) contact_ = Contact::never;
    if (contact_ != Contact::there) return;
    contact_ = Contact::lost;
    lost_at_ = hub_.clock().now();
    announce(LifeEvent::link_down);
}

void ServerLink::stream_broke() {
    if (closing()) return;
    if (has_stream()) {
        // It is within reach, and what was said on the stream that broke may not have arrived.
        announce(LifeEvent::link_down);
        announce(LifeEvent::link_up);
    } else {
        contact_lost();
    }
}

void ServerLink::attempt_failed() {
    if (!closing() && !has_stream()) contact_lost();
}

bool ServerLink::stamps(const std::string& local) {
    if (stamping_ == Stamping::unknown) {
        stamping_ = Stamping::asked;
        capabilities_ = hub_.asking->ask(
            Jid::trusted({}, local), Jid::trusted({}, remote_),
            XmlBuilder().empty("query", ns::disco_info).take(), capabilities_patience,
            [this](const IqAnswer& answer) {
                stamping_ = Stamping::no;
                if (answer.kind != IqAnswer::Kind::result) return;
                (void)Packet::visit_bytes(answer.packet->bytes(), [this](const Stanza& stanza) {
                    const Element* query = stanza.payload();
                    if (query == nullptr || !query->is(ns::disco_info, "query")) return;
                    for (const Element* child = query->first_element(); child != nullptr;
                         child = child->next_element()) {
                        if (child->name == "feature" && child->attribute("var") == ns::stanza_ids) {
                            stamping_ = Stamping::yes;
                        }
                    }
                });
                if (stamping_ == Stamping::yes) note_stamping();
            });
        if (capabilities_.id().empty()) stamping_ = Stamping::unknown;
    }
    return stamping_ == Stamping::yes;
}

bool ServerLink::may_ask_home() {
    constexpr Duration pause{1000};
    const TimePoint now = hub_.clock().now();
    if (home_asked_at_ != TimePoint{} && now - home_asked_at_ < pause) return false;
    home_asked_at_ = now;
    return true;
}

void ServerLink::note_stamping() {
    for (auto& [key, stream] : incoming_) key->note_stamping();
    for (const Kept& kept : kept_) kept.receipts->note_stamping();
}

// ---- all of it ----

std::size_t ServerLink::close() {
    std::size_t closed = 0;
    for (auto& [local, pair] : pairs_) closed += pair->close() ? 1U : 0U;
    std::vector<IncomingStream*> ending;
    for (auto& [key, stream] : incoming_) ending.push_back(key);
    for (IncomingStream* stream : ending) stream->end_unused();
    return closed + ending.size();
}

bool ServerLink::awaits_answer() const {
    return std::ranges::any_of(pairs_,
                               [](const auto& entry) { return entry.second->awaits_answer(); });
}

void ServerLink::close_when_quiet(bool others_wait) {
    for (auto& [local, pair] : pairs_) {
        // Those that share a stream may still wait for their answers.
        if (!pair->awaits_answer() && !(others_wait && pair->is_shared())) pair->close();
    }
}

void ServerLink::each_pair(const std::function<void(RemotePair&)>& visit) {
    for (auto& [local, pair] : pairs_) visit(*pair);
}

void ServerLink::each_incoming(const std::function<void(IncomingStream&)>& visit) {
    for (auto& [key, stream] : incoming_) visit(*stream);
}

void ServerLink::forget(TimePoint before, Forget which,
                        const std::function<void(const RemotePair&)>& visit) {
    std::erase_if(pairs_, [&](const auto& entry) {
        const RemotePair& pair = *entry.second;
        if (!pair.forgettable() || pair.last_used() > before) return false;
        if (which == Forget::unused && pair.attempt_is_set()) return false;
        visit(pair);
        return true;
    });
}

}  // namespace causeway
