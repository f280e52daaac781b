#include "gateway/features/personal_events/capabilities.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include "gateway/base/encoding.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

constexpr std::size_t longest_hash = 32;
constexpr std::size_t longest_ver = 128;
constexpr std::size_t longest_node = 1024;
constexpr std::size_t longest_interest = 512;
constexpr std::string_view notify = "+notify";

const EVP_MD* digest_of(std::string_view hash) {
    if (hash == "sha-1") return EVP_sha1();
    if (hash == "sha-256") return EVP_sha256();
    if (hash == "sha-512") return EVP_sha512();
    return nullptr;
}

std::optional<std::string> hashed(std::string_view text, std::string_view hash) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const EVP_MD* kind = digest_of(hash);
    if (kind == nullptr ||
        EVP_Digest(text.data(), text.size(), digest.data(), &size, kind, nullptr) != 1) {
        return std::nullopt;
    }
    return base64_encode({reinterpret_cast<const char*>(digest.data()), size});
}

/// "<" ends a part; within one it could make two different answers have the same hash.
bool harmless(std::string_view text) { return text.find('<') == std::string_view::npos; }

/// The same for what is no feature: one that stands in an identity or a form instead makes the same
/// string, so an answer that leaves it out of the features would be believed.
bool no_feature(std::string_view text) {
    return harmless(text) && text.find(notify) == std::string_view::npos;
}

/// One form: its FORM_TYPE, and what the verification string has of it. Empty if it counts for
/// nothing; nullopt if it is ill-formed.
struct FormPart {
    std::string type, text;
};

std::optional<std::vector<std::string>> values_of(const Element& field, Arena& arena) {
    std::vector<std::string> values;
    for (const Element* value = field.first_element(); value != nullptr;
         value = value->next_element()) {
        if (!value->is(ns::data_forms, "value")) continue;
        values.emplace_back(value->text(arena));
        if (!no_feature(values.back())) return std::nullopt;
    }
    std::ranges::sort(values);
    return values;
}

std::optional<FormPart> form_part(const Element& form, Arena& arena) {
    FormPart part;
    std::vector<std::pair<std::string, std::vector<std::string>>> fields;
    for (const Element* field = form.first_element(); field != nullptr;
         field = field->next_element()) {
        if (!field->is(ns::data_forms, "field")) continue;
        const std::string_view name = field->attribute("var");
        auto values = values_of(*field, arena);
        if (!values || !no_feature(name)) return std::nullopt;
        if (name != "FORM_TYPE") {
            fields.emplace_back(std::string(name), std::move(*values));
        } else if (field->attribute("type") == "hidden" && !values->empty()) {
            if (values->front() != values->back() || !part.type.empty()) return std::nullopt;
            part.type = values->front();
        }
    }
    std::ranges::sort(fields);
    part.text = part.type + '<';
    for (const auto& [name, values] : fields) {
        part.text += name;
        part.text += '<';
        for (const std::string& value : values) part.text += value + '<';
    }
    return part;
}

bool append_forms(std::vector<FormPart>& forms, std::string& out) {
    std::ranges::sort(forms, {}, &FormPart::type);
    if (std::ranges::adjacent_find(forms, {}, &FormPart::type) != forms.end()) return false;
    for (const FormPart& form : forms) out += form.text;
    return true;
}

/// Category, type, language and name, by which identities are sorted.
using IdentityPart = std::array<std::string, 4>;

bool append_identities(std::vector<IdentityPart>& identities, std::string& out) {
    std::ranges::sort(identities);
    if (std::ranges::adjacent_find(identities) != identities.end()) return false;
    for (const auto& [category, type, language, name] : identities) {
        out += fmt::format("{}/{}/{}/{}<", category, type, language, name);
    }
    return true;
}

/// Features, each once, and each followed by "<".
bool append_features(std::vector<std::string>& features, std::string& out) {
    std::ranges::sort(features);
    if (std::ranges::adjacent_find(features) != features.end()) return false;
    for (const std::string& feature : features) {
        out += feature;
        out += '<';
    }
    return true;
}

/// Children of the answer, as the verification string has them.
struct Answer {
    std::vector<IdentityPart> identities;
    std::vector<std::string> features;
    std::vector<FormPart> forms;

    bool read(const Element& child, Arena& arena) {
        if (child.is(ns::disco_info, "identity")) {
            IdentityPart identity{std::string(child.attribute("category")),
                                  std::string(child.attribute("type")),
                                  std::string(child.attribute(ns::xml, "lang")),
                                  std::string(child.attribute("name"))};
            // "/" ends each part but the name.
            const auto ambiguous = [](const std::string& part) {
                return part.find('/') != std::string::npos;
            };
            if (!std::ranges::all_of(identity, no_feature) ||
                std::any_of(identity.begin(), identity.end() - 1, ambiguous)) {
                return false;
            }
            identities.push_back(std::move(identity));
        } else if (child.is(ns::disco_info, "feature")) {
            if (!harmless(child.attribute("var"))) return false;
            features.emplace_back(child.attribute("var"));
        } else if (child.is(ns::data_forms, "x")) {
            auto form = form_part(child, arena);
            if (!form) return false;
            if (!form->type.empty()) forms.push_back(std::move(*form));
        }
        return true;
    }
};

}  // namespace

std::optional<AnnouncedCapabilities> announced_in(const Element& presence) {
    const Element* c = presence.child(ns::capabilities, "c");
    if (c == nullptr) return std::nullopt;
    const std::string_view hash = c->attribute("hash");
    const std::string_view node = c->attribute("node");
    const std::string_view ver = c->attribute("ver");
    const bool named =
        !hash.empty() && hash.size() <= longest_hash && hash.find(' ') == std::string_view::npos;
    if (!named || node.empty() || node.size() > longest_node || ver.empty() ||
        ver.size() > longest_ver) {
        return std::nullopt;
    }
    return AnnouncedCapabilities{std::string(hash), std::string(node), std::string(ver)};
}

bool is_known_hash(std::string_view hash) { return digest_of(hash) != nullptr; }

std::optional<std::string> verification_of(const Element& query, std::string_view hash,
                                           Arena& arena) {
    Answer answer;
    for (const Element* child = query.first_element(); child != nullptr;
         child = child->next_element()) {
        if (!answer.read(*child, arena)) return std::nullopt;
    }
    std::string text;
    if (!append_identities(answer.identities, text) || !append_features(answer.features, text) ||
        !append_forms(answer.forms, text)) {
        return std::nullopt;
    }
    return hashed(text, hash);
}

Interests::Interests(const Element& query) {
    for (const Element* child = query.first_element(); child != nullptr && nodes_.size() < most;
         child = child->next_element()) {
        const std::string_view feature = child->attribute("var");
        if (!child->is(ns::disco_info, "feature") || !feature.ends_with(notify) ||
            feature.size() > longest_interest + notify.size()) {
            continue;
        }
        nodes_.emplace_back(feature.substr(0, feature.size() - notify.size()));
    }
    std::ranges::sort(nodes_);
    nodes_.shrink_to_fit();
}

bool Interests::has(std::string_view node) const {
    return std::ranges::binary_search(nodes_, node, std::less<>{});
}

}  // namespace causeway::personal_events
