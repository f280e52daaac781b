#include "tests/support/scene_stage.h"

#include <fmt/format.h>

#include <algorithm>

namespace causeway::scene {

SceneFailure::SceneFailure(const Step& step, const std::string& what)
    : std::runtime_error(fmt::format("{}:{}: {}\n{}", step.file, step.line, step.text, what)) {}

Stage::Stage(SceneWorld& world, SceneCertificates& certificates, const Mode& mode)
    : world_(world), certificates_(certificates), mode_(mode) {}

Stage::~Stage() {
    people_.clear();
    servers_.clear();
}

/// A word in <> stands for any word, a last one that ends in "..." for all that are left.
const std::vector<Stage::Rule>& Stage::rules() {
    constexpr auto simulation = Rule::Needs::simulation;
    static const std::vector<Rule> all{
        {"[server] <domains...>", &Stage::add_server},
        {"[self-signed server] <domains...>", &Stage::add_self_signed_server},
        {"[server with one certificate] <domains...>", &Stage::add_one_certificate_server},
        {"[client] <name> <jid> <options...>", &Stage::add_client},
        {"[account] <jid>", &Stage::add_account},
        {"[disabled account] <jid>", &Stage::add_disabled_account},
        {"[stranger] <name> <domain>", &Stage::add_stranger},
        {"[peer] <name> <domain>", &Stage::add_peer},
        {"[self-signed peer] <name> <domain>", &Stage::add_self_signed_peer},
        {"[contact] <owner> <contact> <state...>", &Stage::add_contact},
        {"[simulation only] <why...>", &Stage::simulation_only, simulation},

        {"time passes <time>", &Stage::time_passes, simulation},
        {"server <domain> goes down", &Stage::server_goes_down},
        {"server <domain> comes back", &Stage::server_comes_back},
        {"server <domain> shuts down", &Stage::server_shuts_down},
        {"server <domain> serves <other> no more", &Stage::server_serves_no_more},
        {"server <domain> is told", &Stage::server_is_told},
        {"the administrator of <domain> closes the streams with <remote>", &Stage::closes_link,
         simulation},
        {"the administrator of <domain> tries <remote> again", &Stage::tries_again, simulation},
        {"the administrator of <domain> types <verb...>", &Stage::administrator_types},
        {"the administrator of <domain> begins <verb...>", &Stage::administrator_begins},
        {"the administrator of <domain> is told", &Stage::administrator_is_told},
        {"server <domain> explains <id>", &Stage::server_explains},
        {"server <domain> explains <id> from <sender>", &Stage::server_explains},
        {"server <domain> is unreachable", &Stage::server_unreachable, simulation},
        {"server <domain> is reachable", &Stage::server_reachable, simulation},
        {"the store of <domain> fails the next <n> commits", &Stage::store_fails, simulation},
        {"the store of <domain> cannot be read <n> times", &Stage::store_cannot_read, simulation},
        {"the store of <domain> holds its commits", &Stage::store_holds, simulation},
        {"the store of <domain> releases its commits", &Stage::store_releases, simulation},
        {"<n> messages are stored for <jid>", &Stage::stored_messages},
        {"<n> stanzas wait from <local> for <remote>", &Stage::waiting_stanzas},
        {"<owner> knows <contact> as <state...>", &Stage::contact_is},
        {"the link from <local> to <remote> is", &Stage::link_is, simulation},
        {"<domain> has counted <n> <metric...>", &Stage::has_counted, simulation},
        {"DNS has SRV <name>", &Stage::dns_srv},
        {"DNS has address <name>", &Stage::dns_address},
        {"DNS has no <name>", &Stage::dns_absent},
        {"DNS fails for <name>", &Stage::dns_fails},
        {"DNS never answers for <name>", &Stage::dns_silent, simulation},

        {"<who> connects", &Stage::connects},
        {"<who> connects with priority <n>", &Stage::connects_with_priority},
        {"<who> logs in", &Stage::logs_in},
        {"<who> binds", &Stage::binds},
        {"<who> disconnects", &Stage::disconnects},
        {"<who> closes the stream", &Stage::closes_stream},
        {"<who> loses the connection", &Stage::loses_connection},
        {"<who> resumes", &Stage::resumes},
        {"<who> acknowledges everything", &Stage::acknowledges_all},
        {"<who> acknowledges <n>", &Stage::acknowledges},
        {"<who> sends", &Stage::sends},
        {"<who> sends at once", &Stage::sends_at_once, Rule::Needs::whole_pieces},
        {"<who> sends exactly", &Stage::sends_exactly},
        {"<who> receives", &Stage::receives},
        {"<who> receives the header", &Stage::receives_header},
        {"<who> receives in any order", &Stage::receives_in_any_order},
        {"<who> receives nothing", &Stage::receives_nothing},
        {"<who> may receive more", &Stage::may_receive_more},
        {"<who> ignores presence", &Stage::ignores_presence},
        {"<who> gets the stream error <condition>", &Stage::gets_stream_error},
        {"<who> sees the stream end", &Stage::sees_stream_end},
        {"<who> sees the connection end", &Stage::sees_connection_end},
        {"<who> has the roster", &Stage::roster_is},
        {"<who> opens a connection", &Stage::opens_connection},
        {"<who> opens a stream", &Stage::opens_stream},
        {"<who> opens a stream to <domain>", &Stage::opens_stream_to},
        {"<who> starts TLS", &Stage::starts_tls},
        {"<who> makes the TLS handshake", &Stage::shakes_hands},
        {"<who> makes the TLS handshake for <name>", &Stage::shakes_hands_for},
        {"<who> is shown the certificate of <domain>", &Stage::is_shown_certificate},
        {"<who> speaks <language>", &Stage::speaks},
        {"<who> offers the protocol <name>", &Stage::offers_protocol},
        {"<who> falls silent", &Stage::falls_silent},
        {"<who> opens a secure stream", &Stage::opens_secure_stream},

        {"<who> opens a connection to <domain>", &Stage::peer_opens_connection},
        {"<who> opens a connection with TLS to <domain>", &Stage::peer_opens_tls_connection},
        {"<who> opens a secure stream to <domain>", &Stage::peer_opens_secure_stream},
        {"<who> authenticates to <domain>", &Stage::peer_authenticates},
        {"<who> authenticates both ways to <domain>", &Stage::peer_authenticates_both_ways},
        {"<who> answers a call to <peer>", &Stage::peer_is_called},
        {"<who> answers a call with TLS to <peer>", &Stage::peer_is_called_with_tls},
        {"nobody calls <peer>", &Stage::peer_is_not_called},
        {"<who> answers with the header <id>", &Stage::peer_answers_header},
        {"<who> accepts TLS", &Stage::peer_accepts_tls},
        {"<who> accepts a stream to <peer>", &Stage::peer_accepts_stream},
        {"<who> accepts a stream for many to <peer>", &Stage::peer_accepts_stream_for_many},
        {"<who> accepts a managed stream to <peer>", &Stage::peer_accepts_managed_stream},
        {"<who> accepts a managed stream for many to <peer>",
         &Stage::peer_accepts_managed_stream_for_many},
        {"<who> accepts a bidirectional stream to <peer>",
         &Stage::peer_accepts_bidirectional_stream},
        {"<who> hears pings", &Stage::peer_hears_pings},
        {"<who> stops reading", &Stage::peer_stops_reading, simulation},
        {"<who> reads on", &Stage::peer_reads_on, simulation},
        {"<who> answers no more calls", &Stage::peer_hangs_up},
    };
    return all;
}

const Stage::Rule* Stage::find_rule(const Step& step, Words& words) {
    const std::vector<std::string> given = words_of(step.text);
    for (const Rule& rule : rules()) {
        words.clear();
        const std::vector<std::string> form = words_of(std::string(rule.form));
        std::size_t at = 0;
        bool fits = true;
        for (std::size_t i = 0; i < form.size() && fits; ++i) {
            if (form[i].ends_with("...>")) {
                words.insert(words.end(), given.begin() + static_cast<std::ptrdiff_t>(at),
                             given.end());
                at = given.size();
            } else if (at == given.size()) {
                fits = false;
            } else if (form[i].starts_with('<')) {
                words.push_back(given[at++]);
            } else {
                fits = form[i] == given[at++];
            }
        }
        if (fits && at == given.size()) return &rule;
    }
    return nullptr;
}

std::string_view Stage::missing(const Scene& scene, const Mode& mode) {
    std::string_view missing;
    for (const Step& step : scene.steps) {
        Words words;
        const Rule* rule = find_rule(step, words);
        if (rule == nullptr) throw SceneFailure(step, "  there is no such step");
        if (rule->needs == Rule::Needs::simulation && mode.sockets)
            missing = "needs the simulation";
        if (rule->needs == Rule::Needs::whole_pieces && mode.piece == 1) {
            missing = "needs what is sent at once to arrive at once";
        }
    }
    return missing;
}

void Stage::play(const Scene& scene) {
    for (const Step& step : scene.steps) play(step);
    if (!scene.steps.empty()) check_nothing_left(scene.steps.back());
}

void Stage::play(const Step& step) {
    Words words;
    const Rule* rule = find_rule(step, words);
    if (rule == nullptr) throw SceneFailure(step, "  there is no such step");
    try {
        (this->*rule->play)(step, words);
    } catch (const SceneFailure&) {
        throw;
    } catch (const std::exception& error) {
        throw SceneFailure(step, fmt::format("  {}", error.what()));
    }
}

void Stage::check_nothing_left(const Step& last) {
    world_.settle();
    if (world_.simulated()) world_.pass(Duration{3000});
    for (auto& [name, person] : people_) {
        if (const std::string left = person.actor->unexpected(); !left.empty()) {
            throw SceneFailure(
                last, fmt::format("  when the scene was over {} had also got:\n{}", name, left));
        }
        if (!person.waiting.empty() && !person.actor->may_receive_more) {
            throw SceneFailure(
                last, fmt::format("  when the scene was over somebody was calling {}", name));
        }
    }
}

Stage::Person& Stage::person(const std::string& name) {
    const auto found = people_.find(name);
    if (found == people_.end()) {
        throw std::runtime_error(fmt::format("nobody is called {}", name));
    }
    return found->second;
}

Stage::Person& Stage::add_person(const std::string& name, std::string content_ns) {
    Person& added = people_[name];
    if (added.actor != nullptr) throw std::runtime_error(fmt::format("two are called {}", name));
    added.actor = std::make_unique<SceneActor>(world_, mode_, name, std::move(content_ns));
    return added;
}

SceneServer& Stage::server_of(std::string_view domain) {
    const auto found =
        std::ranges::find_if(servers_, [&](const auto& server) { return server->serves(domain); });
    if (found == servers_.end()) {
        throw std::runtime_error(fmt::format("no server of this scene serves {}", domain));
    }
    return **found;
}

std::string Stage::filled(const std::string& text) const { return substitute(text, variables_); }

std::vector<XmlNode> Stage::patterns(const Step& step, const SceneActor& reader) const {
    std::vector<XmlNode> wanted = parse_fragment(prepare_pattern(step.block), reader.content_ns());
    if (wanted.empty()) throw SceneFailure(step, "  the step names no element");
    return wanted;
}

void Stage::match(const Step& step, const XmlNode& pattern, SceneActor& reader, bool header) {
    const std::string wanted = to_text(pattern, reader.content_ns(), 2);
    const auto came = reader.next(header);
    if (!came) throw SceneFailure(step, fmt::format("  nothing came; expected:\n{}", wanted));
    const auto kind = header ? Happening::Kind::header : Happening::Kind::element;
    std::string why =
        came->kind == kind ? mismatch(pattern, came->node, variables_) : "that is something else";
    if (why.empty()) return;
    throw SceneFailure(step, fmt::format("  {}\n  expected:\n{}  but this came:\n{}", why, wanted,
                                         to_text(*came, reader.content_ns())));
}

}  // namespace causeway::scene
