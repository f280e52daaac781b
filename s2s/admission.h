// Admission: bounds for peers that have not proven a domain yet: incoming streams and dialback
// verifications of one shard, in all and for each network that they come from.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

namespace causeway {

class IncomingStream;

class Admission {
public:
    /// Verifications that one stream, one network and all networks may have under way on a shard.
    /// For each, a stranger makes us look up a name and open a connection.
    static constexpr std::size_t verifications_per_stream = 10;
    static constexpr std::size_t verifications_per_network = 100;
    static constexpr std::size_t verifications_in_all = 1000;

    struct Bounds {
        std::size_t in_all = 0;
        std::size_t per_network = 0;
    };

    /// A stream from `network` begins; false if it is one too many.
    bool enter(const IncomingStream& stream, const std::string& network, Bounds bounds);
    /// It is proven, or over.
    void leave(const IncomingStream& stream);
    /// Streams that have not proven a domain.
    [[nodiscard]] std::size_t unproven() const { return streams_.size(); }

    /// Whether a stream from `network`, with `of_stream` verifications under way, may begin one
    /// more; it is then counted until verified().
    bool verify(const std::string& network, std::size_t of_stream);
    void verified(const std::string& network);

private:
    using Counts = std::unordered_map<std::string, std::size_t>;
    static void less(Counts& counts, const std::string& network);

    std::unordered_map<const IncomingStream*, std::string> streams_;
    Counts streams_of_;
    Counts verifications_of_;
    std::size_t verifications_ = 0;
};

}  // namespace causeway
