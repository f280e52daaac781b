#include "gateway/server/check_command.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/control/answers.h"
#include "gateway/control/rows.h"
#include "gateway/session/hub.h"
#include "gateway/xmpp/jid.h"
#include "s2s/domain_check.h"

namespace causeway {
namespace {

namespace json = boost::json;
using control::Command;
using control::CommandRequest;
using control::Field;
using control::utf8;
using control::utf8_or_null;

/// On the home of the domains that are looked at.
struct Checks final : SlotState {
    static constexpr std::size_t at_once = 4;
    std::vector<std::unique_ptr<DomainCheck>> running;
};
constexpr Slot<Checks> slot{"checks"};

std::string_view to_string(DomainFinding::Verdict verdict) {
    switch (verdict) {
        case DomainFinding::Verdict::ok: return "ok";
        case DomainFinding::Verdict::warning: return "warning";
        case DomainFinding::Verdict::failure: break;
    }
    return "failure";
}

json::object to_json(const std::string& domain, const DomainCheck::Report& report) {
    json::array findings;
    for (const DomainFinding& finding : report.findings) {
        json::object row;
        row.emplace("target", utf8_or_null(finding.target));
        row.emplace("step", finding.step);
        row.emplace("verdict", to_string(finding.verdict));
        row.emplace("text", utf8(finding.text));
        findings.emplace_back(std::move(row));
    }
    json::object result;
    result.emplace("domain", utf8(domain));
    result.emplace("reachable", report.fault.empty());
    result.emplace("findings", std::move(findings));
    result.emplace("fault", utf8_or_null(report.fault));
    result.emplace("caveat", utf8_or_null(report.caveat));
    return result;
}

using Answered = std::function<void(Result<DomainCheck::Report>)>;

void begin(Hub& home, const std::string& domain, const Answered& answered) {
    auto& running = home.slots.make(slot).running;
    if (running.size() >= Checks::at_once) {
        answered(Outcome::retry("too many domains are being checked; try again later"));
        return;
    }
    // It is given its address before it can answer.
    const auto key = std::make_shared<const DomainCheck*>(nullptr);
    running.push_back(std::make_unique<DomainCheck>(
        home, domain, [&home, key, answered](Result<DomainCheck::Report> report) {
            answered(std::move(report));
            std::erase_if(home.slots.make(slot).running,
                          [&](const auto& each) { return each.get() == *key; });
        }));
    *key = running.back().get();
}

void check(const CommandRequest& request) {
    const std::string text = request.text("domain");
    const auto domain = prepare_domain(text);
    if (!domain) {
        request.reply(Outcome::malformed(
            fmt::format("\"{}\" is not a domain: {}", text, domain.error().why())));
        return;
    }
    Hub& home = request.host.shared->hubs.front()->home_of(*domain);
    home.shard.post([&home, domain = *domain, reply = request.reply, back = request.host.home] {
        begin(home, domain, [domain, reply, back](const Result<DomainCheck::Report>& report) {
            back->post([domain, reply, report] {
                if (report) {
                    reply(json::value(to_json(domain, *report)));
                } else {
                    reply(report.error());
                }
            });
        });
    });
}

constexpr std::array domain{control::domain_param("a domain, here or elsewhere")};
constexpr std::array fields{
    Field{"domain", "{domain}: {reachable?can be reached|cannot be reached}"},
    Field{.title = "{verdict}", .text = "{step}[ {target}]: {text}", .each = "findings"},
    Field{.title = "so", .text = "{fault}", .when = "fault"},
    Field{.title = "but", .text = "{caveat}", .when = "caveat"},
};
constexpr std::array commands{
    Command{.name = "check",
            .params = domain,
            .doc = "what a server that wants to federate sees of a domain, with a verdict a line",
            .run = check,
            .view = {.fields = fields, .fault = "fault"}},
};

}  // namespace

std::span<const Command> check_commands() { return commands; }

}  // namespace causeway
