// Account: one bare JID that is in use, on its home shard: a small whole that loads what is stored,
// holds the parts that do the work, and leads each stanza through them.
//
//   sessions        which clients are connected
//   roster          contacts, and their changes one after the other
//   subscriptions   requests and approvals (RFC 6121 §3)
//   presence        broadcast, probes, directed presence (RFC 6121 §4)
//   inbox           messages: delivery and what waits (RFC 6121 §8.5)
//   access          who may do what: rules, presence views, blocked addresses
//
// The life of a stanza that arrives for the account: the account is loaded; if it does not exist,
// the stanza is answered or dropped as the rules say; the hooks of the point at_account run; the
// part for the kind of the stanza takes it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "gateway/feature/slots.h"
#include "gateway/session/account_access.h"
#include "gateway/session/account_inbox.h"
#include "gateway/session/account_presence.h"
#include "gateway/session/account_roster.h"
#include "gateway/session/account_sessions.h"
#include "gateway/session/account_subscriptions.h"
#include "gateway/session/hub.h"

namespace causeway {

namespace account_store {
struct Record;
}

class Account {
public:
    /// Operations waiting for the account to be loaded.
    static constexpr std::size_t waiting_limit = 10000;
    using Task = std::function<void(const Outcome&)>;

    Account(Hub& hub, Jid bare);
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;
    ~Account();

    [[nodiscard]] Hub& hub() const { return hub_; }
    [[nodiscard]] const Jid& jid() const { return jid_; }
    [[nodiscard]] AccountSessions& sessions() { return sessions_; }
    [[nodiscard]] const AccountSessions& sessions() const { return sessions_; }
    [[nodiscard]] AccountRoster& roster() { return roster_; }
    [[nodiscard]] const AccountRoster& roster() const { return roster_; }
    [[nodiscard]] Subscriptions& subscriptions() { return subscriptions_; }
    [[nodiscard]] AccountPresence& presence() { return presence_; }
    [[nodiscard]] AccountInbox& inbox() { return inbox_; }
    [[nodiscard]] AccountAccess& access() { return access_; }
    [[nodiscard]] const AccountAccess& access() const { return access_; }
    Slots slots;  ///< of features

    // ---- life ----
    void attach(Resource& session);
    /// The session is gone. Its unavailable presence is sent if it was available.
    void detach(Resource& session);
    /// The control socket changed what is stored: the account is loaded again before anything else
    /// is done.
    void reload();
    /// Something of it was stored: if it is being loaded, it may have been read before that, and is
    /// read again.
    void stored_anew() {
        if (state_ == State::loading) state_ = State::loading_outdated;
    }
    /// Runs `task` once account and roster are loaded; the outcome says if that failed.
    void when_loaded(Task task);
    /// The same, and behind the changes of the roster that came before it (RFC 6120 §10.1).
    void in_order(Task task);
    /// Loaded, and no change of the roster under way: nothing has to wait.
    [[nodiscard]] bool at_rest() const { return loaded() && roster_.at_rest(); }
    /// Only once it is loaded; while it is loaded again, as it was before.
    [[nodiscard]] bool exists() const {
        const State known = loaded() ? state_ : before_;
        return known == State::active || known == State::disabled;
    }
    /// It is there, and its owner may not log in. Only once it is loaded, as exists().
    [[nodiscard]] bool disabled() const { return (loaded() ? state_ : before_) == State::disabled; }
    /// What the store has of it is known.
    [[nodiscard]] bool loaded() const { return state_ >= State::absent; }
    /// What the store had of it is known, which may be read again now.
    [[nodiscard]] bool known() const { return loaded() || before_ != State::fresh; }
    /// Known to be removed or disabled: nobody may log in.
    [[nodiscard]] bool barred() const {
        return state_ == State::absent || state_ == State::disabled;
    }
    /// Whether `who` sees anything of its presence: the account itself, and contacts with a
    /// subscription, unless the access rules hide it. Only once it is loaded.
    [[nodiscard]] bool presence_visible_to(const Jid& who) const;
    /// Whether `who` may know that it exists, since it is subscribed or takes itself for it. Only
    /// once it is loaded.
    [[nodiscard]] bool known_to(const Jid& who) const;

    /// Whether `who` may know that it exists, also since it was granted something. Only once it is
    /// loaded.
    [[nodiscard]] bool may_be_asked_by(const Jid& who) const {
        return known_to(who) || (exists() && access_.grants_something(who));
    }

    /// Whether it takes part in presence: if not, nobody is told of any.
    [[nodiscard]] bool takes_part() const { return takes_part_; }
    void take_part(bool takes_part) { takes_part_ = takes_part; }

    /// Something is under way; it must not be dropped. An open question to the store keeps it alive
    /// from begin_question() to end_question().
    [[nodiscard]] bool busy() const;
    void begin_question() { ++open_questions_; }
    void end_question();
    /// Call it when something is done: if nothing is left to do, the account may be dropped.
    void rest();

    // ---- stanzas ----
    /// A stanza that is addressed to the account or to one of its sessions.
    void receive(PacketRef packet, AcknowledgementTicket ticket);
    /// Presence that a contact broadcasts, with `to` as its address for this account.
    void receive_broadcast(const PacketRef& packet, const Jid& to);
    /// An iq request that one of its own sessions sends to the account.
    void own_iq(Stanza& stanza, Resource& session);

private:
    enum class State : unsigned char {
        fresh,  ///< not loaded, or that failed
        loading,
        loading_outdated,  ///< what is being read has changed meanwhile: read it again
        absent,            ///< loaded: no such account
        disabled,
        active,
    };
    struct Loading;

    void load();
    void note_seen(const std::shared_ptr<Loading>& parts, std::optional<ArchiveQuery> query);
    void loaded_part(const std::shared_ptr<Loading>& parts);
    void finish_loading(const Outcome& outcome, State found);
    void receive_message(PacketRef packet, AcknowledgementTicket ticket);
    void receive_presence(const PacketRef& packet, AcknowledgementTicket ticket);
    void take_message(PacketRef packet, AcknowledgementTicket ticket);
    void receive_iq(const PacketRef& packet, AcknowledgementTicket ticket);
    [[nodiscard]] const IqHandler* handler_of(const Stanza& stanza, bool own) const;
    void answer_iq(Stanza& stanza, Resource* session);
    void answer_iq(const PacketRef& packet, Resource* session);
    void refuse(const PacketRef& packet, AcknowledgementTicket ticket);

    Hub& hub_;
    Jid jid_;
    AccountSessions sessions_;
    AccountRoster roster_;
    Subscriptions subscriptions_;
    AccountPresence presence_;
    AccountInbox inbox_;
    AccountAccess access_;
    std::vector<Task> waiting_;  ///< for the account to be loaded
    State state_ = State::fresh;
    State before_ = State::fresh;  ///< of the last loading that came to an end
    bool takes_part_ = true;
    unsigned open_questions_ = 0;  ///< to the store, whose answers come to us
};

}  // namespace causeway
