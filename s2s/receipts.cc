#include "s2s/receipts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/base/number.h"
#include "gateway/base/serial_number.h"

namespace causeway {
namespace {
constexpr std::string_view stamping_name = "stamps";
constexpr std::string_view since_name = "since";
}  // namespace

bool stamping_noted(const KeptStream& kept) {
    return std::ranges::any_of(kept.state.of_features,
                               [](const auto& one) { return one.first == stamping_name; });
}

UnixMillis began_at(const KeptStream& kept) {
    const auto& notes = kept.state.of_features;
    const auto found =
        std::ranges::find(notes, since_name, [](const auto& one) { return one.first; });
    return found == notes.end()
               ? 0
               : static_cast<UnixMillis>(read_number<std::uint64_t>(found->second).value_or(0));
}

Receipts::Receipts(Hub& hub) : hub_(hub) { become(hub.next_id()); }

Receipts::~Receipts() { hub_.ticket_holders.erase(holder_id_); }

void Receipts::become(std::uint64_t holder_id) {
    hub_.ticket_holders.erase(holder_id_);
    holder_id_ = holder_id;
    hub_.ticket_holders.emplace(holder_id_, static_cast<TicketHolder*>(this));
}

void Receipts::belongs_to(Stream* stream) {
    timer_.cancel();
    over_ = {};
    management_.interrupted();
    stream_ = stream;
}

// ---- stanzas ----

std::uint32_t Receipts::receive() { return received_ = management_.receive(); }

AcknowledgementTicket Receipts::follow() {
    const std::uint32_t handled = management_.handled();
    followed_ = true;
    return {.holder = holder_id_,
            .shard = hub_.shard.index(),
            .number = receive(),
            .handled = handled,
            .kept = kept_,
            .of_server = true};
}

void Receipts::stanza_ends() {
    if (!std::exchange(followed_, false) && managed()) management_.settle(receive());
}

void Receipts::count_from(std::uint32_t handled) {
    begin_management();
    management_.go_on(handled, 0);
    received_ = handled;
}

void Receipts::settled(std::uint32_t number) {
    if (management_.settle(number) && stream_ != nullptr) stream_->on_safe();
}

// ---- resumption ----

void Receipts::allow_resumption(const std::string& remote, const std::string& local) {
    become(random_stream_id());
    management_.allow_resumption(make_stream_token(holder_id_));
    remote_ = remote;
    local_ = local;
    since_ = hub_.clock().wall();
    kept_ = hub_.limits().kept_streams_per_account > 0;
    if (!kept_) return;
    hub_.stream_records.begin(holder_id_, remote_);
    save_state(false);
}

void Receipts::save_state(bool stamping) {
    StreamState state{.resource = local_, .token_hash = hash_of_token(token())};
    state.of_features.emplace_back(since_name, fmt::format("{}", since_));
    if (stamping) state.of_features.emplace_back(stamping_name, "");
    hub_.stream_records.set_state(holder_id_, state.text());
}

void Receipts::note_stamping() {
    if (kept_) save_state(true);
}

void Receipts::forget() {
    if (std::exchange(kept_, false)) hub_.stream_records.forget(holder_id_, remote_);
    remote_.clear();
}

bool Receipts::resumable_by(std::string_view token, std::string_view local) const {
    return resumable() && local_ == local && equal_in_constant_time(token, management_.token());
}

void Receipts::take_over(KeptStream kept, const std::string& remote, std::string_view token) {
    kept.count_from_handled();
    become(kept.id);
    count_from(kept.handled);
    management_.allow_resumption(std::string(token));
    remote_ = remote;
    local_ = kept.state.resource;
    since_ = began_at(kept);
    kept_ = true;
    repeats_ = kept.repeats;
    recorded_ = false;
    hub_.stream_records.go_on(kept, remote_);
    static_cast<void>(hub_.stream_records.handled(holder_id_, kept.handled));
}

void Receipts::written(bool durable) {
    if (!durable || std::exchange(recorded_, true)) return;
    if (stream_ != nullptr) stream_->on_safe();
}

bool Receipts::repeats(const Stanza& stanza) {
    if (repeats_.empty()) return false;
    // What is sent again comes first, and may be less than it was.
    std::erase_if(repeats_,
                  [&](const auto& one) { return serial_distance(received_ + 1, one.first) > 0; });
    if (repeats_.empty() || stanza.kind != StanzaKind::message) return false;
    const std::uint64_t fingerprint = server_fingerprint(stanza);
    // One without an id could be another that came to have its number: better twice than never.
    if (fingerprint == 0) return false;
    const auto found =
        std::ranges::find(repeats_, fingerprint, [](const auto& one) { return one.second; });
    if (found == repeats_.end()) return false;
    repeats_.erase(found);
    return true;
}

void Receipts::leave_process() {
    if (kept_) hub_.stream_records.handled(holder_id_, management_.handled());
}

void Receipts::wait_for_peer(std::function<void()> over) {
    belongs_to(nullptr);
    over_ = std::move(over);
    hub_.shard.timers().arm(
        timer_, std::chrono::duration_cast<Duration>(hub_.limits().resume_seconds), *this);
}

void Receipts::on_timer(std::uint32_t) {
    if (const auto over = std::exchange(over_, {})) over();
}

}  // namespace causeway
