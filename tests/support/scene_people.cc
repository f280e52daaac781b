// Steps about clients, and about strangers who drive a stream by hand.
#include <fmt/format.h>

#include <charconv>

#include "gateway/net/certificate.h"
#include "tests/support/scene_stage.h"

namespace causeway::scene {
namespace {

constexpr std::string_view stream_ns = "http://etherx.jabber.org/streams";
constexpr std::string_view stream_errors_ns = "urn:ietf:params:xml:ns:xmpp-streams";
constexpr std::string_view tls_ns = "urn:ietf:params:xml:ns:xmpp-tls";
constexpr std::string_view sm_ns = "urn:xmpp:sm:3";

/// \xNN as that byte, and lines joined without anything between them.
std::string exact_bytes(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') continue;
        unsigned value = 0;
        if (text.compare(i, 2, "\\x") == 0 && i + 4 <= text.size() &&
            std::from_chars(text.data() + i + 2, text.data() + i + 4, value, 16).ec ==
                std::errc{}) {
            out.push_back(static_cast<char>(value));
            i += 3;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

}  // namespace

// ---- logging in and out ----

void Stage::logs_in(const Step&, const Words& words) {
    Person& who = person(words[0]);
    if (who.plan.local.empty()) throw std::runtime_error("is no client with an account");
    open_secure_stream(*who.actor, who.plan, server_of(who.domain), certificates_);
    authenticate(*who.actor, who.plan);
}

void Stage::binds(const Step&, const Words& words) {
    Person& who = person(words[0]);
    who.actor->management = {};
    bind_resource(*who.actor, who.plan);
    who.actor->identity.bare = who.plan.bare;
    who.actor->identity.full = who.plan.bare + "/" + who.plan.resource;
    if (!who.plan.stream_management) return;
    enable_stream_management(*who.actor, who.plan);
    variables_[words[0] + ".previd"] = who.actor->management.previd;
}

void Stage::connects(const Step& step, const Words& words) {
    connects_with_priority(step, {words[0], "0"});
}

void Stage::connects_with_priority(const Step& step, const Words& words) {
    Person& who = person(words[0]);
    who.actor->management = {};
    logs_in(step, words);
    binds(step, words);
    become_available(*who.actor, who.plan, std::stoi(words[1]));
    server_of(who.plan.domain).let_read(who.plan.bare);
}

void Stage::disconnects(const Step& step, const Words& words) {
    closes_stream(step, words);
    sees_stream_end(step, words);
    sees_connection_end(step, words);
}

void Stage::closes_stream(const Step&, const Words& words) {
    actor(words[0]).send("</stream:stream>");
}

void Stage::loses_connection(const Step&, const Words& words) {
    actor(words[0]).drop();
    world_.settle();
}

void Stage::resumes(const Step& step, const Words& words) {
    Person& who = person(words[0]);
    const SceneActor::Management before = who.actor->management;
    who.actor->management = {};
    logs_in(step, words);
    who.actor->management = before;
    const XmlNode resumed = resume(*who.actor);
    variables_["h"] = *resumed.attribute("h");
}

void Stage::acknowledges(const Step&, const Words& words) {
    actor(words[0]).send(fmt::format("<a xmlns='{}' h='{}'/>", sm_ns, words[1]));
}

void Stage::acknowledges_all(const Step& step, const Words& words) {
    acknowledges(step, {words[0], fmt::format("{}", actor(words[0]).management.received)});
}

// ---- sending and receiving ----

void Stage::sends(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    const std::string text = filled(step.block);
    // An accepting side's success ends the stream that it was said on.
    if (text.starts_with("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'")) {
        who.send_last(text);
    } else {
        who.send(text);
    }
}

void Stage::sends_at_once(const Step& step, const Words& words) {
    actor(words[0]).send_at_once(exact_bytes(filled(step.block)));
}

void Stage::sends_exactly(const Step& step, const Words& words) {
    actor(words[0]).send(exact_bytes(filled(step.block)));
}

void Stage::receives(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    for (const XmlNode& pattern : patterns(step, who)) match(step, pattern, who, false);
}

void Stage::receives_header(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    for (const XmlNode& pattern : patterns(step, who)) match(step, pattern, who, true);
}

void Stage::receives_in_any_order(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    std::vector<XmlNode> wanted = patterns(step, who);
    while (!wanted.empty()) {
        const auto came = who.next();
        std::string why;
        bool found = false;
        for (std::size_t i = 0; came && i < wanted.size() && !found; ++i) {
            Variables attempt = variables_;
            const std::string differs = came->kind == Happening::Kind::element
                                            ? mismatch(wanted[i], came->node, attempt)
                                            : "that is something else";
            found = differs.empty();
            if (found) {
                variables_ = std::move(attempt);
                wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(i));
            } else {
                why += "  " + differs + "\n";
            }
        }
        if (found) continue;
        std::string left;
        for (const XmlNode& node : wanted) left += to_text(node, who.content_ns(), 2);
        throw SceneFailure(
            step,
            fmt::format("{}  expected one of:\n{}  but {}", why, left,
                        came ? "this came:\n" + to_text(*came, who.content_ns()) : "nothing came"));
    }
}

void Stage::receives_nothing(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    world_.settle();
    if (world_.simulated()) world_.pass(Duration{100});
    for (const Happening& came : who.inbox()) {
        if (came.kind == Happening::Kind::header) continue;
        throw SceneFailure(step, "  this came:\n" + to_text(came, who.content_ns()));
    }
}

void Stage::may_receive_more(const Step&, const Words& words) {
    actor(words[0]).may_receive_more = true;
}

void Stage::ignores_presence(const Step&, const Words& words) {
    actor(words[0]).ignores_presence = true;
}

void Stage::gets_stream_error(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    const XmlNode pattern{std::string(stream_ns),
                          "error",
                          {},
                          {},
                          {{std::string(stream_errors_ns), words[1], {}, {}, {}}}};
    match(step, pattern, who, false);
    sees_stream_end(step, words);
    sees_connection_end(step, words);
}

void Stage::sees_stream_end(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    const auto came = who.next();
    if (came && came->kind == Happening::Kind::stream_end) return;
    throw SceneFailure(step, came ? "  this came instead of the end of the stream:\n" +
                                        to_text(*came, who.content_ns())
                                  : "  the stream does not end");
}

void Stage::sees_connection_end(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    who.finish();
    const auto came = who.next();
    if (!came || came->kind != Happening::Kind::closed) {
        throw SceneFailure(step, came ? "  this came instead of the end of the connection:\n" +
                                            to_text(*came, who.content_ns())
                                      : "  the connection does not end");
    }
    who.drop();
    world_.settle();
}

void Stage::roster_is(const Step& step, const Words& words) {
    SceneActor& who = actor(words[0]);
    who.send("<iq type='get' id='scene-look'><query xmlns='jabber:iq:roster'/></iq>");
    const std::string result = fmt::format(
        "<iq type='result' id='scene-look'><query xmlns='jabber:iq:roster' {{exactly}}"
        ">{}</query></iq>",
        step.block);
    for (const XmlNode& pattern : parse_fragment(prepare_pattern(result), who.content_ns())) {
        match(step, pattern, who, false);
    }
}

// ---- by hand ----

void Stage::opens_connection(const Step&, const Words& words) {
    Person& who = person(words[0]);
    who.actor->connect(server_of(who.domain).at(SceneServer::client_port));
}

void Stage::opens_stream(const Step& step, const Words& words) {
    opens_stream_to(step, {words[0], person(words[0]).domain});
}

void Stage::opens_stream_to(const Step&, const Words& words) {
    Person& who = person(words[0]);
    open_stream(*who.actor, words[1], who.peer ? who.domain : std::string{});
}

void Stage::starts_tls(const Step& step, const Words& words) {
    Person& who = person(words[0]);
    who.actor->send(fmt::format("<starttls xmlns='{}'/>", tls_ns));
    who.actor->expect(tls_ns, "proceed");
    shakes_hands_for(step, {words[0], who.plan.domain});
}

void Stage::shakes_hands(const Step& step, const Words& words) {
    shakes_hands_for(step, {words[0], person(words[0]).plan.domain});
}

void Stage::shakes_hands_for(const Step&, const Words& words) {
    Person& who = person(words[0]);
    std::shared_ptr<const TlsSnapshot> own;
    SSL_CTX* context = certificates_.client_context();
    if (who.peer) {
        own = certificates_.snapshot(who.domain, who.certificate);
        context = own->first().connecting.get();
    }
    if (!who.actor->start_tls(context, TlsEngine::Role::client, own, words[1])) {
        throw std::runtime_error("the handshake failed: " + who.actor->tls()->error());
    }
}

void Stage::is_shown_certificate(const Step& step, const Words& words) {
    const CertificatePointer shown = actor(words[0]).tls()->peer_certificate();
    const CertificateNames names = names_of(shown.get());
    if (covers(names, words[1], "_xmpp-client")) return;
    throw SceneFailure(step, "  the certificate is for " + describe(names));
}

void Stage::speaks(const Step&, const Words& words) { actor(words[0]).language = words[1]; }

void Stage::offers_protocol(const Step&, const Words& words) {
    actor(words[0]).protocol = words[1];
}

void Stage::falls_silent(const Step&, const Words& words) {
    SceneActor& who = actor(words[0]);
    who.answers_pings = false;
    who.management.automatic = false;
}

void Stage::opens_secure_stream(const Step&, const Words& words) {
    Person& who = person(words[0]);
    open_secure_stream(*who.actor, who.plan, server_of(who.domain), certificates_);
}

}  // namespace causeway::scene
