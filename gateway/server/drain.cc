#include "gateway/server/drain.h"

#include <vector>

#include "gateway/base/log.h"
#include "gateway/server/operations_gather.h"
#include "gateway/server/service_manager.h"

namespace causeway {
namespace {

/// How often a draining server checks whether it has drained.
constexpr std::chrono::milliseconds look_interval{50};

/// Client sessions whose stream is gone give what they hold to the store instead of waiting to be
/// resumed. Returns what is still to end: streams, and messages on their way into the store.
struct Left {
    std::size_t clients = 0;
    std::size_t rest = 0;
};
Left left_to_drain(Server::Part& part) {
    Left left;
    part.clients->each_session([&](const ClientSession&) { ++left.clients; });
    part.clients->end_detached();
    left.clients += part.clients->negotiating();
    part.hub->ledger.erase_now();
    left.rest = part.hub->ledger.at_rest() ? 0U : 1U;
    part.servers->each_incoming([&](IncomingStream&) { ++left.rest; });
    left.rest += part.servers->ending();
    part.servers->each_pair([&](RemotePair& pair) { left.rest += pair.at_rest() ? 0U : 1U; });
    return left;
}

/// Everything has ended, or the time is over: what sessions still hold goes to the store.
std::size_t evict_all(Server::Part& part) {
    std::vector<ClientSession*> all;
    part.clients->each_session([&](ClientSession& session) { all.push_back(&session); });
    for (ClientSession* session : all) {
        session->leave_process("the server is shutting down");
    }
    return all.size();
}

}  // namespace

Drain::Drain(Server& server, boost::asio::io_context& main, Executor& here,
             std::function<void()> over)
    : server_(server), here_(here), over_(std::move(over)), deadline_(main), next_look_(main) {}

void Drain::begin(std::chrono::seconds patience) {
    deadline_.expires_after(patience);
    links_end_ = std::chrono::steady_clock::now() + patience / 2;
    deadline_.async_wait([this](const boost::system::error_code& error) {
        if (!error) finish();
    });
    if (begun()) return;
    phase_ = Phase::clients;
    CAUSEWAY_LOG(info, "server.stopping", {"seconds", patience.count()});
    tell_service_manager(ServiceState::stopping);
    server_.drain();
    watch();
}

void Drain::cancel() {
    deadline_.cancel();
    next_look_.cancel();
}

void Drain::watch() {
    next_look_.expires_after(look_interval);
    next_look_.async_wait([this](const boost::system::error_code& error) {
        if (!error) look();
    });
}

void Drain::look() {
    gather<Left>(server_, here_, left_to_drain, [this](const std::vector<Left>& left) {
        Left sum;
        for (const Left& part : left) {
            sum.clients += part.clients;
            sum.rest += part.rest;
        }
        // Contacts elsewhere hear first that the clients are gone; but not forever.
        if (phase_ == Phase::clients &&
            (sum.clients == 0 || std::chrono::steady_clock::now() >= links_end_)) {
            phase_ = Phase::links;
            server_.drain_links();
        } else if (sum.clients + sum.rest == 0) {
            finish();
            return;
        }
        watch();
    });
}

void Drain::finish() {
    if (phase_ == Phase::over) return;
    phase_ = Phase::over;
    gather<std::size_t>(server_, here_, evict_all,
                        [this](const std::vector<std::size_t>&) { over_(); });
}

}  // namespace causeway
