// DomainCheck: what a server that wants to federate sees of a domain: the SRV records, and every
// target as far as a stream to it gets. Owner: whoever wants to know; destroying it cancels.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "s2s/discover.h"
#include "s2s/target_probe.h"

namespace causeway {

class DomainCheck final : private TimerTarget {
public:
    struct Report {
        std::vector<DomainFinding> findings = {};
        std::string fault = {};   ///< why nobody reaches it; empty: somebody does
        std::string caveat = {};  ///< who does not reach it, where others do
    };
    /// Absent: there is no such domain, or it says that it offers no federation. Retry: nobody
    /// could say.
    using Done = std::function<void(Result<Report>)>;

    /// `domain`, as people write it, normalised. `done` is called once, later; it may destroy this.
    DomainCheck(Hub& hub, std::string domain, Done done);
    DomainCheck(const DomainCheck&) = delete;
    DomainCheck& operator=(const DomainCheck&) = delete;
    ~DomainCheck() = default;

private:
    void on_timer(std::uint32_t which) override;
    void ask_for_records(std::string_view service, std::string_view meaning);
    void take_records(std::string_view service, std::string_view meaning,
                      const Result<SrvAnswer>& answer);
    void look_for_targets();
    void probe(const Result<Targets>& targets);
    void begin_probes(const std::vector<ConnectTarget>& targets, TargetProbe::Hop hop);
    void probed();
    void go_elsewhere();
    void look_for(const OtherHost& other);
    void look_for_next();
    [[nodiscard]] Report report();
    void finish(Result<Report> report);

    Hub& hub_;
    const std::string domain_;
    Done done_;
    std::size_t records_due_ = 0;
    std::size_t probes_due_ = 0;
    TargetProbe::Hop hop_ = TargetProbe::Hop::first;
    std::vector<OtherHost> elsewhere_;  ///< where targets sent us, and is still to be looked up
    std::vector<ConnectTarget> there_;  ///< what was found of that
    std::vector<DomainFinding> findings_;
    std::unique_ptr<Discovery> discovery_;
    std::vector<std::unique_ptr<TargetProbe>> probes_;
    Timer timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace causeway
