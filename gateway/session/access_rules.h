// Access rules: who may subscribe, see, write, read the archive and publish, as an ordered list
// that the owner of an account makes, and an administrator for a domain. The first rule that names
// the subject and the act decides. AccountAccess (account_access.h) asks the lists in their order.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/outcome.h"
#include "gateway/session/roster.h"
#include "gateway/xmpp/jid.h"

namespace causeway {

/// What somebody wants of an account.
enum class AccessAct : unsigned char {
    subscribe,     ///< be subscribed to its presence
    see,           ///< what is shown of its presence and personal events, once subscribed
    write,         ///< send it messages
    read_archive,  ///< read its archive
    publish,       ///< publish presence in its name
};

/// What a rule says; in brackets the act that can have that answer alone.
enum class AccessAnswer : unsigned char {
    allow,
    ask,     ///< its owner is asked (subscribe)
    hold,    ///< kept until its owner accepts it (write)
    polite,  ///< yes is said, and nothing is shown (subscribe)
    deny,
    view,  ///< a named view is shown (see)
};

/// As people write it in a rule.
std::string_view name_of(AccessAct act);
std::string_view name_of(AccessAnswer answer);
std::optional<AccessAct> read_act(std::string_view text);

/// Somebody about whom is asked, with what the account knows.
struct AccessAsker {
    /// `who` and `in_roster` outlive it.
    AccessAsker(const Jid& who, const RosterItem* in_roster, bool is_anonymous)
        : jid(who),
          full(who.full()),
          bare(who.bare()),
          domain(who.domain()),
          contact(in_roster),
          anonymous(is_anonymous) {}

    const Jid& jid;
    const std::string_view full, bare, domain;  ///< of it: a list compares them often
    const RosterItem* contact;                  ///< nullptr: not in the roster
    bool anonymous;                             ///< of a domain of anonymous accounts (XEP-0175)
};

/// Whom a rule is about.
class AccessSubject {
public:
    enum class Kind : unsigned char {
        jid,
        domain,
        domain_tree,  ///< a domain and all below it
        group,        ///< of the roster
        subscription,
        anonymous,
        anyone,
    };

    /// "jid:J", "domain:D", "domain:*.D", "group:G", "subscription:both|to|from|none",
    /// "anonymous", "anyone"; malformed otherwise, with what would be right.
    static Result<AccessSubject> parse(std::string_view text);

    [[nodiscard]] bool names(const AccessAsker& asker) const;
    /// Whoever the other names is named by this one as well. False also where that depends on the
    /// roster.
    [[nodiscard]] bool covers(const AccessSubject& other) const;
    /// A number that two subjects have in common if they are the same, and seldom otherwise; 0 if
    /// the subject is not told by a name.
    [[nodiscard]] std::uint32_t tag() const;
    /// As parse() takes it.
    [[nodiscard]] std::string text() const;
    /// As it stands in a sentence.
    [[nodiscard]] std::string words() const;

    bool operator==(const AccessSubject&) const = default;

private:
    Kind kind_ = Kind::anyone;
    std::string name_;
};

/// One rule: whom it is about, what is wanted, and the answer.
struct AccessRule {
    AccessSubject subject;
    AccessAct act = AccessAct::subscribe;
    AccessAnswer answer = AccessAnswer::ask;
    std::string view;      ///< of AccessAnswer::view
    bool waived = false;   ///< of a domain: an account's own rule may overrule it
    UnixMillis since = 0;  ///< when it was made

    /// `answer` is one that `act` can have, or the name of a view; malformed otherwise.
    static Result<AccessRule> parse(std::string_view subject, std::string_view act,
                                    std::string_view answer);
    /// "anybody at b.test may not subscribe".
    [[nodiscard]] std::string sentence() const;
    /// The answer as parse() takes it.
    [[nodiscard]] std::string answer_text() const;
};

/// The tags of all subjects that can name an asker, as bits: a rule of any other is passed over.
class AccessTags {
public:
    /// All of them: nothing is passed over.
    AccessTags() { bits_.set(); }
    explicit AccessTags(const AccessAsker& asker);

    [[nodiscard]] bool may_have(std::uint32_t tag) const { return tag == 0 || bits_[tag % bits]; }

private:
    static constexpr std::size_t bits = 512;

    void add(AccessSubject::Kind kind, std::string_view name);

    std::bitset<bits> bits_;
};

/// One ordered list.
class AccessRules {
public:
    [[nodiscard]] const std::vector<AccessRule>& all() const { return rules_; }
    [[nodiscard]] bool empty() const { return rules_.empty(); }
    enum class Which : unsigned char { all, binding, waived };
    /// The first of those that names the asker and the act; nullptr: none does.
    [[nodiscard]] const AccessRule* find(const AccessAsker& asker, AccessAct act,
                                         Which which = Which::all) const;
    /// Some rule is about that act.
    [[nodiscard]] bool about(AccessAct act) const;
    /// Some answer to a request is the polite one.
    [[nodiscard]] bool polite() const { return polite_; }
    /// The place of one of all(), from 1.
    [[nodiscard]] std::size_t number_of(const AccessRule& rule) const {
        return static_cast<std::size_t>(&rule - rules_.data()) + 1;
    }

    /// The first that decides before that one of all(), whoever asks; nullptr: none does.
    [[nodiscard]] const AccessRule* deciding_before(const AccessRule& rule) const;

    /// `at`: its place from 1; beyond the end: the last.
    void insert(AccessRule rule, std::size_t at);
    /// False: there is no rule of that number.
    bool remove(std::size_t number);
    void clear();

    [[nodiscard]] std::string serialise() const;
    /// A rule that cannot be read is left out, and the answer is nullopt, so that a damaged list
    /// does not open what it kept shut.
    static std::optional<AccessRules> read(std::string_view text);

private:
    /// What is looked at of a rule before its text: a long list is walked for every asker.
    struct Key {
        std::uint32_t tag;
        AccessAct act;
        bool waived;
    };

    void index();

    std::vector<AccessRule> rules_;
    std::vector<Key> keys_;  ///< of rules_, in their order
    unsigned acts_ = 0;      ///< bits of the acts that rules are about
    bool polite_ = false;
};

}  // namespace causeway
