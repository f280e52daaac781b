#include "gateway/features/archive/preferences.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway {
namespace {

constexpr std::array<std::string_view, 3> default_names{"always", "never", "roster"};

bool holds(const std::set<Jid>& list, const Jid& other) {
    return list.contains(other) || list.contains(other.bare_jid());
}

Outcome read_list(const Element& list_element, Arena& arena, std::set<Jid>& list) {
    for (const Element* jid = list_element.first_element(); jid != nullptr;
         jid = jid->next_element()) {
        if (!jid->is(ns::archive, "jid")) continue;
        auto address = Jid::parse(jid->text(arena));
        if (!address) {
            return Outcome::malformed(
                fmt::format("A <jid/> in <{}/> is no address.", list_element.name));
        }
        list.insert(std::move(*address));
    }
    return {};
}

/// A client may give one list in parts: what it says of any address counts.
Outcome read_lists(const Element& prefs, std::string_view name, Arena& arena, std::set<Jid>& list) {
    Outcome outcome;
    for (const Element* child = prefs.first_element(); child != nullptr && outcome;
         child = child->next_element()) {
        if (child->is(ns::archive, name)) outcome = read_list(*child, arena, list);
    }
    return outcome;
}

void append_list(XmlBuilder& xml, std::string_view name, const std::set<Jid>& list) {
    xml.open(name);
    for (const Jid& jid : list) xml.element("jid", jid.full());
    xml.close();
}

}  // namespace

bool ArchivePreferences::keep(const Account& account, const Jid& other) const {
    if (holds(never, other)) return false;
    if (holds(always, other)) return true;
    switch (by_default) {
        case Default::always: return true;
        case Default::never: return false;
        case Default::roster: break;
    }
    return account.roster().items().find(other.bare_jid()) != nullptr;
}

Result<ArchivePreferences> ArchivePreferences::read(const Element& element, Arena& arena) {
    ArchivePreferences read;
    const auto* const name = std::ranges::find(default_names, element.attribute("default"));
    if (name == default_names.end()) {
        return Outcome::malformed(R"(<prefs/> needs a default of "always", "never" or "roster".)");
    }
    read.by_default = static_cast<Default>(name - default_names.begin());
    Outcome outcome = read_lists(element, "always", arena, read.always);
    if (outcome) outcome = read_lists(element, "never", arena, read.never);
    if (!outcome) return outcome;
    if (read.always.size() + read.never.size() > most_addresses) {
        return Outcome::policy(
            fmt::format("The lists hold more than {} addresses.", most_addresses));
    }
    return read;
}

std::string ArchivePreferences::text() const {
    XmlBuilder xml;
    xml.open("prefs", ns::archive)
        .attribute("default", default_names[static_cast<std::size_t>(by_default)]);
    append_list(xml, "always", always);
    append_list(xml, "never", never);
    return xml.take();
}

Result<ArchivePreferences> ArchivePreferences::parse(std::string_view text) {
    Result<ArchivePreferences> parsed = ArchivePreferences{};
    const Outcome visited = Packet::visit_bytes(
        fmt::format("<iq type='set' id='x'>{}</iq>", text),
        [&](Stanza& stanza) { parsed = read(*stanza.payload(), stanza.arena); });
    return visited ? parsed : Result<ArchivePreferences>(visited);
}

}  // namespace causeway
