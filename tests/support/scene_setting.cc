// Steps about servers, accounts, stores, DNS and time.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gateway/sasl/scram_keys.h"
#include "gateway/xmpp/packet.h"
#include "tests/support/scene_stage.h"

namespace causeway::scene {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

unsigned number(const std::string& text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::runtime_error(text + " is no number");
    }
    return value;
}

Duration duration(const std::string& text) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == std::string::npos || digits == 0) throw std::runtime_error(text + " is no time");
    const std::string unit = text.substr(digits);
    const std::map<std::string, std::int64_t> units{
        {"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    const auto found = units.find(unit);
    if (found == units.end()) throw std::runtime_error(text + " is no time: ms, s, min, h or d");
    return Duration{number(text.substr(0, digits)) * found->second};
}

Jid jid(const std::string& text) {
    auto parsed = Jid::parse(text);
    if (!parsed) throw std::runtime_error(fmt::format("{}: {}", text, parsed.error().why()));
    return *parsed;
}

/// "none + pending out + pending in", "both", "to + approved": the names of RFC 6121 Appendix A.
SubscriptionState state_of(const std::vector<std::string>& words) {
    std::string text;
    for (std::size_t i = 2; i < words.size(); ++i) text += (i == 2 ? "" : " ") + words[i];
    SubscriptionState state;
    std::string_view left = text;
    const auto take = [&](std::string_view word) {
        if (!left.starts_with(word)) return false;
        left.remove_prefix(word.size());
        return true;
    };
    if (take("both")) {
        state.to = state.from = true;
    } else if (take("from")) {
        state.from = true;
    } else if (take("to")) {
        state.to = true;
    } else if (!take("none")) {
        throw std::runtime_error(text + " is no subscription state");
    }
    while (take(" + ")) {
        if (take("pending out")) {
            state.pending_out = true;
        } else if (take("pending in")) {
            state.pending_in = true;
        } else if (take("approved")) {
            state.approved = true;
        } else {
            break;
        }
    }
    if (!left.empty()) throw std::runtime_error(text + " is no subscription state");
    return state;
}

std::string describe(const SubscriptionState& state) {
    return fmt::format("{}{}{}{}", state.name(), state.pending_out ? " + pending out" : "",
                       state.pending_in ? " + pending in" : "",
                       state.approved ? " + approved" : "");
}

/// Whether a text is as a pattern says, in which {any} stands for any text.
bool fits(std::string_view text, std::string_view pattern) {
    constexpr std::string_view any = "{any}";
    const std::size_t first = pattern.find(any);
    if (first == std::string_view::npos) return text == pattern;
    if (!text.starts_with(pattern.substr(0, first))) return false;
    text.remove_prefix(first);
    pattern.remove_prefix(first + any.size());
    for (std::size_t at = 0; at <= text.size(); ++at) {
        if (fits(text.substr(at), pattern)) return true;
    }
    return false;
}

std::string domain_of(const std::string& bare) { return std::string(jid(bare).domain()); }

}  // namespace

// ---- who there is ----

void Stage::start_server(const Step& step, const Words& domains,
                         ServerPlan::Certificates certificates) {
    ++machines_;
    servers_.push_back(std::make_unique<SceneServer>(
        world_, certificates_,
        ServerPlan{
            .domains = domains, .options = lines_of(step.block), .certificates = certificates},
        machines_, mode_));
    servers_.back()->start();
    for (const std::string& domain : domains) note_machine(domain);
}

/// What DNS steps may need to know of a domain.
void Stage::note_machine(const std::string& domain) {
    variables_["address of " + domain] = world_.address(machines_);
    variables_["host of " + domain] = fmt::format("machine-{}.test", machines_);
}

void Stage::add_server(const Step& step, const Words& words) {
    start_server(step, words, ServerPlan::Certificates::each_its_own);
}

void Stage::add_self_signed_server(const Step& step, const Words& words) {
    start_server(step, words, ServerPlan::Certificates::self_signed);
}

void Stage::add_one_certificate_server(const Step& step, const Words& words) {
    start_server(step, words, ServerPlan::Certificates::one);
}

void Stage::add_client(const Step&, const Words& words) {
    const Jid full = jid(words[1]);
    Person& added = add_person(words[0], "jabber:client");
    ClientPlan& plan = added.plan;
    plan.bare = full.bare();
    plan.local = full.local();
    plan.domain = full.domain();
    plan.resource = full.resource();
    plan.password = "secret of " + plan.local;
    added.domain = plan.domain;
    for (std::size_t i = 2; i < words.size(); ++i) {
        const std::string& option = words[i];
        if (option == "stream-management") {
            plan.stream_management = true;
        } else if (option == "no-acknowledgements") {
            plan.acknowledges = false;
        } else if (option == "no-roster") {
            plan.roster = false;
        } else if (option == "no-presence") {
            plan.presence = false;
        } else if (option == "direct-tls") {
            plan.direct_tls = true;
        } else if (option == "usual-iterations") {
            plan.iterations = default_scram_iterations;
        } else if (option.starts_with("mechanism=")) {
            plan.mechanism = option.substr(10);
        } else if (option.starts_with("password=")) {
            plan.password = option.substr(9);
        } else {
            throw std::runtime_error("no client has the option " + option);
        }
    }
    server_of(plan.domain).add_account(plan.bare, "secret of " + plan.local, plan.iterations);
}

void Stage::add_account(const Step&, const Words& words) {
    const Jid bare = jid(words[0]);
    server_of(bare.domain())
        .add_account(words[0], "secret of " + std::string(bare.local()), SceneServer::iterations);
}

void Stage::add_disabled_account(const Step& step, const Words& words) {
    add_account(step, words);
    server_of(jid(words[0]).domain()).disable_account(words[0]);
}

void Stage::add_stranger(const Step&, const Words& words) {
    Person& added = add_person(words[0], "jabber:client");
    added.domain = words[1];
    added.plan.domain = words[1];
}

void Stage::add_contact(const Step& step, const Words& words) {
    RosterItem item;
    item.jid = jid(words[1]);
    item.state = state_of(words);
    item.name = step.block;
    const SubscriptionState only_asked{.pending_in = true};
    item.listed = item.state != only_asked;
    if (item.state.pending_in) {
        item.request = Packet::make(StanzaKind::presence, StanzaType::subscribe, item.jid,
                                    jid(words[0]), "asked-before", {})
                           ->bytes();
    }
    server_of(domain_of(words[0])).add_contact(words[0], item);
}

void Stage::contact_is(const Step& step, const Words& words) {
    SceneServer& server = server_of(domain_of(words[0]));
    const SubscriptionState wanted = state_of(words);
    SubscriptionState found;
    const bool right = world_.wait_until([&] {
        const Roster roster = server.roster(words[0]);
        const RosterItem* item = roster.find(jid(words[1]));
        found = item == nullptr ? SubscriptionState{} : item->state;
        return found == wanted;
    });
    if (!right) throw SceneFailure(step, fmt::format("  it is: {}", describe(found)));
}

std::string Stage::verb_of(const Words& words) {
    std::string line;
    for (std::size_t i = 1; i < words.size(); ++i) {
        line += (line.empty() ? "" : " ") + filled(words[i]);
    }
    return line;
}

/// The block has the lines of the answer. Without one it must be no error.
bool Stage::answers(const Step& step, const std::vector<std::string>& came) {
    std::vector<std::string> wanted;
    for (const std::string& one : lines_of(step.block)) wanted.push_back(one);
    bool right =
        wanted.empty() ? !came.front().starts_with("error: ") : came.size() == wanted.size();
    for (std::size_t i = 0; right && i < wanted.size(); ++i) right = fits(came[i], wanted[i]);
    return right;
}

/// A verb of causewayctl.
void Stage::administrator_types(const Step& step, const Words& words) {
    std::vector<std::string> came;
    const auto fit = [&] {
        came = server_of(words[0]).administer(verb_of(words));
        return answers(step, came);
    };
    // What changes something is done once; a question is asked until the answer is right.
    const bool asks = words.size() > 2 && (words[2] == "list" || words[2] == "test");
    if (asks ? world_.wait_until(fit) : fit()) return;
    throw SceneFailure(step, fmt::format("  it answers:\n  {}", fmt::join(came, "\n  ")));
}

/// One whose answer takes what the scene does next.
void Stage::administrator_begins(const Step&, const Words& words) {
    server_of(words[0]).begin_administering(verb_of(words));
}

void Stage::administrator_is_told(const Step& step, const Words& words) {
    const std::vector<std::string> came = server_of(words[0]).administered();
    if (answers(step, came)) return;
    throw SceneFailure(step, fmt::format("  it answers:\n  {}", fmt::join(came, "\n  ")));
}

/// What the administrator is told of it: a line a fact, "authentication external".
void Stage::link_is(const Step& step, const Words& words) {
    std::string wrong;
    const bool right = world_.wait_until([&] {
        const auto known = server_of(words[0]).link(words[0], words[1]);
        wrong.clear();
        for (const std::string& line : lines_of(filled(step.block))) {
            const std::size_t space = line.find(' ');
            const auto found = known.find(line.substr(0, space));
            if (found == known.end()) {
                wrong = "nothing is told of it";
                return false;
            }
            if (found->second == (space == std::string::npos ? "" : line.substr(space + 1))) {
                continue;
            }
            wrong = fmt::format("{} is: {}", found->first, found->second);
            return false;
        }
        return true;
    });
    if (!right) throw SceneFailure(step, "  " + wrong);
}

/// A metric of a feature; a second word is the value of its label.
void Stage::has_counted(const Step& step, const Words& words) {
    const std::string value = words.size() > 3 ? words[3] : "";
    const auto counted = [&] { return server_of(words[0]).counted(words[2], value); };
    if (!counted()) throw std::runtime_error("there is no such metric");
    if (!world_.wait_until([&] { return *counted() == number(words[1]); })) {
        throw SceneFailure(step, fmt::format("  it is {}", *counted()));
    }
}

// ---- what becomes of them ----

void Stage::simulation_only(const Step&, const Words&) {}

void Stage::time_passes(const Step&, const Words& words) { world_.pass(duration(words[0])); }

void Stage::server_goes_down(const Step&, const Words& words) { server_of(words[0]).stop(); }

void Stage::server_comes_back(const Step&, const Words& words) { server_of(words[0]).start(); }

void Stage::server_shuts_down(const Step&, const Words& words) {
    server_of(words[0]).drain();
    world_.settle();
}

void Stage::server_serves_no_more(const Step&, const Words& words) {
    server_of(words[0]).stop_serving(words[1]);
}

void Stage::server_is_told(const Step& step, const Words& words) {
    server_of(words[0]).reload(lines_of(step.block));
}

void Stage::closes_link(const Step&, const Words& words) {
    server_of(words[0]).close_link(words[1]);
    world_.settle();
}

void Stage::tries_again(const Step&, const Words& words) {
    server_of(words[0]).retry_link(words[1]);
    world_.settle();
}

/// The block is the explanation; {any} in it stands for any text.
void Stage::server_explains(const Step& step, const Words& words) {
    SceneServer& server = server_of(words[0]);
    const std::string id = filled(words[1]);
    const std::string from = words.size() > 2 ? filled(words[2]) : std::string();
    std::string wanted = step.block;
    std::ranges::replace(wanted, '\n', ' ');
    std::string came;
    const bool right = world_.wait_until([&] {
        came = server.explanation(id, from);
        return fits(came, wanted);
    });
    if (!right) throw SceneFailure(step, fmt::format("  it explains: {}", came));
}

void Stage::server_unreachable(const Step&, const Words& words) {
    world_.set_reachable(server_of(words[0]).at(SceneServer::server_port), false);
}

void Stage::server_reachable(const Step&, const Words& words) {
    world_.set_reachable(server_of(words[0]).at(SceneServer::server_port), true);
}

void Stage::store_fails(const Step&, const Words& words) {
    server_of(words[0]).memory()->fail_next_commits(number(words[1]));
}

void Stage::store_cannot_read(const Step&, const Words& words) {
    server_of(words[0]).memory()->fail_next_reads(number(words[1]));
}

void Stage::store_holds(const Step&, const Words& words) {
    server_of(words[0]).memory()->hold_commits();
}

void Stage::store_releases(const Step&, const Words& words) {
    server_of(words[0]).memory()->release_commits();
    world_.settle();
}

void Stage::expect_rows(const Step& step, SceneServer& server, const std::string& log,
                        const std::string& owner, const std::string& count) {
    const unsigned wanted = number(count);
    std::size_t found = 0;
    const bool right = world_.wait_until([&] {
        found = server.rows(log, owner);
        return found == wanted;
    });
    if (!right) throw SceneFailure(step, fmt::format("  there are {}", found));
}

void Stage::stored_messages(const Step& step, const Words& words) {
    expect_rows(step, server_of(domain_of(words[1])), "offline", words[1], words[0]);
}

void Stage::waiting_stanzas(const Step& step, const Words& words) {
    expect_rows(step, server_of(words[1]), "outbound", fmt::format("{} {}", words[2], words[1]),
                words[0]);
}

/// A line a record: priority, weight, port, target.
void Stage::dns_srv(const Step& step, const Words& words) {
    const auto small = [](const std::string& text) {
        return static_cast<std::uint16_t>(number(text));
    };
    std::vector<SrvRecord> records;
    for (const std::string& line : lines_of(filled(step.block))) {
        const std::vector<std::string> fields = words_of(line);
        if (fields.size() != 4) throw std::runtime_error("priority, weight, port, target");
        records.push_back({.priority = small(fields[0]),
                           .weight = small(fields[1]),
                           .port = small(fields[2]),
                           .target = fields[3] == "." ? std::string{} : fields[3]});
    }
    world_.dns().set_srv(words[0], std::move(records));
}

void Stage::dns_address(const Step& step, const Words& words) {
    world_.dns().set_addresses(words[0], lines_of(filled(step.block)));
}

void Stage::dns_absent(const Step&, const Words& words) { world_.dns().set_absent(words[0]); }

void Stage::dns_silent(const Step&, const Words& words) { world_.dns().set_silent(words[0]); }

void Stage::dns_fails(const Step&, const Words& words) { world_.dns().set_failing(words[0]); }

}  // namespace causeway::scene
