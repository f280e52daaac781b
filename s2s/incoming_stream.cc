#include "s2s/incoming_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/config/peer_options.h"
#include "gateway/net/network_prefix.h"
#include "gateway/net/system_network.h"
#include "gateway/stream/bidirectional.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/domain.h"
#include "s2s/peer_identity.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {
constexpr Duration way_back_within{2500};
}  // namespace

IncomingStream::IncomingStream(Hub& hub, ServerTable& table, std::unique_ptr<Channel> channel)
    : Negotiation(hub, StreamSide::server),
      Carrier(hub),
      table_(table),
      network_(network_prefix(channel->remote())),
      stream_(hub.shard, std::move(channel), ns::server, static_cast<StreamHandler&>(*this)),
      from_peer_(hub, static_cast<PeerStanzas::Stream&>(*this)),
      since_(hub.clock().wall()) {
    const Limits& limits = hub.limits();
    stream_.set_limits(hub.shared_limits(), limits.stanza_bytes_unauthenticated);
    const auto patience = std::chrono::duration_cast<Duration>(limits.handshake_seconds);
    until_ = hub.clock().now() + patience;
    hub.shard.timers().arm(timer_, patience, *this);
}

IncomingStream::IncomingStream(Hub& hub, ServerTable& table, std::unique_ptr<Channel> channel,
                               const MovingServer& moving)
    : IncomingStream(hub, table, std::move(channel)) {
    id_ = moving.id;
    peer_domain_ = moving.peer_domain;
    domain_ = moving.domain;
    since_ = moving.since;
    until_ = moving.until;
    gain(moving.bits);
    if (!moving.opened.context.empty()) {
        stream_.go_on(moving.opened);
        recall_offer();
    }
    // The move is no reason to wait longer.
    const Duration left = until_ - hub.clock().now();
    hub.shard.timers().arm(timer_, std::max(left, Duration::zero()), *this);
}

void IncomingStream::go_on(MovingServer moving) {
    if (moving.proof == MovingServer::Proof::given) {
        gain(stream_bits::authenticated);
        proven(moving.pair, "external");
    } else {
        dialback_result(moving.pair, std::move(moving.key));
    }
}

/// What the peer sends from here on is read on the home shard of its domain.
void IncomingStream::move_home(Hub& home, MovingServer moving) {
    stream_.hold();
    timer_.cancel();
    moving.id = id_;
    moving.peer_domain = peer_domain_;
    moving.domain = domain_;
    moving.since = since_;
    moving.until = until_;
    moving.bits = bits_ & (stream_bits::secure | stream_bits::bidirectional);
    // Behind the element that is being handled; std::function must be copyable.
    const auto carried = std::make_shared<MovingServer>(std::move(moving));
    hub_.shard.post([this, alive = handle(), &home, carried] {
        if (alive.expired() || !stream_.usable()) return;
        carried->opened = stream_.opened();
        table_.move(*this, home, std::move(*carried));
    });
}

IncomingStream::~IncomingStream() {
    for (std::size_t left = verifying_.size(); left > 0; --left) {
        table_.admission().verified(network_);
    }
}

void IncomingStream::on_stream_secured() { gain(stream_bits::secure); }

void IncomingStream::on_stream_opened(const StreamHeader& header) {
    peer_domain_ = domain_of(header.from);
    if (!header.from.empty() && peer_domain_.empty()) {
        stream_.fail(stream_error::invalid_from, "the from of a server's stream is its domain");
        return;
    }
    if (!settle_domain(header)) return;
    id_ = random_token();
    stream_.send_header({.to = peer_domain_, .from = domain_, .id = id_, .dialback = true});
    offer_features();
    if (has(stream_bits::authenticated)) expect_requests();
}

/// A peer that wants stream management asks for it now, and then sends or is sent stanzas.
void IncomingStream::expect_requests() {
    if (!has(stream_bits::bidirectional) || back_ != Back::not_yet) return;
    hub_.shard.timers().arm(way_back_timer_, way_back_within, *this, way_back_due);
}

Outcome IncomingStream::peer_proves(std::string_view claimed) const {
    if (claimed.empty()) return Outcome::policy("the stream does not say who it is from");
    // No certificate proves a domain of ours: no other server speaks for it.
    if (hub_.serves(claimed)) {
        return Outcome::policy(fmt::format("{} is served here", claimed));
    }
    return certificate_proves(stream_.channel().tls(), claimed);
}

void IncomingStream::authenticated(const Jid& identity, std::string_view,
                                   std::string_view success) {
    gain(stream_bits::authenticated);
    stream_.send(success);
    stream_.restart();
    const Pair pair{std::string(identity.domain()), domain_};
    Hub& home = hub_.home_of(pair.remote);
    // What is being verified here would not come along.
    if (link_ == nullptr && verifying_.empty() && &home != &hub_) {
        move_home(home, {.pair = pair});
    } else {
        proven(pair, "external");
    }
}

void IncomingStream::proven(const Pair& pair, std::string_view how) {
    const bool first = pairs().empty();
    from_peer_.prove(pair, how);
    if (!first) resumption_.token.clear();  // with a second pair it cannot be resumed
    if (first) {
        table_.proven(*this, pair.remote);
        timer_.cancel();
        stream_.channel().expect_life(
            std::chrono::seconds(link_silence_seconds.integer(*hub_.config)));
    }
    touch();
    expect_requests();
    // The reason why we could not reach that domain may be gone.
    Hub& home = hub_.home_of(pair.remote);
    hub_.at(home, [&home, remote = pair.remote] {
        static_cast<ServerTable&>(*home.remote).heard_from(remote);
    });
    CAUSEWAY_LOG(info, "s2s.accepted", {"local", pair.local}, {"remote", pair.remote},
                 {"authentication", how}, {"address", to_string(stream_.channel().remote())});
}

void IncomingStream::bind(std::string_view, std::string_view) {
    stream_.fail(stream_error::unsupported_stanza_type, "servers do not bind resources");
}

void IncomingStream::on_element(Element& element, Arena& arena) {
    if (element.ns == ns::client) {
        if (resuming_ != Resuming::no) {
            stream_.fail(stream_error::policy_violation, "wait until the stream is resumed");
            return;
        }
        if (!from_peer_.takes()) return;
        if (back_ == Back::not_yet) open_way_back();
        from_peer_.take(element, arena);
        return;
    }
    if (!stream_.usable()) {
        // The peer's last word, for which it is heard.
        const bool acknowledges = element.is(ns::stream_management, "a");
        if (acknowledges && Carrier::managed()) acknowledged_by_peer(element);
        return;
    }
    if (dispatch(element.ns, element, arena)) return;
    if (element.ns == ns::stream && element.name == "error") {
        const Element* condition = element.first_element();
        CAUSEWAY_LOG(info, "s2s.peer_error", {"remote", peer_domain_},
                     {"condition", condition == nullptr ? "none" : condition->name});
        ending_ = End::peer_error;
        peer_error_ = condition == nullptr ? "" : condition->name;
        // A server that stops ends its streams so; like one that is killed it may forget what its
        // clients were not told, and it is back before we have ended ours.
        peer_may_forget();
        // That is its end (RFC 6120 §4.9.1.1), and as behind any other it may hear what is safe.
        if (!on_peer_end()) stream_.close();
    } else if (pairs().empty()) {
        stream_.fail(stream_error::not_authorized, "authenticate first");
    } else {
        stream_.fail(stream_error::unsupported_stanza_type, "that is no stanza");
    }
}

// ---- time and end ----

void IncomingStream::stanza_came() { touch(); }

void IncomingStream::touch() {
    hub_.shard.timers().arm(
        timer_, 2 * std::chrono::duration_cast<Duration>(hub_.limits().link_idle_seconds), *this);
}

void IncomingStream::on_timer(std::uint32_t which) {
    if (which == final_late) {
        give_up_resumption();
    } else if (which == way_back_due) {
        open_way_back();
        if (stream_.usable()) expect_requests();  // it is being resumed, or its header is due
    } else if (pairs().empty()) {
        stream_.fail(stream_error::connection_timeout, "it took too long to authenticate");
    } else {
        end_unused();
    }
}

void IncomingStream::leave(Leaving why) {
    leaving_ = std::max(leaving_, why);
    // While the peer waits to hear what it has to send again, it has sent nothing.
    const bool waits = stream_.takes_output() && resuming_ == Resuming::no && from_peer_.finish();
    if (!waits) finished();
}

void IncomingStream::finished() {
    say_goodbye();
    if (ending_ == End::peer_error) {
        stream_.close();
        return;
    }
    if (leaving_ == Leaving::process_ends && stream_.usable()) {
        stream_.fail(stream_error::system_shutdown, "the server is shutting down",
                     from_peer_.rest());
        return;
    }
    ask_about_the_rest();
    stream_.close(awaits_acknowledgement() ? XmppStream::Rest::is_heard : from_peer_.rest());
}

void IncomingStream::on_stream_closed(const Outcome& how) {
    // An error ends a stream, whether or not the end tag came before the connection was closed.
    const bool ended = ending_ == End::peer_error && stream_.failure().empty();
    const Outcome why = ended ? Outcome{} : how;
    CAUSEWAY_LOG(info, "s2s.closed", {"remote", peer_domain_}, {"direction", "in"},
                 {"cause", why.why()});
    leave_receipts(!why.ok());
    // It says good-bye in good order, but its error may be about what we sent.
    end_way_back(why.ok() && ending_ == End::peer_error
                     ? Outcome::retry(fmt::format("{} ended its stream with the error {}",
                                                  peer_domain_, peer_error_))
                     : why);
    // One that we ended for a fault of the peer says nothing of whether it is there.
    table_.remove(*this, !why.ok() && stream_.failure().empty());
}

}  // namespace causeway
