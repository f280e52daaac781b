// Abandoned: a stream without an owner, which is still on the call stack or still sends its last
// bytes. For Shard::condemn.
#pragma once

#include <memory>
#include <utility>

#include "gateway/shard/shard.h"
#include "gateway/stream/stream.h"

namespace causeway {

class Abandoned final : public Condemned {
public:
    explicit Abandoned(std::unique_ptr<XmppStream> stream) : stream_(std::move(stream)) {}

private:
    std::unique_ptr<XmppStream> stream_;
};

}  // namespace causeway
