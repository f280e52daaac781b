// Feature: what one extension adds, as data. A feature is one file in gateway/features/ that
// defines a constant Feature; registry.cc there lists them by XEP number. Nothing else changes when
// one is added: the registry turns the list into dispatch tables and service discovery.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config/feature_option.h"
#include "gateway/feature/ad_hoc.h"
#include "gateway/feature/command.h"
#include "gateway/feature/disco.h"
#include "gateway/feature/metric.h"
#include "gateway/feature/points.h"
#include "gateway/feature/stream_feature.h"
#include "gateway/store/store.h"
#include "gateway/xmpp/stanza.h"

namespace causeway {

class Negotiation;

/// Whom an iq is addressed to.
enum class IqTarget : unsigned char {
    server,   ///< a served domain, by anyone
    own,      ///< the sender's own account (bare JID or no `to`), by one of its sessions
    account,  ///< an account on this server, by its audience; handled on the account's home shard
};

/// Who may ask an account. Others learn nothing, not even whether the account exists.
enum class IqAudience : unsigned char {
    anyone,
    presence_subscribers,  ///< the account itself, and contacts that may see its presence
    handler_decides,  ///< the handler is asked in any case, for an account that is not there too
};

/// An iq get or set that a handler is to answer, once, now or later (see IqReturn).
struct IqRequest {
    Hub& hub;
    Stanza& stanza;
    Element& payload;
    Resource* sender;  ///< the local session that sent it, or nullptr
    Account* account;  ///< the account that is asked, loaded; nullptr for IqTarget::server
};

/// Which iq requests a feature answers, and by which function.
struct IqHandler {
    StanzaType type = StanzaType::get;
    std::string_view ns;
    std::string_view name;
    IqTarget target = IqTarget::server;
    void (*handle)(const IqRequest& request) = nullptr;
    IqAudience audience = IqAudience::anyone;  ///< of IqTarget::account
    /// The error for a sender that is not of the audience, and for an account that does not exist.
    StanzaCondition refusal = StanzaCondition::service_unavailable;
    /// Of IqTarget::own: all it does is a change of the roster, which has its own order
    /// (AccountRoster::change). It need not wait for those before it, and is stored with them.
    bool changes_roster = false;
};

/// A store that a feature keeps. By this list the engine removes an account's data with the
/// account, and counts it, without knowing the feature.
struct OwnedStore {
    enum class Shape : unsigned char { map, log, archive };
    std::string_view name;
    Shape shape = Shape::map;
    bool of_accounts = true;  ///< its owners are bare JIDs of accounts here
};

/// What of a feature is read with an account, before the account answers anything: the entries of a
/// Map store whose owner it is.
struct AccountData {
    std::string_view store;
    void (*load)(Account& account, const std::vector<MapEntry>& entries) = nullptr;
    /// What `causewayctl user show` says of it once it is loaded, in a line of that title.
    std::string_view title = {};
    std::string (*tell)(const Account& account) = nullptr;  ///< nullptr: nothing
};

/// What of a session's state is kept with its stream, so that it is there again when the session
/// goes on after the end of the process (XEP-0198 §5).
struct SessionData {
    std::string_view name;  ///< a word
    /// Empty: the session has nothing of it.
    std::string (*save)(const Resource& session) = nullptr;
    void (*restore)(Resource& session, std::string_view saved) = nullptr;
    /// What the session is sent of a message of the account that did not go to itself, when it goes
    /// on and missed that; nullptr: nothing.
    PacketRef (*copy)(const Account& account, const Resource& session,
                      const ArchiveRow& message) = nullptr;
    /// Whether the session was given a copy of the message that has that number.
    bool (*had_copy)(const Resource& session, std::uint64_t number) = nullptr;
    /// The session goes on, and was given one by the process before.
    void (*got_copy)(Resource& session, std::uint64_t number) = nullptr;
};

struct Feature {
    std::string_view name;
    unsigned xep = 0;  ///< 0: part of an RFC
    std::string_view version = {};
    std::span<const std::string_view> server_disco = {};   ///< features of a domain
    std::span<const std::string_view> account_disco = {};  ///< features of an account
    std::span<const IqHandler> iq = {};
    std::span<const DiscoSource> disco = {};
    Points points = {};
    std::span<const StreamFeature> stream = {};
    std::span<const OwnedStore> stores = {};
    std::span<const AccountData> account_data = {};
    std::span<const SessionData> session_data = {};
    std::span<const FeatureOption* const> options = {};
    std::span<const Metric* const> metrics = {};      ///< counted in Hub::metrics
    std::span<const control::Command> commands = {};  ///< of the control socket
    std::span<const AdHocCommand> ad_hoc = {};        ///< menus of clients (XEP-0050)
};

}  // namespace causeway
