// Schedule: who there is, what is sent and what breaks in one simulated run, all drawn from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/base/clock.h"

namespace causeway::loss {

/// Something that is done to the world; what lasts heals at a later step.
struct Fault {
    enum class Kind : unsigned char {
        client_reset,        ///< both ends notice
        client_leaves,       ///< the server takes the old connection for whole until it is back
        client_away,         ///< for long; perhaps longer than a session can be resumed
        link_cut,            ///< every connection that other servers made to that server
        server_killed,       ///< held commits beyond `amount` are lost
        power_cut,           ///< likewise, and what it had written to the network
        server_restarted,    ///< in good order
        server_frozen,       ///< does nothing for a while; nobody is told
        server_unreachable,  ///< attempts to connect to it are not answered
        store_full,          ///< refuses every commit for a while
        store_doubts,        ///< commits `amount` times, and says that it may have failed
        store_fails,         ///< refuses `amount` commits
        store_slow,          ///< commits nothing for a while
        store_unreadable,    ///< answers `amount` questions with a failure
        clock_jumps,         ///< everybody's wall clock, by `time`
    };
    Kind kind = Kind::client_reset;
    std::size_t step = 0;
    std::size_t heals = 0;  ///< the step; where nothing lasts 0
    std::size_t who = 0;    ///< client or server
    std::size_t amount = 0;
    Duration time{0};
};

struct Sending {
    std::size_t step = 0;
    std::size_t from = 0, to = 0;  ///< clients
    std::size_t count = 1;
};

struct ScheduledClient {
    std::size_t server = 0;
    bool managed = true;
    Duration answers_after{0};
};

struct Schedule {
    std::uint64_t seed = 0;
    std::size_t servers = 2;
    unsigned shards = 1;
    std::size_t piece = 0;  ///< bytes that the network moves at once; 0: all
    bool archives = true;
    bool lazy_stores = false;  ///< they commit some time after they were asked to
    std::size_t steps = 0;
    std::vector<ScheduledClient> clients = {};
    std::vector<Sending> sendings = {};
    std::vector<Fault> faults = {};  ///< by step
};

Schedule draw(std::uint64_t seed);
/// Without those faults, by their numbers in the description, from 1.
Schedule without(Schedule schedule, const std::vector<std::size_t>& faults);
std::string describe(const Fault& fault);
/// Lines for people.
std::string describe(const Schedule& schedule);

/// "a", "b" ...; its domain is a.test.
std::string server_name(std::size_t server);
std::string client_name(const Schedule& schedule, std::size_t client);

}  // namespace causeway::loss
