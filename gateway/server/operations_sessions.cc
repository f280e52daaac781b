// Sessions, for the control socket; see operations.h.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "gateway/net/system_network.h"
#include "gateway/server/operations.h"
#include "gateway/server/operations_gather.h"

namespace causeway {
namespace {

using control::Answer;
using control::Done;
using control::Page;
using control::PageRequest;
using control::SessionRow;

SessionRow row_of(ClientSession& session) {
    SessionRow row;
    row.jid = session.jid().bare();
    row.resource = session.jid().resource();
    row.state = session.available() ? "available" : "unavailable";
    row.since = session.since();
    row.unacked = session.unacked();
    row.resumable = session.resumable();
    if (session.available()) row.priority = session.priority;
    if (session.detached()) {
        row.state = "detached";
        return row;
    }
    const ClientStream& stream = *session.stream();
    const Channel& channel = stream.stream().channel();
    row.transport = to_string(channel.kind());
    row.mechanism = stream.mechanism();
    row.address = to_string(channel.remote());
    if (const TlsEngine* tls = channel.tls()) row.tls = {tls->version(), tls->cipher()};
    return row;
}

/// The sessions of one shard that `wanted` takes, by address.
std::vector<SessionRow> rows_of(Server::Part& part,
                                const std::function<bool(const ClientSession&)>& wanted) {
    std::vector<SessionRow> rows;
    part.clients->each_session([&](ClientSession& session) {
        if (wanted(session)) rows.push_back(row_of(session));
    });
    std::ranges::sort(rows, [](const SessionRow& a, const SessionRow& b) {
        return std::tie(a.jid, a.resource) < std::tie(b.jid, b.resource);
    });
    return rows;
}

ClientSession* find(Server::Part& part, const Jid& full) {
    Account* user = part.hub->accounts->find(full.bare());
    // Every resource is a client's session; see ClientTable.
    return user == nullptr ? nullptr
                           : static_cast<ClientSession*>(user->sessions().find(full.resource()));
}

Outcome no_session(const Jid& full) {
    return Outcome::absent(fmt::format("no session {}", full.full()));
}

}  // namespace

void ServerOperations::list_sessions(std::string jid, PageRequest page,
                                     Answer<Page<SessionRow>> answer) {
    if (jid.empty()) {
        // A page is a shard.
        unsigned shard = 0;
        std::from_chars(page.after.data(), page.after.data() + page.after.size(), shard);
        if (shard >= server_.shards().count()) {
            answer(Page<SessionRow>{});
            return;
        }
        const bool last = shard + 1 == server_.shards().count();
        ask<std::vector<SessionRow>>(
            server_.part(shard), home_,
            [](Server::Part& part) {
                return rows_of(part, [](const ClientSession&) { return true; });
            },
            [answer = std::move(answer),
             next = last ? std::string{}
                         : fmt::format("{}", shard + 1)](std::vector<SessionRow> rows) {
                answer(Page<SessionRow>{std::move(rows), next});
            });
        return;
    }
    const auto wanted = Jid::parse(jid);
    if (!wanted || !wanted->has_local()) {
        answer(Outcome::malformed(fmt::format("\"{}\" is not an address of a user", jid)));
        return;
    }
    const auto look = [this, full = *wanted, answer] {
        ask<std::vector<SessionRow>>(
            server_.home_of(full.bare()), home_,
            [full](Server::Part& part) {
                return rows_of(part, [&](const ClientSession& session) {
                    return session.jid().bare() == full.bare() &&
                           (!full.has_resource() || session.jid() == full);
                });
            },
            [full, answer](std::vector<SessionRow> rows) {
                if (rows.empty() && full.has_resource()) {
                    answer(no_session(full));
                } else {
                    answer(Page<SessionRow>{std::move(rows), {}});
                }
            });
    };
    if_account(wanted->bare_jid(), answer, look);
}

void ServerOperations::kill_session(std::string full_jid, Done done) {
    const auto full = Jid::parse(full_jid);
    if (!full || !full->has_local() || !full->has_resource()) {
        done(Outcome::malformed(fmt::format(
            "\"{}\" is not the address of a session, such as juliet@example.org/balcony",
            full_jid)));
        return;
    }
    ask<bool>(
        server_.home_of(full->bare()), home_,
        [full = *full](Server::Part& part) {
            ClientSession* session = find(part, full);
            if (session == nullptr) return false;
            session->evict(stream_error::policy_violation, "ended by the administrator");
            return true;
        },
        [full = *full, done = std::move(done)](bool found) {
            done(found ? Outcome{} : no_session(full));
        });
}

}  // namespace causeway
