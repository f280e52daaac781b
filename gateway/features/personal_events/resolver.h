// CapabilitiesResolver: what clients with certain capabilities (XEP-0115) want to hear of. It asks
// one client for all that announce the same hash, and believes what has that hash; what does not is
// used for the client that said it and for nobody else. There is one for each hub; for each
// hash, one of them asks for all, and the others remember what it learnt.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include "gateway/feature/slots.h"
#include "gateway/features/personal_events/capabilities.h"
#include "gateway/route/asking.h"
#include "gateway/session/hub.h"

namespace causeway::personal_events {

using InterestsRef = std::shared_ptr<const Interests>;

class CapabilitiesResolver final : public SlotState {
public:
    /// Hashes that are remembered; the one that came first is forgotten first.
    static constexpr std::size_t cache_limit = 4096;
    /// Clients whose capabilities are not known yet, in all and of one source: a bare address here,
    /// or another domain. Others stay unknown.
    static constexpr std::size_t waiting_limit = 20'000;
    static constexpr std::size_t waiting_of_address = 20;
    static constexpr std::size_t waiting_of_domain = 2'000;
    /// Clients that are asked in vain before those that wait are given up.
    static constexpr unsigned tries = 4;
    /// What was learnt.
    struct Answer {
        InterestsRef interests;  ///< nullptr: nothing could be learnt now
        bool verified = false;   ///< it has the hash
    };
    using Done = std::function<void(const Answer&)>;

    explicit CapabilitiesResolver(Hub& hub) : hub_(hub) {}

    static CapabilitiesResolver& of(Hub& hub);

    /// Tells `done` once what `client` wants, or that this cannot be learnt now: at once if its
    /// capabilities are known or too many wait, or later. It is asked in the name of `account`, a
    /// bare address here.
    void resolve(const AnnouncedCapabilities& announced, const Jid& account, const Jid& client,
                 Done done);

private:
    struct Waiting {
        AnnouncedCapabilities announced;
        Jid account, client;
        Done done;
    };
    struct Pending {
        std::deque<Waiting> waiting;  ///< the first is asked
        unsigned tried = 0;
    };
    void resolve_elsewhere(Hub& keeper, Waiting waiting);
    /// Whether it may wait; if so, it is counted.
    bool admit(const Jid& client);
    void leave(const Jid& client);
    [[nodiscard]] std::string source_of(const Jid& client) const;
    void ask(const std::string& key);
    void ask_here(Hub& asking, const std::string& key, const Waiting& whom);
    void answered(const std::string& key, const Answer& answer);
    void remember(const std::string& key, const InterestsRef& interests);

    Hub& hub_;
    std::unordered_map<std::string, InterestsRef> known_;
    std::list<std::string> order_;  ///< of known_, oldest first
    std::unordered_map<std::string, Pending> pending_;
    std::size_t waiting_ = 0;
    std::unordered_map<std::string, std::size_t> waiting_of_;  ///< by source
    /// Open questions that are asked from this hub, for itself or another.
    std::unordered_map<std::uint64_t, Question> questions_;
    std::uint64_t next_question_ = 0;
};

}  // namespace causeway::personal_events
