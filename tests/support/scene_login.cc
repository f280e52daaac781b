#include "tests/support/scene_login.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "gateway/base/encoding.h"
#include "gateway/sasl/scram_client.h"

namespace causeway::scene {
namespace {

constexpr std::string_view stream_ns = "http://etherx.jabber.org/streams";
constexpr std::string_view tls_ns = "urn:ietf:params:xml:ns:xmpp-tls";
constexpr std::string_view sasl_ns = "urn:ietf:params:xml:ns:xmpp-sasl";
constexpr std::string_view bind_ns = "urn:ietf:params:xml:ns:xmpp-bind";
constexpr std::string_view sm_ns = "urn:xmpp:sm:3";

[[noreturn]] void fail(std::string why) { throw std::runtime_error(std::move(why)); }

std::string decode(const XmlNode& element) {
    auto text = base64_decode(element.text);
    if (!text) fail(fmt::format("<{}> holds no base64: {}", element.name, element.text));
    return *text;
}

template <class T>
T& right(SaslResult<T>& result) {
    if (!result) fail(fmt::format("SASL: {}: {}", result.error().condition, result.error().text));
    return *result;
}

ScramClient::Options scram_options(const SceneActor& actor, const ClientPlan& plan) {
    ScramClient::Options options{.username = plan.local,
                                 .password = plan.password,
                                 .authzid = {},
                                 .binding_name = {},
                                 .binding_data = {},
                                 .minimum_iterations = 1};
    for (const ScramHash hash : scram_hashes) {
        if (plan.mechanism.starts_with(scram_mechanism(hash, false))) options.hash = hash;
    }
    if (plan.mechanism.ends_with("-PLUS")) {
        options.flag = scram::BindingFlag::used;
        options.binding_name = "tls-exporter";
        options.binding_data = actor.tls()->exporter_binding();
    }
    return options;
}

void scram(SceneActor& actor, const ClientPlan& plan) {
    ScramClient exchange(scram_options(actor, plan));
    actor.send(fmt::format("<auth xmlns='{}' mechanism='{}'>{}</auth>", sasl_ns, plan.mechanism,
                           base64_encode(exchange.first())));
    auto final = exchange.answer(decode(actor.expect(sasl_ns, "challenge")));
    actor.send(
        fmt::format("<response xmlns='{}'>{}</response>", sasl_ns, base64_encode(right(final))));
    auto verified = exchange.verify(decode(actor.expect(sasl_ns, "success")));
    right(verified);
}

void plain(SceneActor& actor, const ClientPlan& plan) {
    const std::string message = '\0' + plan.local + '\0' + plan.password;
    actor.send(fmt::format("<auth xmlns='{}' mechanism='PLAIN'>{}</auth>", sasl_ns,
                           base64_encode(message)));
    actor.expect(sasl_ns, "success");
}

/// The element that answers an iq of ours, taken out of whatever else comes.
XmlNode answer_to(SceneActor& actor, std::string_view id) {
    std::deque<Happening> others;
    for (;;) {
        auto happening = actor.next();
        if (!happening) fail(fmt::format("the iq {} was not answered", id));
        const std::string* found = happening->node.attribute("id");
        const bool answer = happening->kind == Happening::Kind::element &&
                            happening->node.name == "iq" && found != nullptr && *found == id;
        if (!answer) {
            const bool over = happening->kind != Happening::Kind::element;
            others.push_back(std::move(*happening));
            if (over) fail(fmt::format("the iq {} was not answered", id));
            continue;
        }
        actor.inbox().insert(actor.inbox().begin(), std::make_move_iterator(others.begin()),
                             std::make_move_iterator(others.end()));
        if (*happening->node.attribute("type") != "result") {
            fail("an error came instead of a result:\n" + to_text(happening->node));
        }
        return std::move(happening->node);
    }
}

/// Takes the echo of the actor's own presence out of what came.
void take_own_presence(SceneActor& actor, const std::string& full) {
    std::deque<Happening> others;
    for (;;) {
        auto happening = actor.next();
        if (!happening) fail("the presence was not reflected");
        const std::string* from = happening->node.attribute("from");
        if (happening->node.name == "presence" && from != nullptr && *from == full) break;
        others.push_back(std::move(*happening));
    }
    actor.inbox().insert(actor.inbox().begin(), std::make_move_iterator(others.begin()),
                         std::make_move_iterator(others.end()));
}

}  // namespace

void open_stream(SceneActor& actor, const std::string& to, const std::string& from) {
    actor.expect_new_stream();
    actor.send(
        fmt::format("<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' "
                    "xmlns:db='jabber:server:dialback' to='{}'{}{} version='1.0'>",
                    actor.content_ns(), stream_ns, to,
                    from.empty() ? "" : fmt::format(" from='{}'", from), language_of(actor)));
}

std::string language_of(const SceneActor& actor) {
    return actor.language.empty() ? "" : fmt::format(" xml:lang='{}'", actor.language);
}

XmlNode open_secure_stream(SceneActor& actor, const ClientPlan& plan, SceneServer& server,
                           SceneCertificates& certificates) {
    actor.connect(
        server.at(plan.direct_tls ? SceneServer::client_tls_port : SceneServer::client_port));
    if (!plan.direct_tls) {
        open_stream(actor, plan.domain, {});
        actor.expect(stream_ns, "features");
        actor.send(fmt::format("<starttls xmlns='{}'/>", tls_ns));
        actor.expect(tls_ns, "proceed");
    }
    if (!actor.start_tls(certificates.client_context(), TlsEngine::Role::client, nullptr,
                         plan.domain)) {
        fail("the TLS handshake failed: " + actor.tls()->error());
    }
    open_stream(actor, plan.domain, {});
    return actor.expect(stream_ns, "features");
}

XmlNode authenticate(SceneActor& actor, const ClientPlan& plan) {
    if (plan.mechanism == "PLAIN") {
        plain(actor, plan);
    } else {
        scram(actor, plan);
    }
    open_stream(actor, plan.domain, plan.bare);
    return actor.expect(stream_ns, "features");
}

void bind_resource(SceneActor& actor, const ClientPlan& plan) {
    actor.send(
        fmt::format("<iq type='set' id='scene-bind'><bind xmlns='{}'>"
                    "<resource>{}</resource></bind></iq>",
                    bind_ns, plan.resource));
    const XmlNode result = answer_to(actor, "scene-bind");
    const XmlNode* bound = result.child(bind_ns, "bind");
    const XmlNode* jid = bound == nullptr ? nullptr : bound->child(bind_ns, "jid");
    if (jid == nullptr || jid->text != plan.bare + "/" + plan.resource) {
        fail("another resource was bound:\n" + to_text(result));
    }
}

void enable_stream_management(SceneActor& actor, const ClientPlan& plan) {
    actor.send(fmt::format("<enable xmlns='{}' resume='true'/>", sm_ns));
    const XmlNode enabled = actor.expect(sm_ns, "enabled");
    const std::string* id = enabled.attribute("id");
    actor.management = {.enabled = true,
                        .automatic = plan.acknowledges,
                        .previd = id == nullptr ? std::string{} : *id};
}

XmlNode resume(SceneActor& actor) {
    actor.send(fmt::format("<resume xmlns='{}' previd='{}' h='{}'/>", sm_ns,
                           actor.management.previd, actor.management.received));
    return actor.expect(sm_ns, "resumed");
}

void become_available(SceneActor& actor, const ClientPlan& plan, int priority) {
    if (plan.roster) {
        actor.send("<iq type='get' id='scene-roster'><query xmlns='jabber:iq:roster'/></iq>");
        answer_to(actor, "scene-roster");
    }
    if (!plan.presence) return;
    actor.send(priority == 0
                   ? std::string("<presence/>")
                   : fmt::format("<presence><priority>{}</priority></presence>", priority));
    take_own_presence(actor, plan.bare + "/" + plan.resource);
}

}  // namespace causeway::scene
