// What the files of this feature share; nothing outside this folder includes it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/control/operations.h"
#include "gateway/feature/feature.h"
#include "gateway/session/hub.h"

namespace causeway::registration {

extern const FeatureOption password_length_min;

/// Whether that text may be a password here; malformed, with a sentence for the user, if not.
Outcome check_password(const Hub& hub, std::string_view password);

/// Carries out `operation` with that account and password on the control thread; `done` is called
/// on the hub's shard. The password is wiped.
using Operation = void (control::Operations::*)(control::NewAccount account,
                                                std::uint32_t iterations, control::Done done);
void carry_out(Hub& hub, Operation operation, const Jid& account, std::string password,
               control::Done done);

// strangers.cc: accounts that are made before a login
/// Whether strangers may make accounts on that domain.
bool open_on(const Hub& hub, std::string_view domain);
void offer(Negotiation& negotiation, std::string& out);
void handle(Negotiation& negotiation, Element& iq, Arena& arena);
extern const FeatureOption registration, per_hour, per_network_per_hour;

}  // namespace causeway::registration
