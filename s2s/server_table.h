// ServerTable: one shard's dealings with other servers: the links with the remote domains that have
// their home here, and the incoming streams that were accepted here and have proven nothing yet.
// The way out for stanzas to other domains.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/base/string_hash.h"
#include "gateway/session/hub.h"
#include "s2s/admission.h"
#include "s2s/incoming_stream.h"
#include "s2s/late_answers.h"
#include "s2s/server_link.h"

namespace causeway {

class ServerTable final : public RemoteDomains, private TimerTarget {
public:
    /// Pairs of domains per shard; beyond that no new ones are made.
    static constexpr std::size_t pair_limit = 20'000;
    /// Domains that one account wrote to and that have not been reached, per shard.
    static constexpr std::size_t unreached_per_account = 1000;

    explicit ServerTable(Hub& hub);
    ServerTable(const ServerTable&) = delete;
    ServerTable& operator=(const ServerTable&) = delete;
    ~ServerTable();

    void send(PacketRef packet, AcknowledgementTicket ticket) override;
    [[nodiscard]] bool stamps(std::string_view remote, std::string_view local) override;
    [[nodiscard]] TimePoint lately_broken(std::string_view remote) const override;
    /// See ServerLink::broke(); also of a domain that is at home on another shard.
    void broke(const std::string& remote);
    std::string expired(std::string_view owner, std::size_t rows, std::size_t bytes) override;
    [[nodiscard]] bool pausing(std::string_view remote) const override;
    [[nodiscard]] bool in_contact(std::string_view remote) const override;

    /// That domain has just proven itself on a stream to us.
    void heard_from(std::string_view remote);
    /// On the home shard of the sender's domain: a request of ours to it is answered. False: too
    /// late, who asked has been told that there is no answer.
    bool answered(const Jid& from, const Jid& to, std::string_view id);
    /// Where that is not at home: whether it is known to be too late.
    [[nodiscard]] bool answer_is_late(const Jid& from, const Jid& to, std::string_view id) {
        return late_.take(to, from, id);
    }
    /// The other shards know of it, for streams that bring answers there.
    void no_answer(const Packet& request);
    void asked_again(const Packet& request);
    /// Finds what earlier runs left in the store, for domains at home here, and tries to send it.
    void resume_stored();

    /// A connection that another server opened.
    void accept(std::unique_ptr<Channel> channel);
    /// Takes a stream to the home shard of the domain that it has proven, or is about to prove.
    void move(IncomingStream& stream, Hub& home, MovingServer moving);
    /// It has proven a first domain: it belongs to the link of that one.
    void proven(IncomingStream& stream, const std::string& remote);
    /// It is over; freed at the end of the turn. `broke`: it did not end in good order.
    void remove(IncomingStream& stream, bool broke = false);
    [[nodiscard]] Admission& admission() { return admission_; }
    /// A stream of ours is about to be opened: others end for it if there are many. Not ok: they
    /// are all in use.
    [[nodiscard]] Outcome room_for_stream();
    /// Held by each of them for as long as it is there.
    [[nodiscard]] std::shared_ptr<const void> opened() const { return opened_; }
    /// A domain that the account wrote to first is reached, or forgotten.
    void reached(const std::string& account);

    void each_pair(const std::function<void(RemotePair&)>& visit);
    void each_incoming(const std::function<void(IncomingStream&)>& visit);
    /// Streams of ours that have ended, and on which the other server is still heard.
    [[nodiscard]] std::size_t ending() const;
    [[nodiscard]] bool closing() const { return closing_; }
    /// Closes the streams with that domain in both directions; returns how many.
    std::size_t close(std::string_view remote);
    [[nodiscard]] std::size_t negotiating() const { return admission_.unproven(); }
    /// Ends every stream with system-shutdown.
    void shut_down();

private:
    void end_streams();
    /// nullptr: there is none.
    [[nodiscard]] ServerLink* find(std::string_view remote) const;
    ServerLink& link(const std::string& remote);
    RemotePair& pair(const std::string& remote, const std::string& local, std::string asked_by);
    void adopt(MovingServer moving);
    bool admit(std::unique_ptr<IncomingStream> stream);
    [[nodiscard]] std::size_t most_streams() const;
    void end_most_silent();
    void end_longest_unused(std::size_t most);
    [[nodiscard]] Outcome room_for_one_more(const std::string& account);
    void forget_some();
    void resume_stored_later(const Outcome& why);
    void on_timer(std::uint32_t which) override;

    Hub& hub_;
    Admission admission_;  ///< outlives the streams that it counts
    std::unordered_map<std::string, std::unique_ptr<ServerLink>, StringHash, std::equal_to<>>
        links_;  ///< by remote domain
    std::unordered_map<IncomingStream*, std::unique_ptr<IncomingStream>> unproven_;
    std::size_t pairs_ = 0;     ///< of all links
    std::size_t incoming_ = 0;  ///< streams of all links
    LateAnswers late_;
    const std::shared_ptr<const bool> opened_;  ///< what opened() gives; its count is theirs
    std::unordered_map<std::string, std::size_t> unreached_of_;  ///< by account
    TimePoint forgotten_at_{};
    Timer forget_timer_;
    Timer ending_timer_;
    bool closing_ = false;
    Timer resume_timer_;
    bool queues_known_ = true;  ///< false while resume_stored() asks what an earlier run left
};

}  // namespace causeway
