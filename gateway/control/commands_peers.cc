// The commands about other servers and what waits for them; see commands.h.
#include <array>
#include <utility>

#include "gateway/control/answers.h"
#include "gateway/control/commands.h"
#include "gateway/control/listing.h"
#include "gateway/control/rows.h"

namespace causeway::control {

namespace {

void list_peers(const CommandRequest& request) {
    list<PeerRow>(request.reply, [&operations = request.host.operations](
                                     PageRequest page, Answer<Page<PeerRow>> answer) {
        operations.list_peers(std::move(page), std::move(answer));
    });
}

void show_peer(const CommandRequest& request) {
    request.host.operations.show_peer(request.text("domain"),
                                      answer_row<PeerDetail>(request.reply));
}

void close_peer(const CommandRequest& request) {
    request.host.operations.close_peer(
        request.text("domain"), answer_count(request.reply, request.naming("domain"), "closed"));
}

void retry_peer(const CommandRequest& request) {
    request.host.operations.retry_peer(request.text("domain"),
                                       answer_with(request.reply, request.naming("domain")));
}

void list_queues(const CommandRequest& request) {
    list<QueueRow>(request.reply, [&operations = request.host.operations](
                                      PageRequest page, Answer<Page<QueueRow>> answer) {
        operations.list_queues(std::move(page), std::move(answer));
    });
}

void show_queue(const CommandRequest& request) {
    const std::string domain = request.text("domain");
    list<QueuedStanza>(
        request.reply,
        [&operations = request.host.operations, domain](PageRequest page,
                                                        Answer<Page<QueuedStanza>> answer) {
            operations.show_queue(domain, std::move(page), std::move(answer));
        },
        Outcome::absent("nothing is queued for " + domain));
}

void drop_queue(const CommandRequest& request) {
    request.host.operations.drop_queue(
        request.text("domain"), answer_count(request.reply, request.naming("domain"), "dropped"));
}

constexpr std::array remote_domain{domain_param("the remote domain")};

constexpr std::array peer_row{
    Field{"DOMAIN", "{domain}"},
    Field{"LOCAL", "{local}"},
    Field{"DIRECTION", "{direction}"},
    Field{"STATE", "{state}"},
    Field{"AUTHENTICATION", "{authentication}"},
    Field{"TLS", "{tls.version} {tls.cipher}"},
    Field{"TARGET", "{target}"},
    Field{"ADDRESS", "{address}"},
    Field{"SINCE", "{since:ago}"},
    Field{"QUEUED", "{queued:count}"},
    Field{"LAST ERROR", "{last_error}"},
};
constexpr std::array peer_sheet{
    Field{"domain", "{domain}"},
    Field{"{direction}", "{state}[ for {since:ago}], as {local}", "links"},
    Field{"  authentication", "{authentication}", "links"},
    Field{"  TLS", "{tls.version} {tls.cipher}", "links"},
    Field{"  target", "{target}", "links"},
    Field{"  address", "{address}", "links"},
    Field{"  queued", "{queued:count}", "links"},
    Field{"  next try", "{next_retry:ahead}", "links", "next_retry"},
    Field{"  last error", "{last_error}[ ({last_error_at:ago} ago)]", "links", "last_error"},
    Field{"targets",
          "{host}:{port:number} {direct_tls?direct TLS|STARTTLS}, priority {priority:number}, "
          "weight {weight:number}[, {addresses:list}][: {last_error}]",
          "targets"},
    Field{"queue",
          "{queue!empty};{queue.stanzas:count} stanzas, {queue.bytes:bytes};"
          "oldest {queue.oldest:ago};next try {queue.next_retry:ahead}"},
};
constexpr std::array queue_row{
    Field{"DOMAIN", "{domain}"},           Field{"STANZAS", "{stanzas:count}"},
    Field{"SIZE", "{bytes:bytes}"},        Field{"OLDEST", "{oldest:ago}"},
    Field{"ATTEMPTS", "{attempts:count}"}, Field{"NEXT TRY", "{next_retry:ahead}"},
    Field{"LAST ERROR", "{last_error}"},
};
constexpr std::array stanza_row{
    Field{"ID", "{id:number}"},
    Field{"FROM", "{from}"},
    Field{"TO", "{to}"},
    Field{"KIND", "{kind}"},
    Field{"AGE", "{at:ago}"},
    Field{"EXPIRES", "{expires:ahead}"},
    Field{"ATTEMPTS", "{attempts:count}"},
    Field{"SIZE", "{bytes:bytes}"},
};

constexpr std::array commands{
    Command{.name = "peer.list",
            .doc = "streams with other servers, and attempts at them",
            .streams = true,
            .run = list_peers,
            .view = {.fields = peer_row, .empty = "no peers"}},
    Command{.name = "peer.show",
            .params = remote_domain,
            .doc = "all that is known of one remote domain",
            .run = show_peer,
            .view = {.fields = peer_sheet}},
    Command{.name = "peer.close",
            .params = remote_domain,
            .doc = "closes every stream with a domain",
            .mutates = true,
            .run = close_peer,
            .view = {.sentence = "closed streams with {domain}: {closed:count}"}},
    Command{.name = "peer.retry",
            .params = remote_domain,
            .doc = "tries to reach a domain now",
            .mutates = true,
            .run = retry_peer,
            .view = {.sentence = "trying {domain} now"}},
    Command{.name = "queue.list",
            .doc = "domains for which stanzas wait",
            .streams = true,
            .run = list_queues,
            .view = {.fields = queue_row, .empty = "nothing is queued"}},
    Command{.name = "queue.show",
            .params = remote_domain,
            .doc = "the stanzas that wait for a domain, oldest first",
            .streams = true,
            .run = show_queue,
            .view = {.fields = stanza_row, .empty = "nothing is queued"}},
    Command{.name = "queue.drop",
            .params = remote_domain,
            .doc = "drops the stanzas that wait for a domain, without errors to their senders",
            .mutates = true,
            .run = drop_queue,
            .view = {.sentence = "dropped stanzas for {domain}: {dropped:count}"}},
};

}  // namespace

std::span<const Command> peer_commands() { return commands; }

}  // namespace causeway::control
