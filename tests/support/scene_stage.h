// Stage: plays one scene: the people, servers and facts that its steps bring in, and what each kind
// of step does. A step that is not as it should be throws SceneFailure. Owner: the runner; one a
// scene.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/scene_actor.h"
#include "tests/support/scene_login.h"
#include "tests/support/scene_script.h"
#include "tests/support/scene_server.h"

namespace causeway::scene {

/// file:line: what was expected, and what was instead.
class SceneFailure : public std::runtime_error {
public:
    SceneFailure(const Step& step, const std::string& what);
};

class Stage {
public:
    Stage(SceneWorld& world, SceneCertificates& certificates, const Mode& mode);
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    ~Stage();

    /// Plays all steps, and checks that nobody was left with something unlooked at.
    void play(const Scene& scene);
    /// What it needs that this way of playing does not have; empty if nothing. An unknown step
    /// throws SceneFailure.
    static std::string_view missing(const Scene& scene, const Mode& mode);

private:
    /// What a <word> of a rule stood for; the last one may be several.
    using Words = std::vector<std::string>;
    struct Rule {
        std::string_view form;
        void (Stage::*play)(const Step& step, const Words& words);
        enum class Needs : unsigned char { nothing, simulation, whole_pieces };
        Needs needs = Needs::nothing;
    };
    /// Somebody with a connection.
    struct Person {
        std::unique_ptr<SceneActor> actor;
        ClientPlan plan;     ///< of a client
        std::string domain;  ///< of a peer: its own; else the server's that is used
        bool peer = false;
        SceneCertificates::Kind certificate = SceneCertificates::Kind::trusted;
        std::unique_ptr<Acceptor> listening;
        std::vector<std::unique_ptr<Socket>> waiting;  ///< connections not taken up yet
    };

    static const std::vector<Rule>& rules();
    static const Rule* find_rule(const Step& step, Words& words);
    void play(const Step& step);
    void check_nothing_left(const Step& last);

    Person& person(const std::string& name);
    SceneActor& actor(const std::string& name) { return *person(name).actor; }
    SceneServer& server_of(std::string_view domain);
    Person& add_person(const std::string& name, std::string content_ns);
    [[nodiscard]] std::string filled(const std::string& text) const;
    [[nodiscard]] std::vector<XmlNode> patterns(const Step& step, const SceneActor& reader) const;
    void match(const Step& step, const XmlNode& pattern, SceneActor& reader, bool header);

    // scene_setting.cc: who and what there is, and what becomes of it
    void start_server(const Step& step, const Words& domains,
                      ServerPlan::Certificates certificates);
    void note_machine(const std::string& domain);
    void add_server(const Step& step, const Words& words);
    void add_self_signed_server(const Step& step, const Words& words);
    void add_one_certificate_server(const Step& step, const Words& words);
    void add_client(const Step& step, const Words& words);
    void add_account(const Step& step, const Words& words);
    void add_disabled_account(const Step& step, const Words& words);
    void add_stranger(const Step& step, const Words& words);
    void add_peer(const Step& step, const Words& words);
    void add_self_signed_peer(const Step& step, const Words& words);
    void add_contact(const Step& step, const Words& words);
    void simulation_only(const Step& step, const Words& words);
    void time_passes(const Step& step, const Words& words);
    void server_goes_down(const Step& step, const Words& words);
    void server_comes_back(const Step& step, const Words& words);
    void server_shuts_down(const Step& step, const Words& words);
    void closes_link(const Step& step, const Words& words);
    void tries_again(const Step& step, const Words& words);
    void server_serves_no_more(const Step& step, const Words& words);
    void server_is_told(const Step& step, const Words& words);
    void server_explains(const Step& step, const Words& words);
    void server_unreachable(const Step& step, const Words& words);
    void server_reachable(const Step& step, const Words& words);
    void store_fails(const Step& step, const Words& words);
    void store_cannot_read(const Step& step, const Words& words);
    void store_holds(const Step& step, const Words& words);
    void store_releases(const Step& step, const Words& words);
    void expect_rows(const Step& step, SceneServer& server, const std::string& log,
                     const std::string& owner, const std::string& count);
    void stored_messages(const Step& step, const Words& words);
    void waiting_stanzas(const Step& step, const Words& words);
    void contact_is(const Step& step, const Words& words);
    void link_is(const Step& step, const Words& words);
    void administrator_types(const Step& step, const Words& words);
    void administrator_begins(const Step& step, const Words& words);
    void administrator_is_told(const Step& step, const Words& words);
    [[nodiscard]] std::string verb_of(const Words& words);
    [[nodiscard]] bool answers(const Step& step, const std::vector<std::string>& came);
    void has_counted(const Step& step, const Words& words);
    void dns_srv(const Step& step, const Words& words);
    void dns_address(const Step& step, const Words& words);
    void dns_absent(const Step& step, const Words& words);
    void dns_fails(const Step& step, const Words& words);
    void dns_silent(const Step& step, const Words& words);

    // scene_people.cc: what clients and strangers do and see
    void connects(const Step& step, const Words& words);
    void connects_with_priority(const Step& step, const Words& words);
    void binds(const Step& step, const Words& words);
    void logs_in(const Step& step, const Words& words);
    void disconnects(const Step& step, const Words& words);
    void closes_stream(const Step& step, const Words& words);
    void loses_connection(const Step& step, const Words& words);
    void resumes(const Step& step, const Words& words);
    void acknowledges(const Step& step, const Words& words);
    void acknowledges_all(const Step& step, const Words& words);
    void sends(const Step& step, const Words& words);
    void sends_at_once(const Step& step, const Words& words);
    void sends_exactly(const Step& step, const Words& words);
    void receives(const Step& step, const Words& words);
    void receives_header(const Step& step, const Words& words);
    void receives_in_any_order(const Step& step, const Words& words);
    void receives_nothing(const Step& step, const Words& words);
    void may_receive_more(const Step& step, const Words& words);
    void ignores_presence(const Step& step, const Words& words);
    void gets_stream_error(const Step& step, const Words& words);
    void sees_stream_end(const Step& step, const Words& words);
    void sees_connection_end(const Step& step, const Words& words);
    void roster_is(const Step& step, const Words& words);
    void opens_connection(const Step& step, const Words& words);
    void opens_stream(const Step& step, const Words& words);
    void opens_stream_to(const Step& step, const Words& words);
    void starts_tls(const Step& step, const Words& words);
    void shakes_hands(const Step& step, const Words& words);
    void shakes_hands_for(const Step& step, const Words& words);
    void is_shown_certificate(const Step& step, const Words& words);
    void speaks(const Step& step, const Words& words);
    void offers_protocol(const Step& step, const Words& words);
    void falls_silent(const Step& step, const Words& words);
    void opens_secure_stream(const Step& step, const Words& words);

    // scene_peers.cc: what other servers do
    void start_peer(const Words& words, SceneCertificates::Kind certificate);
    void peer_opens_connection(const Step& step, const Words& words);
    void peer_opens_tls_connection(const Step& step, const Words& words);
    void peer_opens_secure_stream(const Step& step, const Words& words);
    void peer_authenticates(const Step& step, const Words& words);
    void peer_authenticates_both_ways(const Step& step, const Words& words);
    void authenticate_peer(const Step& step, const Words& words, std::string_view before);
    void peer_is_called(const Step& step, const Words& words);
    void peer_is_called_with_tls(const Step& step, const Words& words);
    void peer_is_not_called(const Step& step, const Words& words);
    void peer_answers_header(const Step& step, const Words& words);
    void peer_accepts_tls(const Step& step, const Words& words);
    enum class Ways : unsigned char { one, both };  ///< XEP-0288
    void accept_stream(const Step& step, const Words& words, std::string_view further_features,
                       Ways ways = Ways::one);
    void peer_accepts_stream(const Step& step, const Words& words);
    void peer_accepts_stream_for_many(const Step& step, const Words& words);
    void peer_accepts_managed_stream(const Step& step, const Words& words);
    void peer_accepts_managed_stream_for_many(const Step& step, const Words& words);
    void peer_accepts_bidirectional_stream(const Step& step, const Words& words);
    void peer_hears_pings(const Step& step, const Words& words);
    void peer_stops_reading(const Step& step, const Words& words);
    void peer_reads_on(const Step& step, const Words& words);
    void peer_hangs_up(const Step& step, const Words& words);

    SceneWorld& world_;
    SceneCertificates& certificates_;
    const Mode& mode_;
    std::vector<std::unique_ptr<SceneServer>> servers_;
    std::map<std::string, Person> people_;
    Variables variables_;
    unsigned machines_ = 0;
};

}  // namespace causeway::scene
