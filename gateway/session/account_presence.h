// AccountPresence: presence of one account (RFC 6121 §4): what its sessions say of themselves, and
// what its contacts say to it. Its state stands with each session (Resource).
#pragma once

#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/feature/acknowledgement.h"
#include "gateway/session/account_access.h"
#include "gateway/session/resource.h"

namespace causeway {

class Account;

class AccountPresence {
public:
    explicit AccountPresence(Account& account) : account_(account) {}

    // ---- its sessions ----
    /// Presence of any type from one of the account's sessions, checked (RFC 6121 §4.7).
    void from_session(Resource& session, Stanza& stanza, const PacketRef& packet,
                      AcknowledgementTicket ticket);
    /// The session ended without sending unavailable presence.
    void session_gone(Resource& session);
    /// A session of a process that was killed, with that name, has not come back: who was told that
    /// it is available, by broadcast or directly, is told that it is not, also if the account takes
    /// part in presence no more.
    void never_back(const Jid& session, bool was_available, const std::set<Jid>& directed);

    /// Whether a session with that broadcast presence, in canonical bytes, gets messages to the
    /// account's bare JID: it is available, and not of negative priority.
    [[nodiscard]] static bool takes_messages(std::string_view presence);

    // ---- others ----
    /// Presence for the account or one of its sessions, from anybody.
    void receive(const PacketRef& packet, AcknowledgementTicket ticket);
    /// Broadcast presence of a contact, to all available sessions, each with `to` as its address.
    void deliver_as(const PacketRef& packet, const Jid& to);
    /// Sends a contact the current presence of every available session, or that there is none.
    void send_current(const Jid& to);
    /// Presence was lost on the way to contacts at that domain, or from there: they are told again
    /// how each available session is, as they may see it, and asked in the name of the account.
    void renew(std::string_view domain);
    /// Sends it to that address as it may be seen there, if it may at all.
    void send_shown(const PacketRef& packet, const Jid& to);
    /// What a contact that probes is told while no session is available (RFC 6121 §4.3.2): the
    /// account's last unavailable presence, or nullptr for one that says nothing.
    void set_last(PacketRef last) { last_ = std::move(last); }
    /// Tells a contact that saw them, and may not any more, that every available session is
    /// unavailable. Who was shown nothing would learn from it that there was something.
    void send_unavailable(const Jid& to);
    /// Presence was published in the account's name, or withdrawn (AccessState::published).
    void published_changed();
    /// Whether the account shows presence at all may have changed, as it was disabled or takes part
    /// in other services: what was published in its name is shown anew, or is gone.
    void settle_published();
    /// The account goes away for good: what was published in its name goes with it.
    void end_published();
    /// Everybody who is shown something: subscribers, and who got directed presence.
    [[nodiscard]] std::vector<Jid> watchers() const;
    /// The access rules changed; `before` is what the watchers were shown until now.
    void views_changed(const std::vector<AccountAccess::Shown>& before);

private:
    void own(Resource& session, const PacketRef& packet, int priority);
    void became_available(Resource& session, const PacketRef& packet, int priority);
    void became_unavailable(Resource& session, const PacketRef& packet);
    void directed(Resource& session, const PacketRef& packet);
    void first_presence(Resource& session);
    void probe_contacts(const Resource& session);
    void send_requests(Resource& session);
    void broadcast(const PacketRef& packet);
    void broadcast_end(const PacketRef& packet, bool was_available, const std::set<Jid>& directed);
    [[nodiscard]] PacketRef published() const;
    [[nodiscard]] PacketRef hidden(const Jid& to) const;
    [[nodiscard]] PacketRef unavailable(const Jid& from) const;
    void broadcast_to_contacts(const PacketRef& packet);
    void show_anew(Resource& session, const AccountAccess::Shown& before, const PresenceView& now);
    void send_view(const PacketRef& packet, const Jid& to);
    void send_directed(const PacketRef& packet);
    [[nodiscard]] bool subscribed(const Jid& who) const;
    void probed(const PacketRef& packet);
    [[nodiscard]] bool answered_as_directed(const Packet& probe);
    void deliver(const PacketRef& packet);
    void refuse(Resource& session, const Stanza& stanza, std::string text);

    Account& account_;
    PacketRef last_;
};

}  // namespace causeway
