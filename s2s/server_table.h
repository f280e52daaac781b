// ServerTable: one shard's streams with other servers: the pairs whose remote domain has its home
// here, and the incoming streams that were accepted here. The way out for stanzas to other domains.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/session/hub.h"
#include "s2s/admission.h"
#include "s2s/incoming_stream.h"
#include "s2s/remote_pair.h"

namespace causeway {

class ServerTable final : public RemoteDomains, private TimerTarget {
public:
    /// Ids of our own pings between servers; see RemotePair.
    static constexpr std::string_view ping_prefix = "causeway-ping-";
    /// A ping from this resource of our domain asks only whether what came before it was handled.
    static constexpr std::string_view unowed_resource = "unowed";
    /// Pairs of domains per shard; beyond that no new ones are made.
    static constexpr std::size_t pair_limit = 20'000;
    /// Domains that one account wrote to and that have not been reached, per shard.
    static constexpr std::size_t unreached_per_account = 1000;

    explicit ServerTable(Hub& hub);
    ServerTable(const ServerTable&) = delete;
    ServerTable& operator=(const ServerTable&) = delete;
    ~ServerTable();

    void send(PacketRef packet, AcknowledgementTicket ticket) override;
    bool answered(const Packet& packet) override;
    std::string expired(std::string_view owner, std::size_t rows, std::size_t bytes) override;

    /// Finds what earlier runs left in the store, for domains at home here, and tries to send it.
    /// That domain has just proven itself on a stream to us.
    void heard_from(std::string_view remote);
    void resume_stored();

    /// A connection that another server opened.
    void accept(std::unique_ptr<Channel> channel);
    void authenticated(const IncomingStream& stream);
    void remove(IncomingStream& stream);
    [[nodiscard]] Admission& admission() { return admission_; }
    /// A first stream to it is there, or it is forgotten: it does not count against whoever wrote.
    void reached(RemotePair& pair);

    void each_pair(const std::function<void(RemotePair&)>& visit);
    void each_incoming(const std::function<void(IncomingStream&)>& visit);
    /// A stream of another of our domains that may take that pair's stanzas, too; or nullptr.
    [[nodiscard]] OutgoingStream* stream_for(const RemotePair& guest) const;
    [[nodiscard]] bool closing() const { return closing_; }
    /// How many streams with that domain were closed, in either direction.
    std::size_t close(std::string_view remote);
    [[nodiscard]] std::size_t negotiating() const { return admission_.unproven(); }
    /// Ends every stream with system-shutdown.
    void shut_down();

private:
    void end_streams();
    RemotePair& pair(const std::string& remote, const std::string& local);
    [[nodiscard]] Outcome room_for_one_more(const std::string& account);
    void forget_some();
    void on_timer(std::uint32_t which) override;

    Hub& hub_;
    Admission admission_;  ///< outlives the streams that it counts
    std::unordered_map<std::string, std::unique_ptr<RemotePair>> pairs_;  ///< by queue_owner()
    std::unordered_map<IncomingStream*, std::unique_ptr<IncomingStream>> incoming_;
    std::unordered_map<std::string, std::size_t> unreached_of_;  ///< by account
    TimePoint forgotten_at_{};
    Timer forget_timer_;
    Timer ending_timer_;
    bool closing_ = false;
};

}  // namespace causeway
