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
    std::string inner;
    offered_ = 0;
    const auto features = hub_.shared.features.stream_features(side_);
    for (std::size_t i = 0; i < features.size(); ++i) {
        const StreamFeature& feature = features[i];
        if ((bits_ & feature.needs) != feature.needs || (bits_ & feature.forbids) != 0) continue;
        offered_ |= 1U << i;
        if (feature.offer != nullptr) feature.offer(*this, inner);
    }
    stream().send_stream_element("features", inner);
}

bool Negotiation::dispatch(std::string_view ns, Element& element, Arena& arena) {
    const auto features = hub_.shared.features.stream_features(side_);
    for (std::size_t i = 0; i < features.size(); ++i) {
        const StreamFeature& feature = features[i];
        if (feature.handle == nullptr || feature.ns != ns) continue;
        if ((offered_ & (1U << i)) == 0 || (bits_ & feature.forbids) != 0) continue;
        feature.handle(*this, element, arena);
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
