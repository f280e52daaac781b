#include "gateway/stream/negotiation.h"

#include <fmt/format.h>

#include <charconv>

namespace causeway {
namespace {

/// RFC 6120 §4.7.5: two numbers; a higher one is for us to answer with ours.
bool speaks_xmpp_1(std::string_view version) {
    unsigned major = 0, minor = 0;
    const char* const end = version.data() + version.size();
    const auto first = std::from_chars(version.data(), end, major);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
    const auto second = std::from_chars(first.ptr + 1, end, minor);
    return second.ec == std::errc{} && second.ptr == end && major >= 1;
}

}  // namespace

std::weak_ptr<Negotiation*> Negotiation::handle() {
    if (self_ == nullptr) self_ = std::make_shared<Negotiation*>(this);
    return self_;
}

void Negotiation::offer_features() {
    recall_offer();
    std::string inner;
    const auto all = steps();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if ((open_ & (1U << i)) != 0 && all[i].offer != nullptr) all[i].offer(*this, inner);
    }
    stream().send_stream_element("features", inner);
}

void Negotiation::recall_offer() {
    open_ = 0;
    const auto all = steps();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (due(all[i])) open_ |= 1U << i;
    }
}

bool Negotiation::begin_step(const Element* features) {
    open_ = 0;
    const auto all = steps();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!due(all[i]) || all[i].begin == nullptr) continue;
        open_ = 1U << i;
        if (all[i].begin(*this, features)) return true;
    }
    open_ = 0;
    return false;
}

void Negotiation::begin_anew(unsigned kept) {
    bits_ &= kept;
    open_ = 0;
    state.reset();
}

bool Negotiation::dispatch(std::string_view ns, Element& element, Arena& arena) {
    const auto all = steps();
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].handle == nullptr || all[i].ns != ns) continue;
        if ((open_ & (1U << i)) == 0 || (bits_ & all[i].forbids) != 0) continue;
        all[i].handle(*this, element, arena);
        return true;
    }
    return false;
}

bool Negotiation::settle_domain(const StreamHeader& header) {
    if (!speaks_xmpp_1(header.version)) {
        stream().fail(stream_error::unsupported_version, "this server speaks XMPP 1.0");
        return false;
    }
    if (header.to.empty()) {
        // RFC 6120 §4.7.2: with one domain there is no doubt who is meant.
        if (!domain_.empty()) return true;
        if (hub_.config->domains.size() == 1) {
            domain_ = hub_.config->domains.front().name;
            return true;
        }
        stream().fail(stream_error::host_unknown, "the stream header must say which domain");
        return false;
    }
    const auto to = Jid::parse(header.to);
    const bool served = to && !to->has_local() && !to->has_resource() && hub_.serves(to->domain());
    if (!served) {
        stream().fail(stream_error::host_unknown,
                      fmt::format("{} is not served here", header.to.substr(0, 255)));
        return false;
    }
    if (!domain_.empty() && domain_ != to->domain()) {
        stream().fail(stream_error::not_authorized, "a stream cannot change its domain");
        return false;
    }
    domain_ = to->domain();
    return true;
}

}  // namespace causeway
