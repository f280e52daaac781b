// What holds for every stanza that a server sends to anybody, in every scene, whether the scene
// looks at it or not.
#pragma once

#include <string>

#include "tests/support/scene_xml.h"

namespace causeway::scene {

/// Whom an actor plays; empty where that is not known.
struct Identity {
    std::string bare;    ///< of a client: its account
    std::string full;    ///< of a client: its session
    std::string domain;  ///< of a peer
};

/// What is wrong with a child of the stream that was sent to `receiver`; empty if nothing is.
/// Addresses as RFC 6120 §8.1 has them, errors as §8.3 has them, one stanza-id of each owner
/// (XEP-0359 §3.1), one delay of each origin (XEP-0203).
std::string stanza_fault(const XmlNode& stanza, const std::string& content_ns,
                         const Identity& receiver);

}  // namespace causeway::scene
