// How people of a conversation log in: the negotiation that each of them would otherwise have to
// spell out. Every function throws std::runtime_error when the server does anything else.
#pragma once

#include <string>

#include "tests/support/scene_actor.h"
#include "tests/support/scene_server.h"

namespace causeway::scene {

/// What a scene says about a client.
struct ClientPlan {
    std::string bare, domain, local, resource, password;
    std::string mechanism = "SCRAM-SHA-256-PLUS";
    std::uint32_t iterations = SceneServer::iterations;
    bool direct_tls = false;
    bool stream_management = false;
    bool acknowledges = true;  ///< answers <r/> by itself
    bool roster = true;        ///< asks for its roster, and so hears of its changes
    bool presence = true;      ///< becomes available
};

/// The attribute of its stream headers that names its language; empty if it speaks none.
std::string language_of(const SceneActor& actor);
/// The header of a new stream; `from` may be empty.
void open_stream(SceneActor& actor, const std::string& to, const std::string& from);

/// To the features of a TLS stream, which are returned.
XmlNode open_secure_stream(SceneActor& actor, const ClientPlan& plan, SceneServer& server,
                           SceneCertificates& certificates);
/// SASL and the new stream; returns its features.
XmlNode authenticate(SceneActor& actor, const ClientPlan& plan);
void bind_resource(SceneActor& actor, const ClientPlan& plan);
void enable_stream_management(SceneActor& actor, const ClientPlan& plan);
/// Returns the <resumed/>.
XmlNode resume(SceneActor& actor);
/// Roster and presence as the plan says. What the server sends beside the answers stays to be
/// looked at.
void become_available(SceneActor& actor, const ClientPlan& plan, int priority);

}  // namespace causeway::scene
