#include "s2s/ending_streams.h"

#include <algorithm>
#include <utility>

namespace causeway {

EndingStreams::~EndingStreams() {
    for (auto& stream : streams_) {
        stream->disown();
        hub_.shard.condemn(std::move(stream));
    }
}

bool EndingStreams::take(std::unique_ptr<OutgoingStream>& stream) {
    if (!stream->end_for(static_cast<OutgoingOwner&>(*this))) return false;
    streams_.push_back(std::move(stream));
    return true;
}

void EndingStreams::on_stopped(Carrier& stream, const Outcome&) {
    const auto found = std::ranges::find_if(
        streams_, [&](const auto& one) { return static_cast<Carrier*>(one.get()) == &stream; });
    if (found == streams_.end()) return;
    hub_.shard.condemn(std::move(*found));
    streams_.erase(found);
}

}  // namespace causeway
