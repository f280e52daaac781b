// Steps about other servers that a scene plays by hand, in both directions.
#include <fmt/format.h>

#include "gateway/base/encoding.h"
#include "tests/support/scene_stage.h"

namespace causeway::scene {
namespace {

constexpr std::string_view stream_ns = "http://etherx.jabber.org/streams";
constexpr std::string_view tls_ns = "urn:ietf:params:xml:ns:xmpp-tls";
constexpr std::string_view sasl_ns = "urn:ietf:params:xml:ns:xmpp-sasl";

std::string value(const XmlNode& node, std::string_view name) {
    const std::string* found = node.attribute(name);
    return found == nullptr ? std::string{} : *found;
}

}  // namespace

/// A peer is a machine of its own: DNS leads to it, and it listens there.
void Stage::start_peer(const Words& words, SceneCertificates::Kind certificate) {
    Person& added = add_person(words[0], "jabber:server");
    added.domain = words[1];
    added.peer = true;
    added.actor->hears_pings = false;
    added.actor->identity.domain = added.domain;
    added.certificate = certificate;
    ++machines_;
    note_machine(added.domain);
    const std::string host = fmt::format("machine-{}.test", machines_);
    world_.dns().set_addresses(host, {world_.address(machines_)});
    world_.dns().set_srv(
        "_xmpp-server._tcp." + added.domain,
        {{.priority = 0, .weight = 0, .port = SceneServer::server_port, .target = host}});
    auto listening = world_.network().listen(
        {boost::asio::ip::make_address(world_.address(machines_)), SceneServer::server_port},
        [&added](std::unique_ptr<Socket> socket) { added.waiting.push_back(std::move(socket)); });
    if (!listening) throw std::runtime_error(listening.error().why());
    added.listening = std::move(*listening);
}

void Stage::add_peer(const Step&, const Words& words) {
    start_peer(words, SceneCertificates::Kind::trusted);
}

void Stage::add_self_signed_peer(const Step&, const Words& words) {
    start_peer(words, SceneCertificates::Kind::self_signed);
}

// ---- streams that it opens ----

void Stage::peer_opens_connection(const Step&, const Words& words) {
    Person& who = person(words[0]);
    who.plan.domain = words[1];
    who.actor->connect(server_of(words[1]).at(SceneServer::server_port));
}

void Stage::peer_opens_tls_connection(const Step& step, const Words& words) {
    Person& who = person(words[0]);
    who.plan.domain = words[1];
    who.actor->connect(server_of(words[1]).at(SceneServer::server_tls_port));
    shakes_hands_for(step, words);
}

void Stage::peer_opens_secure_stream(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    peer_opens_connection(step, words);
    opens_stream_to(step, words);
    who.expect(stream_ns, "features");
    starts_tls(step, words);
    opens_stream_to(step, words);
    who.expect(stream_ns, "features");
}

/// It enables bidirectional streams (XEP-0288) first.
void Stage::peer_authenticates_both_ways(const Step& step, const Words& words) {
    authenticate_peer(step, words, "<bidi xmlns='urn:xmpp:bidi'/>");
}

void Stage::peer_authenticates(const Step& step, const Words& words) {
    authenticate_peer(step, words, {});
}

void Stage::authenticate_peer(const Step& step, const Words& words, std::string_view before) {
    Person& who = person(words[0]);
    peer_opens_secure_stream(step, words);
    if (!before.empty()) who.actor->send(std::string(before));
    who.actor->send(fmt::format("<auth xmlns='{}' mechanism='EXTERNAL'>{}</auth>", sasl_ns,
                                base64_encode(who.domain)));
    who.actor->expect(sasl_ns, "success");
    opens_stream_to(step, words);
    who.actor->expect(stream_ns, "features");
}

// ---- streams that others open to it ----

void Stage::peer_is_called(const Step& step, const Words& words) {
    Person& peer = person(words[1]);
    if (!world_.wait_until([&] { return !peer.waiting.empty(); })) {
        throw SceneFailure(step, "  nobody calls");
    }
    // A call may be taken by somebody who is introduced by it: a second stream of the same peer.
    if (!people_.contains(words[0])) {
        Person& added = add_person(words[0], "jabber:server");
        added.domain = peer.domain;
        added.peer = true;
        added.actor->hears_pings = peer.actor->hears_pings;
        added.actor->language = peer.actor->language;
        added.actor->identity.domain = peer.domain;
        added.certificate = peer.certificate;
    }
    actor(words[0]).adopt(std::move(peer.waiting.front()));
    peer.waiting.erase(peer.waiting.begin());
}

/// TLS comes first (XEP-0368).
void Stage::peer_is_called_with_tls(const Step& step, const Words& words) {
    peer_is_called(step, words);
    Person& who = person(words[0]);
    const auto own = certificates_.snapshot(who.domain, who.certificate);
    if (!who.actor->start_tls(own->first().peer_facing.get(), TlsEngine::Role::server, own, {})) {
        throw SceneFailure(step, "  the handshake failed: " + who.actor->tls()->error());
    }
}

void Stage::peer_is_not_called(const Step& step, const Words& words) {
    world_.settle();
    if (world_.simulated()) world_.pass(Duration{100});
    if (!person(words[0]).waiting.empty()) throw SceneFailure(step, "  somebody does");
}

void Stage::peer_answers_header(const Step& step, const Words& words) {
    Person& who = person(words[0]);
    auto came = who.actor->next(true);
    if (!came || came->kind != Happening::Kind::header) {
        throw SceneFailure(step, "  no stream header came");
    }
    who.plan.domain = value(came->node, "from");
    if (value(came->node, "to") != who.domain) {
        throw SceneFailure(step, "  the header is for another domain:\n" + to_text(came->node));
    }
    who.actor->send(
        fmt::format("<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='{}' "
                    "xmlns:db='jabber:server:dialback' from='{}' to='{}' id='{}'{} version='1.0'>",
                    stream_ns, who.domain, who.plan.domain, words[1], language_of(*who.actor)));
}

void Stage::peer_accepts_tls(const Step& step, const Words& words) {
    Person& who = person(words[0]);
    who.actor->expect(tls_ns, "starttls");
    const auto own = certificates_.snapshot(who.domain, who.certificate);
    if (!who.actor->start_tls(own->first().peer_facing.get(), TlsEngine::Role::server, own, {},
                              fmt::format("<proceed xmlns='{}'/>", tls_ns))) {
        throw SceneFailure(step, "  the handshake failed: " + who.actor->tls()->error());
    }
}

void Stage::accept_stream(const Step& step, const Words& words, std::string_view further_features,
                          Ways ways) {
    peer_is_called(step, words);
    SceneActor& who = actor(words[0]);
    peer_answers_header(step, {words[0], "first"});
    who.send(
        fmt::format("<stream:features><starttls xmlns='{}'><required/></starttls>"
                    "</stream:features>",
                    tls_ns));
    peer_accepts_tls(step, words);
    peer_answers_header(step, {words[0], "second"});
    who.send(
        fmt::format("<stream:features><mechanisms xmlns='{}'><mechanism>EXTERNAL</mechanism>"
                    "</mechanisms>{}</stream:features>",
                    sasl_ns, ways == Ways::both ? "<bidi xmlns='urn:xmpp:features:bidi'/>" : ""));
    if (ways == Ways::both) who.expect("urn:xmpp:bidi", "bidi");
    who.expect(sasl_ns, "auth");
    who.send_last(fmt::format("<success xmlns='{}'/>", sasl_ns));
    peer_answers_header(step, {words[0], "third"});
    who.send(fmt::format("<stream:features>{}</stream:features>", further_features));
}

void Stage::peer_accepts_stream(const Step& step, const Words& words) {
    accept_stream(step, words, {});
}

/// It says that more of the caller's domains can be proven on the stream by dialback.
void Stage::peer_accepts_stream_for_many(const Step& step, const Words& words) {
    accept_stream(step, words, "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>");
}

/// It offers stream management (XEP-0198).
void Stage::peer_accepts_managed_stream(const Step& step, const Words& words) {
    accept_stream(step, words, "<sm xmlns='urn:xmpp:sm:3'/>");
}

void Stage::peer_accepts_managed_stream_for_many(const Step& step, const Words& words) {
    accept_stream(step, words,
                  "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
                  "<sm xmlns='urn:xmpp:sm:3'/>");
}

/// It offers bidirectional streams (XEP-0288), and stream management.
void Stage::peer_accepts_bidirectional_stream(const Step& step, const Words& words) {
    accept_stream(step, words, "<sm xmlns='urn:xmpp:sm:3'/>", Ways::both);
}

void Stage::peer_hears_pings(const Step&, const Words& words) {
    actor(words[0]).hears_pings = true;
}

void Stage::peer_stops_reading(const Step&, const Words& words) {
    actor(words[0]).set_reading(false);
}

void Stage::peer_reads_on(const Step&, const Words& words) { actor(words[0]).set_reading(true); }

void Stage::peer_hangs_up(const Step&, const Words& words) {
    Person& peer = person(words[0]);
    peer.listening.reset();
    peer.waiting.clear();
    world_.settle();
}

}  // namespace causeway::scene
