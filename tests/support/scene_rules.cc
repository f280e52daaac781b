#include "tests/support/scene_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace causeway::scene {
namespace {

constexpr std::string_view server_ns = "jabber:server";
constexpr std::string_view delay_ns = "urn:xmpp:delay";
constexpr std::string_view stanza_id_ns = "urn:xmpp:sid:0";

std::string_view domain_of(std::string_view address) {
    const std::string_view bare = address.substr(0, address.find('/'));
    return bare.substr(bare.find('@') == std::string_view::npos ? 0 : bare.find('@') + 1);
}

std::string address_fault(const XmlNode& stanza, const std::string& content_ns,
                          const Identity& receiver) {
    const std::string* to = stanza.attribute("to");
    const std::string* from = stanza.attribute("from");
    if (content_ns == server_ns) {
        if (to == nullptr || from == nullptr) return "lacks an address";
        const bool ours = receiver.domain.empty() || domain_of(*to) == receiver.domain;
        return ours ? std::string{} : fmt::format("is for {}", *to);
    }
    if (to == nullptr || receiver.bare.empty()) return {};
    // A message to a session that is gone may go to another one of the account.
    const bool ours = *to == receiver.bare || *to == receiver.full ||
                      (stanza.name == "message" && to->starts_with(receiver.bare + "/"));
    return ours ? std::string{} : fmt::format("is for {}", *to);
}

std::string type_fault(const XmlNode& stanza, const std::string& content_ns) {
    const std::string* type = stanza.attribute("type");
    const bool error = type != nullptr && *type == "error";
    if (error != (stanza.child(content_ns, "error") != nullptr)) {
        return error ? "is an error without the reason" : "holds an error and is none";
    }
    if (stanza.name != "iq") return {};
    constexpr std::string_view types[] = {"get", "set", "result", "error"};
    if (type == nullptr || std::ranges::find(types, *type) == std::end(types)) {
        return "has no type of an iq";
    }
    // An error says of a request without an id that it lacks one.
    return stanza.attribute("id") == nullptr && !error ? "has no id" : "";
}

/// Children of which there may be one with the same value of that attribute.
std::string repetition(const XmlNode& stanza, std::string_view name, std::string_view ns,
                       std::string_view attribute) {
    std::set<std::string> seen;
    for (const XmlNode& child : stanza.children) {
        if (child.name != name || child.ns != ns) continue;
        const std::string* value = child.attribute(attribute);
        const std::string key = value == nullptr ? std::string{} : *value;
        if (!seen.insert(key).second) {
            return fmt::format("holds two <{}> with {}='{}'", name, attribute, key);
        }
    }
    return {};
}

}  // namespace

std::string stanza_fault(const XmlNode& stanza, const std::string& content_ns,
                         const Identity& receiver) {
    if (stanza.ns != content_ns) return {};
    if (stanza.name != "message" && stanza.name != "presence" && stanza.name != "iq") {
        return "is no stanza";
    }
    for (std::string fault :
         {address_fault(stanza, content_ns, receiver), type_fault(stanza, content_ns),
          repetition(stanza, "delay", delay_ns, "from"),
          repetition(stanza, "stanza-id", stanza_id_ns, "by")}) {
        if (!fault.empty()) return fault;
    }
    return {};
}

}  // namespace causeway::scene
