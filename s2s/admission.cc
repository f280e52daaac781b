#include "s2s/admission.h"

namespace causeway {

void Admission::less(Counts& counts, const std::string& network) {
    const auto found = counts.find(network);
    if (found != counts.end() && --found->second == 0) counts.erase(found);
}

bool Admission::enter(const IncomingStream& stream, const std::string& network, Bounds bounds) {
    const auto found = streams_of_.find(network);
    const std::size_t of_network = found == streams_of_.end() ? 0 : found->second;
    if (streams_.size() >= bounds.in_all || of_network >= bounds.per_network) return false;
    ++streams_of_[network];
    streams_.emplace(&stream, network);
    return true;
}

void Admission::leave(const IncomingStream& stream) {
    const auto found = streams_.find(&stream);
    if (found == streams_.end()) return;
    less(streams_of_, found->second);
    streams_.erase(found);
}

bool Admission::verify(const std::string& network, std::size_t of_stream) {
    const auto found = verifications_of_.find(network);
    const std::size_t of_network = found == verifications_of_.end() ? 0 : found->second;
    if (of_stream >= verifications_per_stream || of_network >= verifications_per_network ||
        verifications_ >= verifications_in_all) {
        return false;
    }
    ++verifications_of_[network];
    ++verifications_;
    return true;
}

void Admission::verified(const std::string& network) {
    less(verifications_of_, network);
    --verifications_;
}

}  // namespace causeway
