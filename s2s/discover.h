// Discovery: from a domain to the targets where its server may be reached (RFC 6120 §3.2, RFC 2782,
// XEP-0368): both SRV services merged by priority and weight, or the domain itself where there is
// no SRV record. Owner: the one who wants the targets; destroying it cancels.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/net/connector.h"
#include "gateway/net/resolver.h"

namespace causeway {

/// Where to connect, in the order to try.
struct Targets {
    std::vector<ConnectTarget> list;  ///< never empty in an ok answer
    std::chrono::seconds ttl{0};      ///< how long DNS lets us rely on it
    bool from_srv = false;
};

struct DiscoveryLimits {
    std::size_t targets = 20;
    bool direct_tls = true;     ///< use _xmpps-server records
    Duration patience{10'000};  ///< for the answers about SRV records; then what came is used
    /// Uniform in [0, bound), bound > 0; empty: the system's random source.
    std::function<std::uint64_t(std::uint64_t bound)> random;
};

class Discovery {
public:
    using Done = std::function<void(Result<Targets>)>;

    Discovery() = default;
    Discovery(const Discovery&) = delete;
    Discovery& operator=(const Discovery&) = delete;
    /// Cancels; the callback is not called any more.
    virtual ~Discovery() = default;
};

/// `domain` as A-labels, or an IP literal (IPv6 in brackets, as in an address). `done` is called
/// once, later, never from within, and may destroy the Discovery. Its error is Cause::absent where
/// there is no such domain or it says that it offers no such service, Cause::retry where nobody
/// could say.
///
/// Where the questions for SRV records stay without an answer, the domain itself is tried (RFC 6120
/// §3.2.1); an answer that fails (SERVFAIL, or one that is not valid) is Cause::retry.
[[nodiscard]] std::unique_ptr<Discovery> discover(const std::string& domain, Resolver& resolver,
                                                  TimerWheel& timers, DiscoveryLimits limits,
                                                  Discovery::Done done);

}  // namespace causeway
