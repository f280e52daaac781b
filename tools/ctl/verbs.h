// The verbs of causewayctl as data: which words, which method of the control socket, which
// argument. Verbs that need more than that (passwords, files, waiting) have code of their own in
// causewayctl.cc.
#pragma once

#include <array>
#include <string_view>

namespace causeway::ctl {

struct Verb {
    std::string_view noun;
    std::string_view verb;  ///< empty: the noun alone is the verb
    std::string_view method;
    std::string_view argument;  ///< the parameter that the one argument becomes; empty: takes none
    bool required = true;
    std::string_view doc;
};

struct Noun {
    std::string_view name;
    std::string_view doc;
};

/// Nouns that have verbs under them.
inline constexpr std::array nouns{
    Noun{"user", "accounts"},
    Noun{"session", "sessions of clients"},
    Noun{"roster", "contacts of an account"},
    Noun{"peer", "streams with other servers"},
    Noun{"queue", "stanzas waiting for other servers"},
    Noun{"log", "what the server logs"},
};

inline constexpr std::array verbs{
    Verb{"status", "", "status", "", false, "The server at a glance"},
    Verb{"user", "remove", "user.remove", "jid", true, "Remove an account and all it has"},
    Verb{"user", "list", "user.list", "domain", false, "Accounts, of one domain or all"},
    Verb{"user", "show", "user.show", "jid", true, "One account"},
    Verb{"user", "disable", "user.disable", "jid", true, "End its sessions, refuse new ones"},
    Verb{"user", "enable", "user.enable", "jid", true, "Let it log in again"},
    Verb{"session", "list", "session.list", "jid", false, "Sessions, of one account or all"},
    Verb{"session", "kill", "session.kill", "jid", true, "End one session (a full JID)"},
    Verb{"roster", "show", "roster.show", "jid", true, "The contacts of an account"},
    Verb{"subscriptions", "", "subscriptions", "jid", true,
         "Who is subscribed to an account, and to whom it is subscribed"},
    Verb{"peer", "list", "peer.list", "", false, "Streams with other servers, and attempts"},
    Verb{"peer", "show", "peer.show", "domain", true, "All that is known of one domain"},
    Verb{"peer", "close", "peer.close", "domain", true, "Close every stream with a domain"},
    Verb{"peer", "retry", "peer.retry", "domain", true, "Try to reach a domain now"},
    Verb{"queue", "list", "queue.list", "", false, "Domains for which stanzas wait"},
    Verb{"queue", "show", "queue.show", "domain", true, "The stanzas waiting for a domain"},
    Verb{"queue", "drop", "queue.drop", "domain", true, "Drop them, without errors to senders"},
    Verb{"reload", "", "reload", "", false, "Read configuration and certificates again"},
    Verb{"log", "level", "log.level", "level", true, "Log down to error, warn, info or debug"},
    Verb{"help", "", "help", "", false, "The methods of the control socket"},
};

}  // namespace causeway::ctl
