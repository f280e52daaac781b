// OutgoingStream, when the peer ends it with a stream error (RFC 6120 §4.9): what that means for
// the next attempt, and where the peer says that its server is.
#include <fmt/format.h>

#include <array>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/xml/ns.h"
#include "s2s/other_host.h"
#include "s2s/outgoing_stream.h"

namespace causeway {
namespace {

// What a stream error says about trying again: the peer does not know us or our name, or it is only
// not well at the moment.
Cause cause_of(std::string_view condition) {
    if (condition == stream_error::host_unknown || condition == stream_error::host_gone) {
        return Cause::absent;
    }
    constexpr std::array lasting{
        stream_error::improper_addressing, stream_error::invalid_from,
        stream_error::not_authorized,      stream_error::unsupported_version,
        stream_error::invalid_namespace,   stream_error::policy_violation};
    for (const std::string_view known : lasting) {
        if (known == condition) return Cause::refused;
    }
    return Cause::retry;
}

}  // namespace

void OutgoingStream::on_stream_error(const Element& element, Arena& arena) {
    std::string_view condition = "no condition";
    std::string text, other_host;
    for (const Element* child = element.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->ns != ns::stream_errors) continue;
        if (child->name == "text") {
            text = fmt::format(" ({})", child->text(arena));
        } else {
            condition = child->name;
            if (condition == see_other_host) other_host = child->text(arena);
        }
    }
    constexpr unsigned most_redirections = 1;
    if (!other_host.empty() && negotiating() && redirections_++ < most_redirections &&
        follow(other_host)) {
        return;
    }
    ending_ = End::peer_error;
    end_ = Outcome(cause_of(condition),
                   fmt::format("{} ended the stream: {}{}", remote_, condition, text));
    if (owner_ != nullptr) owner_->on_peer_error(*this);
    // Where it sends on the stream as well, it may hear what of that is safe.
    if (!on_peer_end()) stream_->close();
}

/// RFC 6120 §4.9.3.19: the peer's server is elsewhere. What is asked of it there is the same: its
/// certificate has to be for the remote domain, not for that host. False: that is no address.
bool OutgoingStream::follow(std::string_view other_host) {
    const std::optional<OtherHost> other = read_other_host(other_host);
    if (!other) return false;
    CAUSEWAY_LOG(info, "s2s.see_other_host", {"remote", remote_}, {"target", target()},
                 {"host", other_host});
    note_failure(Outcome::retry(fmt::format("it says that its server is {}", other_host)), false);
    connector_.reset();
    leave_stream();
    if (other->port == 0) {
        look_for(other->host);
        return true;
    }
    targets_ = {{.host = without_brackets(other->host), .port = other->port}};
    connect_to(targets_);
    return true;
}

}  // namespace causeway
