// XmlStreamParser where a limit is reached: the stream ends, or the stanza is passed over by a
// StanzaSkipper.
#include <expat.h>

#include "gateway/xml/expat_names.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/parser.h"

namespace causeway {

/// What expat holds and has not consumed, and `before` bytes in front of it. Empty if it does not
/// say.
std::string_view XmlStreamParser::pending_input(std::size_t before) const {
    int offset = 0;
    int size = 0;
    const char* const buffer = XML_GetInputContext(expat_, &offset, &size);
    const std::size_t wanted = unconsumed() + before;
    if (buffer == nullptr || static_cast<std::size_t>(size) < wanted) return {};
    return {buffer + static_cast<std::size_t>(size) - wanted, wanted};
}

/// A limit was reached: the stanza is passed over, or the stream ends.
void XmlStreamParser::exceeded(std::string_view text) {
    if (stopped()) return;
    if (!limits_.skip_larger || replaying_ || depth_ == 0) {
        fault("policy-violation", std::string(text));
        return;
    }
    skipping_.state = Skip::due;
    XML_StopParser(expat_, XML_TRUE);
}

/// The start tag at which a limit was reached is behind us; what it says of the stanza is kept if
/// it is the stanza's own.
void XmlStreamParser::skip_start_tag(const char* name, const char** attributes) {
    const bool empty = pending_input(2).starts_with("/>");
    skipping_.open = depth_ - 1 + (empty ? 0 : 1);
    if (depth_ != 1) return;
    arena_.reset();
    root_ = nullptr;  // it lived there until the first stanza
    current_ = builder_.start_tag(ExpatName(name), attributes);
}

XmlEvent XmlStreamParser::begin_skipping() {
    const std::string rest(pending_input());
    if (rest.size() != unconsumed()) {
        fault("policy-violation", std::string(too_large));
        return XmlEvent::fault;
    }
    skipping_.state = Skip::on;
    skipping_.skipper = std::make_unique<StanzaSkipper>(skipping_.open, in_section_);
    if (skipping_.open == 0 && current_ != nullptr) {
        return skipped();
    }
    return skip(rest);
}

XmlEvent XmlStreamParser::skip(std::string_view bytes) {
    constexpr std::size_t longest = 32;  // times as long as a stanza may be
    std::size_t taken = 0;
    const auto result = skipping_.skipper->feed(bytes, taken);
    place_.consumed = place_.fed - static_cast<std::int64_t>(bytes.size() - taken);
    if (result == StanzaSkipper::Result::malformed) {
        fault("not-well-formed", "a stanza that is too large is not well-formed either");
    } else if (skipping_.skipper->skipped() > longest * limits_.stanza_bytes) {
        fault("policy-violation", std::string(too_large));
    }
    if (!fault_.condition.empty()) return XmlEvent::fault;
    if (result == StanzaSkipper::Result::more) return XmlEvent::need_more;
    if (current_ == nullptr) {
        // Its start tag alone was too long: no more is known than the name, and that a stanza
        // without a prefix is usually what it seems to be.
        const std::string_view name = skipping_.skipper->first_name();
        const bool prefixed = name.find(':') != std::string_view::npos;
        current_ =
            arena_.make<Element>(prefixed ? std::string_view{} : ns::client, arena_.copy(name));
    }
    return skipped();
}

/// Of the stanza nothing is left but its start tag.
XmlEvent XmlStreamParser::skipped() {
    skipping_.state = Skip::over;
    while (current_->parent != nullptr) current_ = current_->parent;
    complete_ = current_;
    TreeBuilder::drop_children(*complete_);
    return XmlEvent::skipped;
}

}  // namespace causeway
