// Links to other servers and what waits for them, for the control socket; see operations.h. The
// stored queues are one for each pair of domains; here they are shown by the other server's domain.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "gateway/net/system_network.h"
#include "gateway/server/operations.h"
#include "gateway/server/operations_gather.h"
#include "gateway/server/queue_drop.h"
#include "gateway/server/queue_page.h"

namespace causeway {
namespace {

using control::Answer;
using control::Direction;
using control::Done;
using control::Page;
using control::PageRequest;
using control::PeerDetail;
using control::PeerRow;
using control::QueuedStanza;
using control::QueueRow;
using control::TargetRow;

/// Queues that a listing reads; a server with more is in other trouble.
constexpr std::size_t queue_limit = 100'000;

/// What one shard has of other servers.
struct ShardPeers {
    std::vector<PairReport> pairs;
    std::vector<PeerRow> incoming;
};

void add_incoming(IncomingStream& stream, std::vector<PeerRow>& rows) {
    const Channel& channel = stream.stream().channel();
    PeerRow row;
    row.direction = Direction::inbound;
    row.state = "established";
    row.address = to_string(channel.remote());
    row.since = stream.since();
    if (const TlsEngine* tls = channel.tls()) row.tls = {tls->version(), tls->cipher()};
    if (stream.pairs().empty() && !stream.peer_domain().empty()) {
        // What it says it is; nothing is proven yet.
        row.domain = stream.peer_domain();
        row.state = "negotiating";
        rows.push_back(row);
    }
    for (const auto& [pair, how] : stream.pairs()) {
        row.domain = pair.remote;
        row.local = pair.local;
        row.authentication = how;
        rows.push_back(row);
    }
}

/// Everything about `remote`, or about everybody if it is empty.
ShardPeers peers_of(Server::Part& part, const std::string& remote) {
    ShardPeers found;
    part.servers->each_pair([&](RemotePair& pair) {
        if (remote.empty() || pair.remote() == remote) found.pairs.push_back(pair.report());
    });
    part.servers->each_incoming(
        [&](IncomingStream& stream) { add_incoming(stream, found.incoming); });
    if (!remote.empty()) {
        std::erase_if(found.incoming, [&](const PeerRow& row) { return row.domain != remote; });
    }
    return found;
}

/// nullopt: there is neither a link nor an attempt, and it never failed.
std::optional<PeerRow> row_of(const PairReport& report, std::uint64_t stored) {
    const bool idle = report.state == "idle";
    if (idle && report.last_error.empty() && stored == 0 && report.in_memory == 0) {
        return std::nullopt;
    }
    return PeerRow{.domain = report.remote,
                   .local = report.local,
                   .direction = Direction::outbound,
                   // Until there is something to say, it waits for that.
                   .state = idle ? "waiting" : report.state,
                   .authentication = report.authentication,
                   .tls = {report.tls_version, report.tls_cipher},
                   .target = report.target,
                   .address = report.address,
                   .last_error = report.last_error,
                   .last_error_at = report.last_error_at,
                   .since = report.since,
                   .next_retry = report.next_retry,
                   .queued = stored + report.in_memory};
}

std::uint64_t stored_of(const std::vector<LogTotals>& totals, const PairReport& report) {
    const std::string owner = RemotePair::queue_owner(report.remote, report.local);
    const auto found = std::ranges::lower_bound(totals, owner, {}, &LogTotals::owner);
    return found == totals.end() || found->owner != owner ? 0 : found->rows;
}

std::vector<PeerRow> rows_of(const ShardPeers& peers, const std::vector<LogTotals>& totals) {
    std::vector<PeerRow> rows = peers.incoming;
    for (const PairReport& report : peers.pairs) {
        if (auto row = row_of(report, stored_of(totals, report))) rows.push_back(std::move(*row));
        if (!report.both_ways) continue;
        PeerRow back;
        back.domain = report.remote;
        back.local = report.local;
        back.direction = Direction::inbound;
        back.state = report.state;
        back.authentication = report.authentication;
        back.tls = {report.tls_version, report.tls_cipher};
        back.target = "our own stream";
        back.address = report.address;
        back.since = report.since;
        rows.push_back(std::move(back));
    }
    return rows;
}

void sort(std::vector<PeerRow>& rows) {
    std::ranges::sort(rows, [](const PeerRow& a, const PeerRow& b) {
        return std::tie(a.domain, a.local, a.direction) < std::tie(b.domain, b.local, b.direction);
    });
}

/// The remote domain of a queue's owner.
std::string_view remote_of(std::string_view owner) { return owner.substr(0, owner.find(' ')); }

/// One row for each remote domain, from the stored queues and what its pairs say.
std::vector<QueueRow> queues_of(const std::vector<LogTotals>& totals,
                                const std::vector<ShardPeers>& peers) {
    std::map<std::string, QueueRow, std::less<>> queues;
    for (const LogTotals& total : totals) {
        const std::string remote(remote_of(total.owner));
        QueueRow& row = queues[remote];
        row.domain = remote;
        row.stanzas += total.rows;
        row.bytes += total.bytes;
        row.oldest = row.oldest == 0 ? total.oldest : std::min(row.oldest, total.oldest);
    }
    for (const ShardPeers& shard : peers) {
        for (const PairReport& report : shard.pairs) {
            const auto queue = queues.find(report.remote);
            if (queue == queues.end()) continue;
            QueueRow& row = queue->second;
            row.attempts = std::max(row.attempts, report.attempts);
            if (!report.last_error.empty()) row.last_error = report.last_error;
            if (report.next_retry != 0 &&
                (row.next_retry == 0 || report.next_retry < row.next_retry)) {
                row.next_retry = report.next_retry;
            }
        }
    }
    std::vector<QueueRow> rows;
    rows.reserve(queues.size());
    for (auto& [remote, row] : queues) rows.push_back(std::move(row));
    return rows;
}

TargetRow row_of(const ConnectTarget& target) {
    TargetRow row;
    row.host = target.host;
    row.port = target.port;
    row.direct_tls = target.direct_tls;
    row.priority = target.priority;
    row.weight = target.weight;
    return row;
}

/// One of our domains may have tried a target that another did not need.
void add_outcome(const TargetOutcome& outcome, TargetRow& row) {
    if (row.addresses.empty()) {
        for (const Address& address : outcome.addresses) {
            row.addresses.push_back(address.to_string());
        }
    }
    if (row.last_error.empty()) row.last_error = outcome.last_error;
}

std::vector<TargetRow> targets_of(const std::vector<ShardPeers>& peers) {
    std::vector<TargetRow> rows;
    for (const ShardPeers& shard : peers) {
        for (const PairReport& report : shard.pairs) {
            for (const TargetOutcome& outcome : report.targets) {
                const ConnectTarget& target = outcome.target;
                auto row = std::ranges::find_if(rows, [&](const TargetRow& other) {
                    return other.host == target.host && other.port == target.port &&
                           other.direct_tls == target.direct_tls;
                });
                if (row == rows.end()) row = rows.insert(rows.end(), row_of(target));
                add_outcome(outcome, *row);
            }
        }
    }
    return rows;
}

Result<std::string> domain_of(std::string_view text) {
    auto domain = prepare_domain(text);
    if (!domain) {
        return Outcome::malformed(
            fmt::format("\"{}\" is not a domain: {}", text, domain.error().why()));
    }
    return domain;
}

}  // namespace

void ServerOperations::with_queues(std::function<void(Result<std::vector<LogTotals>>)> then) {
    server_.shared().store.log_totals(std::string(RemotePair::store_name), queue_limit, home_,
                                      std::move(then));
}

// ---- links ----

void ServerOperations::list_peers(PageRequest page, Answer<Page<PeerRow>> answer) {
    // A page is a shard.
    unsigned shard = 0;
    std::from_chars(page.after.data(), page.after.data() + page.after.size(), shard);
    if (shard >= server_.shards().count()) {
        answer(Page<PeerRow>{});
        return;
    }
    const bool last = shard + 1 == server_.shards().count();
    with_queues([this, shard, next = last ? std::string{} : fmt::format("{}", shard + 1),
                 answer = std::move(answer)](Result<std::vector<LogTotals>> totals) {
        if (!totals) {
            answer(totals.error());
            return;
        }
        ask<ShardPeers>(
            server_.part(shard), home_, [](Server::Part& part) { return peers_of(part, {}); },
            [next, answer, totals = std::move(*totals)](const ShardPeers& peers) {
                Page<PeerRow> found{rows_of(peers, totals), next};
                sort(found.rows);
                answer(std::move(found));
            });
    });
}

void ServerOperations::show_peer(std::string domain, Answer<PeerDetail> answer) {
    const auto remote = domain_of(domain);
    if (!remote) {
        answer(remote.error());
        return;
    }
    with_queues([this, remote = *remote, answer](Result<std::vector<LogTotals>> totals) {
        if (!totals) {
            answer(totals.error());
            return;
        }
        std::erase_if(*totals,
                      [&](const LogTotals& total) { return remote_of(total.owner) != remote; });
        gather<ShardPeers>(
            server_, home_, [remote](Server::Part& part) { return peers_of(part, remote); },
            [remote, answer, totals = std::move(*totals)](const std::vector<ShardPeers>& peers) {
                PeerDetail detail;
                detail.domain = remote;
                detail.targets = targets_of(peers);
                for (const ShardPeers& shard : peers) {
                    std::ranges::move(rows_of(shard, totals), std::back_inserter(detail.links));
                }
                sort(detail.links);
                for (QueueRow& row : queues_of(totals, peers)) detail.queue = std::move(row);
                if (detail.links.empty() && !detail.queue) {
                    answer(Outcome::absent(
                        fmt::format("nothing is known of {}: no stream with it, no attempt lately, "
                                    "and nothing waits for it (see check)",
                                    remote)));
                } else {
                    answer(std::move(detail));
                }
            });
    });
}

void ServerOperations::close_peer(std::string domain, Answer<std::uint64_t> answer) {
    const auto remote = domain_of(domain);
    if (!remote) {
        answer(remote.error());
        return;
    }
    gather<std::size_t>(
        server_, home_,
        [remote = *remote](Server::Part& part) { return part.servers->close(remote); },
        [remote = *remote, answer](const std::vector<std::size_t>& closed) {
            std::uint64_t total = 0;
            for (const std::size_t count : closed) total += count;
            if (total == 0) {
                answer(Outcome::absent(fmt::format("no stream with {}", remote)));
            } else {
                answer(total);
            }
        });
}

void ServerOperations::retry_peer(std::string domain, Done done) {
    show_peer(domain, [this, done = std::move(done)](const Result<PeerDetail>& peer) {
        if (!peer) {
            done(peer.error());
            return;
        }
        ask<bool>(
            server_.home_of(peer->domain), home_,
            [remote = peer->domain](Server::Part& part) {
                part.servers->each_pair([&](RemotePair& pair) {
                    if (pair.remote() == remote) pair.retry();
                });
                return true;
            },
            [done](bool) { done({}); });
    });
}

// ---- queues ----

void ServerOperations::list_queues(PageRequest, Answer<Page<QueueRow>> answer) {
    with_queues([this, answer = std::move(answer)](Result<std::vector<LogTotals>> totals) {
        if (!totals) {
            answer(totals.error());
            return;
        }
        gather<ShardPeers>(
            server_, home_, [](Server::Part& part) { return peers_of(part, {}); },
            [answer, totals = std::move(*totals)](const std::vector<ShardPeers>& peers) {
                answer(Page<QueueRow>{queues_of(totals, peers), {}});
            });
    });
}

void ServerOperations::show_queue(std::string domain, PageRequest page,
                                  Answer<Page<QueuedStanza>> answer) {
    const auto remote = domain_of(domain);
    if (!remote) {
        answer(remote.error());
        return;
    }
    with_queues([this, remote = *remote, page = std::move(page),
                 answer](Result<std::vector<LogTotals>> totals) {
        if (!totals) {
            answer(totals.error());
            return;
        }
        std::vector<std::string> owners;
        for (LogTotals& total : *totals) {
            if (remote_of(total.owner) == remote) owners.push_back(std::move(total.owner));
        }
        ask<ShardPeers>(
            server_.home_of(remote), home_,
            [remote](Server::Part& part) { return peers_of(part, remote); },
            [this, page, answer, owners](const ShardPeers& peers) {
                std::uint64_t attempts = 0;
                for (const PairReport& report : peers.pairs) {
                    attempts = std::max(attempts, report.attempts);
                }
                std::make_shared<QueuePage>(server_.shared(), home_, page, attempts, answer)
                    ->read(owners);
            });
    });
}

void ServerOperations::drop_queue(std::string domain, Answer<std::uint64_t> answer) {
    const auto remote = domain_of(domain);
    if (!remote) {
        answer(remote.error());
        return;
    }
    with_queues([this, remote = *remote, answer](Result<std::vector<LogTotals>> totals) {
        if (!totals) {
            answer(totals.error());
            return;
        }
        std::erase_if(*totals,
                      [&](const LogTotals& total) { return remote_of(total.owner) != remote; });
        std::make_shared<QueueDrop>(server_, home_, remote, answer)->start(*totals);
    });
}

}  // namespace causeway
