#include "tests/loss/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/loss/dice.h"

namespace causeway::loss {
namespace {

using Kind = Fault::Kind;

/// How often each is drawn, in relation.
constexpr struct {
    Kind kind;
    std::size_t weight;
} weights[] = {
    {Kind::client_reset, 6},     {Kind::client_leaves, 4},    {Kind::client_away, 3},
    {Kind::link_cut, 5},         {Kind::server_killed, 6},    {Kind::power_cut, 2},
    {Kind::server_restarted, 2}, {Kind::server_frozen, 3},    {Kind::server_unreachable, 1},
    {Kind::store_full, 2},       {Kind::store_doubts, 2},     {Kind::store_fails, 2},
    {Kind::store_slow, 3},       {Kind::store_unreadable, 1}, {Kind::clock_jumps, 2},
};

bool is_of_client(Kind kind) {
    return kind == Kind::client_reset || kind == Kind::client_leaves || kind == Kind::client_away;
}

Kind draw_kind(Dice& dice) {
    std::size_t all = 0;
    for (const auto& one : weights) all += one.weight;
    std::size_t drawn = dice.below(all);
    for (const auto& one : weights) {
        if (drawn < one.weight) return one.kind;
        drawn -= one.weight;
    }
    return Kind::client_reset;
}

Fault draw_fault(Dice& dice, const Schedule& schedule) {
    Fault fault;
    fault.kind = draw_kind(dice);
    fault.step = dice.between(5, schedule.steps - 1);
    fault.who = dice.below(is_of_client(fault.kind) ? schedule.clients.size() : schedule.servers);
    const std::size_t lasts = dice.between(1, dice.one_in(3) ? 60 : 15);
    switch (fault.kind) {
        case Kind::client_reset:
        case Kind::client_leaves:
            fault.time = Duration(dice.one_in(4) ? dice.below(20'000) : dice.below(500));
            break;
        case Kind::client_away:
            fault.time =
                Duration(1000) * static_cast<int>(dice.between(10, dice.one_in(2) ? 250 : 900));
            break;
        case Kind::server_killed:
        case Kind::power_cut:
            fault.amount = dice.below(4);
            fault.heals = fault.step + lasts;
            break;
        case Kind::server_restarted:
        case Kind::server_frozen:
        case Kind::server_unreachable:
        case Kind::store_full:
        case Kind::store_slow: fault.heals = fault.step + lasts; break;
        case Kind::store_doubts:
        case Kind::store_fails:
        case Kind::store_unreadable: fault.amount = dice.between(1, 3); break;
        case Kind::clock_jumps:
            fault.time = std::chrono::minutes(dice.between(1, dice.one_in(2) ? 10 : 3000));
            if (dice.one_in(2)) fault.time = -fault.time;
            break;
        case Kind::link_cut: break;
    }
    return fault;
}

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::client_reset: return "loses its connection";
        case Kind::client_leaves: return "leaves its connection as it is";
        case Kind::client_away: return "is away";
        case Kind::link_cut: return "loses the connections that servers made to it";
        case Kind::server_killed: return "is killed";
        case Kind::power_cut: return "is without power";
        case Kind::server_restarted: return "shuts down in good order";
        case Kind::server_frozen: return "is stopped";
        case Kind::server_unreachable: return "answers no new connections";
        case Kind::store_full: return "has no room to store";
        case Kind::store_doubts: return "does not say whether it has stored";
        case Kind::store_fails: return "fails to store";
        case Kind::store_slow: return "stores nothing";
        case Kind::store_unreadable: return "fails to read";
        case Kind::clock_jumps: return "and all others: the clock jumps";
    }
    return {};
}

}  // namespace

std::string server_name(std::size_t server) {
    return std::string(1, static_cast<char>('a' + server));
}

std::string client_name(const Schedule& schedule, std::size_t client) {
    return fmt::format("{}{}", server_name(schedule.clients[client].server), client);
}

Schedule draw(std::uint64_t seed) {
    Dice dice(seed);
    Schedule schedule{.seed = seed};
    schedule.servers = dice.one_in(4) ? 3 : 2;
    schedule.shards = dice.one_in(3) ? 2 : 1;
    schedule.piece = dice.one_in(5) ? dice.between(50, 1000) : 0;
    schedule.archives = !dice.one_in(4);
    schedule.lazy_stores = dice.one_in(2);
    schedule.steps = dice.between(60, 250);
    const std::size_t clients = dice.between(2, 6);
    for (std::size_t client = 0; client < clients; ++client) {
        // The first two are at different servers.
        schedule.clients.push_back(
            {.server = client < 2 ? client : dice.below(schedule.servers),
             .managed = !dice.one_in(6),
             .answers_after = Duration(dice.one_in(4) ? dice.between(500, 8000) : 0)});
    }
    const std::size_t sendings = dice.between(5, 25);
    for (std::size_t i = 0; i < sendings; ++i) {
        Sending sending{.step = dice.below(schedule.steps),
                        .from = dice.below(clients),
                        .to = dice.below(clients - 1),
                        .count = dice.between(1, 4)};
        if (sending.to >= sending.from) ++sending.to;
        schedule.sendings.push_back(sending);
    }
    const std::size_t faults = dice.between(1, 9);
    for (std::size_t i = 0; i < faults; ++i) {
        schedule.faults.push_back(draw_fault(dice, schedule));
    }
    std::ranges::stable_sort(schedule.sendings, {}, &Sending::step);
    std::ranges::stable_sort(schedule.faults, {}, &Fault::step);
    return schedule;
}

Schedule without(Schedule schedule, const std::vector<std::size_t>& faults) {
    std::vector<Fault> kept;
    for (std::size_t i = 0; i < schedule.faults.size(); ++i) {
        if (std::ranges::find(faults, i + 1) == faults.end()) kept.push_back(schedule.faults[i]);
    }
    schedule.faults = std::move(kept);
    return schedule;
}

std::string describe(const Fault& fault) {
    std::string text = fmt::format("{}", name_of(fault.kind));
    if (fault.amount != 0) text += fmt::format(" ({})", fault.amount);
    if (fault.time != Duration::zero()) text += fmt::format(" by {} s", fault.time.count() / 1000);
    if (fault.heals != 0) text += fmt::format(" until step {}", fault.heals);
    return text;
}

std::string describe(const Schedule& schedule) {
    std::string text =
        fmt::format("{} servers of {} shards{}{}{}, {} steps\n", schedule.servers, schedule.shards,
                    schedule.piece == 0 ? "" : fmt::format(", pieces of {} bytes", schedule.piece),
                    schedule.archives ? ", with archives" : ", without archives",
                    schedule.lazy_stores ? ", lazy stores" : "", schedule.steps);
    for (std::size_t i = 0; i < schedule.clients.size(); ++i) {
        text += fmt::format("{} at {}.test{}, answers after {} ms\n", client_name(schedule, i),
                            server_name(schedule.clients[i].server),
                            schedule.clients[i].managed ? "" : " without stream management",
                            schedule.clients[i].answers_after.count());
    }
    for (std::size_t i = 0; i < schedule.faults.size(); ++i) {
        const Fault& fault = schedule.faults[i];
        text += fmt::format(
            "{}. step {}: {} {}\n", i + 1, fault.step,
            is_of_client(fault.kind) ? client_name(schedule, fault.who) : server_name(fault.who),
            describe(fault));
    }
    return text;
}

}  // namespace causeway::loss
