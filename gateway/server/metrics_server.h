// MetricsServer: the numbers of the server and its features for a monitoring system, at /metrics.
// Plain HTTP at one endpoint, for loopback or a private network: it tells no address and no name
// but the served domains. Lives on the main thread; off unless configured.
#pragma once

#include <functional>
#include <memory>

#include "gateway/base/endpoint.h"
#include "gateway/base/outcome.h"
#include "gateway/feature/metric.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace causeway {

class MetricsServer {
public:
    /// Collects every number for one scrape and answers once, on the main thread.
    using Collect = std::function<void(std::function<void(Result<MetricSamples>)>)>;

    /// Binds the endpoint; retry if the system refuses it.
    static Result<std::unique_ptr<MetricsServer>> open(boost::asio::io_context& io,
                                                       const Endpoint& at, Collect collect);
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;
    ~MetricsServer();

private:
    class Listener;
    explicit MetricsServer(std::shared_ptr<Listener> listener);
    std::shared_ptr<Listener> listener_;
};

}  // namespace causeway
