// Numbered messages between pairs.
#include "tools/bench/conversations.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "tools/bench/xml_text.h"

namespace causeway::bench {
namespace {

/// How long a pair may wait for an acknowledgement before it is asked for again: a server may
/// answer a request with what is safe so far, and owes nothing for the rest until asked.
constexpr auto acknowledgement_patience = std::chrono::milliseconds(250);

/// Number and origin of a message, carried in its id as "RUN-NUMBER-NANOSECONDS".
struct MessageId {
    std::uint64_t number = 0;
    std::int64_t origin = 0;
};

bool parse_message_id(std::string_view text, std::string_view run, MessageId& id) {
    if (!text.starts_with(run)) {
        return false;
    }
    text.remove_prefix(run.size());
    const char* end = text.data() + text.size();
    const auto number = std::from_chars(text.data(), end, id.number);
    if (number.ec != std::errc() || number.ptr == end || *number.ptr != '-') {
        return false;
    }
    const auto origin = std::from_chars(number.ptr + 1, end, id.origin);
    return origin.ec == std::errc() && origin.ptr == end;
}

std::int64_t nanoseconds(TimePoint time) {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

}  // namespace

Conversations::Conversations(Workbench& bench, SessionPool& pool, const Options& options)
    : bench_(bench),
      pool_(pool),
      options_(options),
      pairs_(options.pairs),
      run_(fmt::format("{:x}-", nanoseconds(Clock::now()))),
      message_end_(
          fmt::format("'><body>{}</body></message>", std::string(options.body_bytes, 'x'))) {}

Conversations::~Conversations() {
    pool_.set_listener(nullptr);
    if (watch_) {
        bench_.loop.cancel(*watch_);
    }
}

void Conversations::add_sessions() {
    for (unsigned pair = 0; pair < options_.pairs; ++pair) {
        for (unsigned side = 0; side < 2; ++side) {
            const bool across = options_.scenario == Scenario::s2s;
            // Across domains the account numbers run from 0 in each, and every other pair turns
            // round, so that both servers do the same work.
            const bool at_peer = across && (pair + side) % 2 == 1;
            const unsigned number = across ? pair : 2 * pair + side;
            pool_.add(client_settings(options_, at_peer ? options_.peer : options_.server, number,
                                      "bench"));
        }
    }
}

Failure Conversations::begin() {
    add_sessions();
    if (Failure failure = pool_.log_in(options_.pace)) {
        return failure;
    }
    pool_.set_listener(this);
    for (std::size_t index = 0; index < pairs_.size(); ++index) {
        Client& sender = pool_.client(2 * index);
        Client& receiver = pool_.client(2 * index + 1);
        if (options_.presence) {
            sender.send_stanza("<presence/>");
            receiver.send_stanza("<presence/>");
        }
        Pair& pair = pairs_[index];
        pair.stanzas_before = sender.stanzas_sent();
        pair.message_start =
            fmt::format("<message to='{}' type='{}' id='{}",
                        options_.bare_address ? receiver.bare_jid() : receiver.full_jid(),
                        options_.message_type, run_);
        send(index, Clock::now());
    }
    if (options_.stream_management) {
        watch_acknowledgements();
    }
    return drain();
}

void Conversations::send(std::size_t index, TimePoint origin) {
    Pair& pair = pairs_[index];
    scratch_.assign(pair.message_start);
    fmt::format_to(std::back_inserter(scratch_), "{}-{}", pair.sent, nanoseconds(origin));
    scratch_.append(message_end_);
    ++pair.sent;
    ++sent_;
    pool_.client(2 * index).send_stanza(scratch_);
}

void Conversations::on_stanza(Client& client, std::string_view stanza) {
    if (!is_named(stanza, "message")) {
        return;
    }
    if (attribute_of(stanza, "type") == "error") {
        pool_.fail(fmt::format("{}: message bounced: {}", client.bare_jid(), stanza));
    } else if (client.index() % 2 == 1) {
        take_message(client.index() / 2, stanza);
    }
}

void Conversations::take_message(std::size_t index, std::string_view stanza) {
    Pair& pair = pairs_[index];
    MessageId id;
    if (!parse_message_id(attribute_of(stanza, "id"), run_, id)) {
        return;  // kept by the server from an earlier run
    }
    if (text_of(stanza, "body").size() != options_.body_bytes) {
        pool_.fail(
            fmt::format("pair {}: message {} arrived changed: {}", index, id.number, stanza));
        return;
    }
    if (id.number != pair.received) {
        pool_.fail(fmt::format("pair {}: message {} arrived where {} was due", index, id.number,
                               pair.received));
        return;
    }
    ++pair.received;
    latency_.record(std::chrono::nanoseconds(nanoseconds(Clock::now()) - id.origin));
    complete(index);
}

void Conversations::on_acknowledged(Client& client, std::uint64_t count) {
    const std::size_t index = client.index() / 2;
    Pair& pair = pairs_[index];
    if (client.index() % 2 == 0 && count > pair.stanzas_before) {
        pair.acknowledged = count - pair.stanzas_before;
        complete(index);
    }
}

void Conversations::complete(std::size_t index) {
    Pair& pair = pairs_[index];
    const std::uint64_t complete =
        options_.stream_management ? std::min(pair.received, pair.acknowledged) : pair.received;
    while (pair.completed < complete) {
        ++pair.completed;
        ++completed_;
        if (on_complete_) {
            on_complete_(index);
        }
    }
}

Failure Conversations::drain() {
    return pool_.run_while_progressing(
        [this] { return completed_ == sent_; }, [this] { return completed_; },
        options_.stream_management ? "messages and their acknowledgements" : "messages");
}

void Conversations::watch_acknowledgements() {
    for (std::size_t index = 0; index < pairs_.size(); ++index) {
        Pair& pair = pairs_[index];
        if (pair.acknowledged < pair.received && pair.completed == pair.completed_at_last_look) {
            pool_.client(2 * index).request_acknowledgement();
            ++repeated_requests_;
        }
        pair.completed_at_last_look = pair.completed;
    }
    watch_ = bench_.loop.call_at(Clock::now() + acknowledgement_patience,
                                 [this] { watch_acknowledgements(); });
}

}  // namespace causeway::bench
