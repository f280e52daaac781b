#include "c2s/client_stream.h"

#include <fmt/format.h>

#include "c2s/client_session.h"
#include "c2s/client_table.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/net/system_network.h"
#include "gateway/session/accounts.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {

namespace {

/// By its client, once it is proven.
unsigned reached_by(const Hub& hub, const Jid& account) {
    return stream_bits::authenticated |
           (is_anonymous_account(hub, account) ? stream_bits::anonymous : 0U);
}

}  // namespace

ClientStream::ClientStream(Hub& hub, ClientTable& table, std::unique_ptr<Channel> channel)
    : Negotiation(hub, StreamSide::client),
      table_(table),
      stream_(hub.shard, std::move(channel), ns::client, *this),
      since_(hub.clock().wall()) {
    const Limits& limits = hub.limits();
    stream_.set_limits(hub.shared_limits(), limits.stanza_bytes_unauthenticated);
    // WebSocket arrives over HTTPS, or over loopback from a proxy that speaks it.
    if (stream_.channel().framed()) gain(stream_bits::secure);
    hub.shard.timers().arm(deadline_,
                           std::chrono::duration_cast<Duration>(limits.handshake_seconds), *this);
}

ClientStream::ClientStream(Hub& hub, ClientTable& table, std::unique_ptr<Channel> channel,
                           const MovingClient& moving)
    : ClientStream(hub, table, std::move(channel)) {
    domain_ = moving.domain;
    account_ = moving.account;
    mechanism_ = moving.mechanism;
    since_ = moving.since;
    gain(stream_bits::secure | reached_by(hub, account_));
    raise_limits();
}

ClientStream::~ClientStream() = default;

void ClientStream::on_stream_secured() { gain(stream_bits::secure); }

void ClientStream::on_stream_opened(const StreamHeader& header) {
    if (!settle_domain(header)) return;
    OwnHeader own{.from = domain_, .id = random_token()};
    // RFC 6120 §4.7.2: if, and only if, the client said who it is.
    if (const auto from = Jid::parse(header.from); from) own.to = from->bare();
    stream_.send_header(own);
    offer_features();
}

void ClientStream::on_element(Element& element, Arena& arena) {
    if (element.ns == ns::client && has(stream_bits::bound) && session_ != nullptr) {
        session_->stanza_in(element, arena);
        return;
    }
    if (element.ns == ns::stream_management && !has(stream_bits::authenticated)) {
        refuse_management("unexpected-request", "log in and bind a resource first");
        return;
    }
    std::string_view key = element.ns;
    if (element.is(ns::client, "iq")) {
        // The steps of the negotiation that are iqs (RFC 6120 §7, XEP-0077).
        const Element* payload = element.first_element();
        const std::string_view type = element.attribute("type");
        if (payload != nullptr &&
            ((payload->ns == ns::bind && type == "set") ||
             (payload->ns == ns::registration && (type == "get" || type == "set")))) {
            key = payload->ns;
        }
    }
    if (dispatch(key, element, arena)) return;
    if (element.ns == ns::stream && element.name == "error") {
        const Element* condition = element.first_element();
        CAUSEWAY_LOG(info, "c2s.client_error",
                     {"condition", condition == nullptr ? "none" : condition->name},
                     {"address", to_string(stream_.channel().remote())});
        stream_.close();
    } else if (!has(stream_bits::bound)) {
        stream_.fail(stream_error::not_authorized, has(stream_bits::authenticated)
                                                       ? "bind a resource first"
                                                       : "authenticate first");
    } else {
        stream_.fail(stream_error::unsupported_stanza_type, "that is no stanza");
    }
}

void ClientStream::authenticated(const Jid& identity, std::string_view mechanism,
                                 std::string_view success) {
    account_ = identity;
    mechanism_ = mechanism;
    gain(reached_by(hub_, account_));
    table_.authenticated(*this);
    stream_.send(success);
    stream_.restart();
    raise_limits();
    CAUSEWAY_LOG(info, "c2s.authenticated", {"jid", account_.full()}, {"mechanism", mechanism_},
                 {"address", to_string(stream_.channel().remote())});
    if (&hub_.home_of(account_.bare()) == &hub_) return;
    // What the client sends from here on is read on the account's shard.
    moving_ = true;
    stream_.hold();
    deadline_.cancel();
    const auto alive = handle();
    hub_.shard.post([this, alive] {
        if (!alive.expired()) move_home();
    });
}

void ClientStream::raise_limits() {
    const Limits& limits = hub_.limits();
    stream_.set_limits(hub_.shared_limits(), limits.stanza_bytes_client,
                       XmppStream::Larger::is_skipped);
    stream_.set_rate(limits.client_read_bytes_per_second, limits.client_read_burst_bytes);
}

void ClientStream::move_home() {
    if (!stream_.usable()) return;
    Hub& home = hub_.home_of(account_.bare());
    table_.move(*this, home,
                {.channel = nullptr,
                 .proxy = nullptr,
                 .domain = domain_,
                 .account = account_,
                 .mechanism = mechanism_,
                 .since = since_});
}

void ClientStream::bind(std::string_view resource, std::string_view iq_id) {
    std::string prepared = random_token(9);
    const auto refuse = [&](StanzaCondition condition, std::string text) {
        std::string inner;
        append_error(inner, {.condition = condition, .text = std::move(text)});
        stream_.send(
            Packet::make(StanzaKind::iq, StanzaType::error, {}, {}, iq_id, inner)->bytes());
    };
    if (!resource.empty()) {
        auto wanted = prepare_resource(resource);
        if (!wanted) {
            refuse(StanzaCondition::bad_request, wanted.error().why());
            return;
        }
        prepared = std::move(*wanted);
    }
    Account& user = hub_.accounts->get(account_.bare());
    if (user.barred()) {
        stream_.fail(stream_error::not_authorized, "this account is not in use any more");
        return;
    }
    Resource* before = user.sessions().find(prepared);
    if (before == nullptr && user.sessions().size() >= hub_.limits().sessions_per_account) {
        refuse(StanzaCondition::resource_constraint, "Too many sessions of this account.");
        return;
    }
    // RFC 6120 §7.7.2.2: the newer session wins; the older is most often a dead connection.
    if (before != nullptr)
        before->evict(stream_error::conflict, "another client took this resource");
    ClientSession& session = table_.create(account_.with_resource(prepared));
    const std::string inner =
        XmlBuilder().open("bind", ns::bind).element("jid", session.jid().full()).take();
    stream_.send(Packet::make(StanzaKind::iq, StanzaType::result, {}, {}, iq_id, inner)->bytes());
    bound(session);
}

void ClientStream::bound(ClientSession& session) {
    gain(stream_bits::bound);
    deadline_.cancel();
    state.reset();
    session_ = &session;
    session.attach(*this);
    CAUSEWAY_LOG(info, "c2s.bound", {"jid", session.jid().full()},
                 {"transport", to_string(stream_.channel().kind())});
    hub_.shared.features.announce({.event = LifeEvent::session_bound,
                                   .hub = hub_,
                                   .account = &session.account(),
                                   .session = &session});
}

void ClientStream::refuse_management(std::string_view condition, std::string_view text,
                                     std::optional<std::uint32_t> h) {
    XmlBuilder failed;
    failed.open("failed", ns::stream_management);
    if (h) failed.attribute("h", fmt::format("{}", *h));
    failed.empty(condition, ns::stanza_errors);
    if (!text.empty()) {
        failed.open("text", ns::stanza_errors).attribute("xml:lang", "en").text(text);
    }
    stream_.send(failed.take());
}

void ClientStream::manage(const Element& element) {
    if (element.name == "resume" && session_ == nullptr) {
        resume(element);
    } else if (has(stream_bits::bound) && session_ != nullptr && element.name != "resume") {
        session_->manage(element);
    } else {
        refuse_management("unexpected-request", has(stream_bits::bound) ? "a resource is bound"
                                                                        : "bind a resource first");
    }
}

void ClientStream::resume(const Element& element) {
    const auto h = stanza_count(element.attribute("h"));
    if (!h) {
        refuse_management("bad-request", "h is the number of stanzas that you handled");
        return;
    }
    ClientSession* session = table_.find_resumable(account_, element.attribute("previd"));
    if (session == nullptr) {
        look_for_kept(std::string(element.attribute("previd")), *h);
    } else {
        resume(*session, *h);
    }
}

void ClientStream::resume(ClientSession& session, std::uint32_t h) {
    session_ = &session;
    if (!session.resume(*this, h)) session_ = nullptr;
}

void ClientStream::refuse_resumption(std::string_view condition, std::string_view text,
                                     std::optional<std::uint32_t> h) {
    refuse_management(condition, text, h);
    stream_.let_go();
}

void ClientStream::resumed() {
    gain(stream_bits::bound | stream_bits::managed);
    deadline_.cancel();
    state.reset();
}

void ClientStream::dialback(const Element&, Arena&) {
    stream_.fail(stream_error::policy_violation, "clients do not use dialback");
}

Resource* ClientStream::session() { return session_; }

void ClientStream::on_skipped(const Element& start) {
    if (has(stream_bits::bound) && session_ != nullptr) {
        session_->skipped_in(start);
    } else {
        stream_.fail(stream_error::policy_violation, "that is larger than what is allowed here");
    }
}

Outcome ClientStream::peer_proves(std::string_view) const {
    return Outcome::policy("clients do not authenticate by certificate");
}

void ClientStream::on_stream_drained() {
    if (has(stream_bits::bound) && session_ != nullptr) session_->stream_drained();
}

void ClientStream::on_timer(std::uint32_t) {
    stream_.fail(stream_error::connection_timeout, "it took too long to log in");
}

void ClientStream::give_up_session(bool orderly) {
    if (ClientSession* session = std::exchange(session_, nullptr)) {
        session->stream_lost(*this, orderly);
    }
}

/// Its session takes nothing any more, however long the client leaves the connection open.
/// But what the client asked before it ended the stream is done first, as at any other time.
void ClientStream::on_stream_ending() {
    if (session_ == nullptr) return;
    if (session_->account().at_rest()) {
        give_up_session(stream_.failure().empty());
        return;
    }
    session_->account().in_order([this, alive = handle()](const Outcome&) {
        if (!alive.expired()) give_up_session(stream_.failure().empty());
    });
}

void ClientStream::on_stream_closed(const Outcome& why) {
    CAUSEWAY_LOG(debug, "c2s.closed", {"jid", account_.full()}, {"cause", why.why()},
                 {"address", to_string(stream_.channel().remote())});
    const auto leave = [this, orderly = why.ok()] {
        give_up_session(orderly);
        table_.remove(*this);
    };
    // What came before the account was read waits for that (ClientSession::hand_on).
    const bool left = session_ == nullptr || session_->account().at_rest() ||
                      (!why && session_->account().loaded());
    if (left) {
        leave();
        return;
    }
    // It closed the connection with its stream, which does not undo what it asked before.
    session_->account().in_order([leave, alive = handle()](const Outcome&) {
        if (!alive.expired()) leave();
    });
}

}  // namespace causeway
