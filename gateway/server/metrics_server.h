// MetricsServer: what `causewayctl status` tells, as numbers for a monitoring system, at /metrics
// in the text form of OpenMetrics 1.0. Plain HTTP at one endpoint, for loopback or a private
// network: it tells no address and no name but the served domains. Lives on the main thread; off
// unless configured.
#pragma once

#include <memory>
#include <string>

#include "gateway/base/endpoint.h"
#include "gateway/control/operations.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace causeway {

/// The text of one scrape; ends with "# EOF".
std::string metrics_text(const control::Status& status);

class MetricsServer {
public:
    /// Binds the endpoint; retry if the system refuses it. `operations` outlives the server.
    static Result<std::unique_ptr<MetricsServer>> open(boost::asio::io_context& io,
                                                       const Endpoint& at,
                                                       control::Operations& operations);
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;
    ~MetricsServer();

private:
    class Listener;
    explicit MetricsServer(std::shared_ptr<Listener> listener);
    std::shared_ptr<Listener> listener_;
};

}  // namespace causeway
