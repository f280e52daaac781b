// Who wants to hear of which nodes, kept where it is known: of a client of this server with its
// session, of a client elsewhere at the home of its domain. Nothing of it is kept with the accounts
// whose events they want.
#pragma once

#include "gateway/base/moment.h"
#include "gateway/feature/points.h"
#include "gateway/features/personal_events/resolver.h"
#include "gateway/xmpp/packet.h"

namespace causeway::personal_events {

/// Clients elsewhere whose interests are kept, on a shard; others get no notifications.
inline constexpr std::size_t remote_clients_limit = 100'000;
/// The same of one domain elsewhere.
inline constexpr std::size_t remote_clients_of_domain = 20'000;
/// Accounts here that one of them is available to; for others it is as if it were not.
inline constexpr std::size_t accounts_of_remote_client = 5000;

// points: what clients say of themselves in presence
Verdict note_announced(FromClient& from);
Verdict note_remote(FromServer& from);
void presence_changed(const Life& life);
void session_resumed(const Life& life);
void link_down(const Life& life);
// kept with a session
std::string save_interests(const Resource& session);
void restore_interests(Resource& session, std::string_view saved);

/// What a notification is of.
struct Occasion {
    std::string_view node;
    const std::vector<Jid>& except;  ///< clients that get it in another way
    Moment moment;
};

/// On the home of `contact`'s account or domain: gives its clients that want to hear of that node
/// the notification, each under its own address. Those that became known to want it after it are
/// sent the last item instead.
void deliver_to_interested(Hub& home, const Jid& contact, const PacketRef& event,
                           const Occasion& occasion);

/// On any shard: a bare address may hear from `owner`, which it could not before. Its clients are
/// sent the last items that they want; where a node is named, that of this one alone.
void may_hear_from_now_on(const Hub& from, const Jid& contact, const Jid& owner,
                          const std::string& node = {});

}  // namespace causeway::personal_events
