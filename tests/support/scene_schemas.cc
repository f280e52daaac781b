#include "tests/support/scene_schemas.h"

#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlschemas.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace causeway::scene {
namespace {

constexpr std::string_view client_ns = "jabber:client";
constexpr std::string_view server_ns = "jabber:server";
constexpr const char* schema_ns = "http://www.w3.org/2001/XMLSchema";

const xmlChar* to_xml(const std::string& text) {
    return reinterpret_cast<const xmlChar*>(text.c_str());
}

std::string property(xmlNode* node, const char* name) {
    xmlChar* value = xmlGetNoNsProp(node, reinterpret_cast<const xmlChar*>(name));
    std::string out = value == nullptr ? std::string{} : reinterpret_cast<const char*>(value);
    xmlFree(value);
    return out;
}

std::uint64_t mix(std::uint64_t sum, std::uint64_t value) {
    return (sum ^ value) * 0x100000001b3U + (sum >> 29U);
}

std::uint64_t mix(std::uint64_t sum, std::string_view text) {
    return mix(sum, std::hash<std::string_view>{}(text));
}

std::uint64_t hash_of(const XmlAttribute& a) { return mix(mix(mix(1, a.ns), a.name), a.value); }

/// The same for two elements that say the same. A server turns the content namespace of one kind of
/// stream into that of the other. Each element inside is told to `tell`, if there is one.
std::uint64_t hash_of(const XmlNode& node, const std::function<void(std::uint64_t)>& tell) {
    std::uint64_t sum = mix(0xcbf29ce484222325U, node.ns == server_ns ? client_ns : node.ns);
    sum = mix(mix(sum, node.name), node.text);
    std::uint64_t attributes = 0;  // in no order
    for (const XmlAttribute& a : node.attributes) attributes += hash_of(a);
    sum = mix(sum, attributes);
    for (const XmlNode& child : node.children) sum = mix(sum, hash_of(child, tell));
    if (tell) tell(sum);
    return sum;
}

struct FreeDocument {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using Document = std::unique_ptr<xmlDoc, FreeDocument>;

xmlNs* namespace_of(xmlDoc* document, xmlNode* node, const std::string& uri, bool attribute) {
    if (xmlNs* known = xmlSearchNsByHref(document, node, to_xml(uri));
        known != nullptr && (!attribute || known->prefix != nullptr)) {
        return known;
    }
    return xmlNewNs(node, to_xml(uri), attribute ? reinterpret_cast<const xmlChar*>("p") : nullptr);
}

/// As libxml2 has it; each node knows the one it was made from.
xmlNode* add(xmlDoc* document, xmlNode* parent, const XmlNode& from) {
    xmlNode* node = xmlNewDocNode(document, nullptr, to_xml(from.name), nullptr);
    node->_private = const_cast<XmlNode*>(&from);
    if (parent == nullptr) {
        xmlDocSetRootElement(document, node);
    } else {
        xmlAddChild(parent, node);
    }
    if (!from.ns.empty()) xmlSetNs(node, namespace_of(document, node, from.ns, false));
    for (const XmlAttribute& a : from.attributes) {
        xmlNs* ns = a.ns.empty() ? nullptr : namespace_of(document, node, a.ns, true);
        xmlNewNsProp(node, ns, to_xml(a.name), to_xml(a.value));
    }
    if (!from.text.empty()) xmlAddChild(node, xmlNewDocText(document, to_xml(from.text)));
    for (const XmlNode& child : from.children) add(document, node, child);
    return node;
}

}  // namespace

// ---- what was sent ----

void SentElements::note(std::string_view text, std::string_view content_ns) {
    if (!text.empty()) unread_.push_back({std::string(text), std::string(content_ns)});
}

void SentElements::read() {
    const auto remember = [this](std::uint64_t hash) { known_.insert(hash); };
    for (const Text& sent : std::exchange(unread_, {})) {
        XmlReader reader({.opened = {},
                          .element =
                              [&](const XmlNode& node) {
                                  hash_of(node, remember);
                                  for (const XmlAttribute& a : node.attributes) {
                                      remember(hash_of(a));
                                  }
                              },
                          .closed = {}});
        try {
            reader.feed(
                fmt::format("<scene xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams' "
                            "xmlns:db='jabber:server:dialback'>",
                            sent.content_ns));
            reader.feed(sent.text);
        } catch (const std::runtime_error&) {
            // Not well-formed from there on; what was read before counts.
        }
    }
}

bool SentElements::contains(const XmlNode& element) {
    read();
    return known_.contains(hash_of(element, {}));
}

bool SentElements::contains_attribute(const XmlAttribute& attribute) {
    read();
    return known_.contains(hash_of(attribute));
}

// ---- the schemas ----

struct SceneSchemas::State {
    template <auto free>
    struct Free {
        template <class T>
        void operator()(T* object) const {
            free(object);
        }
    };

    std::unique_ptr<xmlSchema, Free<xmlSchemaFree>> schema;
    std::unique_ptr<xmlSchemaValidCtxt, Free<xmlSchemaFreeValidCtxt>> validator;
    std::map<std::string, std::string> files;                  ///< by target namespace
    std::set<std::pair<std::string, std::string>> declared;    ///< elements, with their namespace
    std::vector<std::pair<const XmlNode*, std::string>> said;  ///< by the validator, and of what
    SentElements* sent = nullptr;                              ///< while it validates

    void read(const std::filesystem::path& file);
    void compile(const std::string& driver);
    /// Whether what is not valid is an attribute or an element that somebody sent, or stands in
    /// one. The stanza itself and its addresses are the server's.
    [[nodiscard]] bool was_sent(const xmlNode* node, const std::string& why) const;
    [[nodiscard]] std::string undeclared(const XmlNode& node, std::string_view outer_ns) const;
    [[nodiscard]] std::string file_of(const std::string& ns) const {
        const auto found = files.find(ns);
        return found == files.end() ? "no schema" : "schemas/xml/" + found->second;
    }
};

namespace {

std::string message_of(const xmlError* error) {
    std::string text = error->message == nullptr ? "no reason" : error->message;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

/// How the validator names an attribute.
std::string mention(const XmlAttribute& a) {
    return a.ns.empty() ? fmt::format("attribute '{}'", a.name)
                        : fmt::format("attribute '{{{}}}{}'", a.ns, a.name);
}

}  // namespace

void SceneSchemas::State::read(const std::filesystem::path& file) {
    const Document document(
        xmlReadFile(file.c_str(), nullptr, XML_PARSE_NONET | XML_PARSE_NOBLANKS));
    if (document == nullptr) throw std::runtime_error("not well-formed: " + file.string());
    xmlNode* root = xmlDocGetRootElement(document.get());
    const std::string ns = property(root, "targetNamespace");
    if (ns.empty()) return;  // another one includes it
    if (!files.emplace(ns, file.filename().string()).second) {
        throw std::runtime_error(
            fmt::format("{} and {} are both for {}", files[ns], file.filename().string(), ns));
    }
    const auto declare = [&](xmlNode* from) {
        for (xmlNode* at = from->children; at != nullptr; at = at->next) {
            if (at->type != XML_ELEMENT_NODE || !xmlStrEqual(at->name, BAD_CAST "element")) {
                continue;
            }
            declared.emplace(ns, property(at, "name"));
        }
    };
    declare(root);
    for (xmlNode* at = root->children; at != nullptr; at = at->next) {
        if (at->type != XML_ELEMENT_NODE || !xmlStrEqual(at->name, BAD_CAST "include")) continue;
        const auto included = file.parent_path() / property(at, "schemaLocation");
        const Document other(xmlReadFile(included.c_str(), nullptr, XML_PARSE_NONET));
        if (other != nullptr) declare(xmlDocGetRootElement(other.get()));
    }
}

void SceneSchemas::State::compile(const std::string& driver) {
    const std::unique_ptr<xmlSchemaParserCtxt, Free<xmlSchemaFreeParserCtxt>> parser(
        xmlSchemaNewMemParserCtxt(driver.data(), static_cast<int>(driver.size())));
    std::string wrong;
    const auto note = [](void* to, auto* error) {
        *static_cast<std::string*>(to) +=
            fmt::format("{}:{}: {}\n", error->file == nullptr ? "" : error->file, error->line,
                        message_of(error));
    };
    xmlSchemaSetParserStructuredErrors(parser.get(), note, &wrong);
    schema.reset(xmlSchemaParse(parser.get()));
    if (schema == nullptr || !wrong.empty()) throw std::runtime_error(wrong);
    validator.reset(xmlSchemaNewValidCtxt(schema.get()));
    const auto judge = [](void* to, auto* error) {
        auto& state = *static_cast<State*>(to);
        const auto* node = static_cast<const xmlNode*>(error->node);
        std::string why = message_of(error);  // which whoever reads what was sent may overwrite
        if (node != nullptr && node->type != XML_ELEMENT_NODE) node = node->parent;
        if (node == nullptr || !state.was_sent(node, why)) {
            const void* from = node == nullptr ? nullptr : node->_private;
            state.said.emplace_back(static_cast<const XmlNode*>(from), std::move(why));
        }
    };
    xmlSchemaSetValidStructuredErrors(validator.get(), judge, this);
}

bool SceneSchemas::State::was_sent(const xmlNode* node, const std::string& why) const {
    if (node->parent->type != XML_ELEMENT_NODE) {
        const auto& stanza = *static_cast<const XmlNode*>(node->_private);
        return std::ranges::any_of(stanza.attributes, [&](const XmlAttribute& a) {
            return a.name != "from" && a.name != "to" && why.find(mention(a)) != why.npos &&
                   sent->contains_attribute(a);
        });
    }
    for (; node->parent->type == XML_ELEMENT_NODE; node = node->parent) {
        if (sent->contains(*static_cast<const XmlNode*>(node->_private))) return true;
    }
    return false;
}

std::string SceneSchemas::State::undeclared(const XmlNode& node, std::string_view outer_ns) const {
    if (node.ns != outer_ns && !declared.contains({node.ns, node.name})) {
        if (!outer_ns.empty() && sent->contains(node)) return {};
        return fmt::format("{}: it declares no <{} xmlns='{}'>", file_of(node.ns), node.name,
                           node.ns);
    }
    for (const XmlNode& child : node.children) {
        std::string why = undeclared(child, node.ns);
        if (!why.empty()) return why;
    }
    return {};
}

SceneSchemas::SceneSchemas(const std::string& folder) : state_(std::make_unique<State>()) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".xsd") state_->read(entry.path());
    }
    std::string driver = fmt::format("<s:schema xmlns:s='{}'>", schema_ns);
    for (const auto& [ns, file] : state_->files) {
        driver +=
            fmt::format("<s:import namespace='{}' schemaLocation='{}/{}'/>", ns, folder, file);
    }
    state_->compile(driver + "</s:schema>");
}

SceneSchemas::~SceneSchemas() = default;

std::string SceneSchemas::fault(const XmlNode& element, SentElements& sent) {
    state_->sent = &sent;
    state_->said.clear();
    if (std::string why = state_->undeclared(element, {}); !why.empty()) return why;
    const Document document(xmlNewDoc(BAD_CAST "1.0"));
    xmlNode* root = add(document.get(), nullptr, element);
    if (xmlSchemaValidateOneElement(state_->validator.get(), root) == 0 || state_->said.empty()) {
        return {};
    }
    std::string why;
    for (const auto& [node, text] : state_->said) {
        why += fmt::format("{}{}: {}", why.empty() ? "" : "\n  ",
                           state_->file_of(node == nullptr ? element.ns : node->ns), text);
    }
    return why;
}

}  // namespace causeway::scene
