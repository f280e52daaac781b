// ServerLink: everything between this server and one remote domain, on that domain's home shard:
// what our domains have to say to it (RemotePair), the streams on which it talks to us
// (IncomingStream), and what is known of its server. Owner: the ServerTable of the shard.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/route/asking.h"
#include "s2s/ending_streams.h"
#include "s2s/incoming_stream.h"
#include "s2s/remote_pair.h"

namespace causeway {

class ServerTable;

class ServerLink {
public:
    ServerLink(Hub& hub, ServerTable& table, std::string remote);
    ServerLink(const ServerLink&) = delete;
    ServerLink& operator=(const ServerLink&) = delete;
    ~ServerLink();

    [[nodiscard]] const std::string& remote() const { return remote_; }

    // What we say to it:
    /// nullptr if `local` has said nothing to it.
    [[nodiscard]] RemotePair* find(std::string_view local) const;
    /// Makes it. `asked_by`: see RemotePair.
    RemotePair& make(const std::string& local, std::string asked_by);
    /// A stream that the peer opened and on which we may send for `local`, now or soon (XEP-0288);
    /// nullptr if there is none. Of several the latest that is open.
    [[nodiscard]] IncomingStream* way_back(const std::string& local) const;
    /// We may send on that one.
    void way_back_opened(IncomingStream& stream);
    /// An open stream of another of our domains on which the pair may be proven; or nullptr.
    [[nodiscard]] OutgoingStream* stream_to_share(const RemotePair& pair) const;
    /// Whether other pairs' attempts come first: the peer has taken several of our domains on one
    /// stream before, so one attempt may do for all, and few of them are proven at once. It is told
    /// by go_on() or give_up_following().
    [[nodiscard]] bool comes_later(const RemotePair& pair) const;
    /// An attempt has ended well, or says nothing of the others: the next ones begin.
    void next_follower();
    /// It could not be reached.
    void followers_fail(const Outcome& why);
    /// The peer has taken a second one of our domains on a stream.
    void shared_one() { sharing_ = Sharing::works; }
    /// The peer does not take more than one of our domains on a stream.
    void sharing_refused() { sharing_ = Sharing::refused; }
    /// A stream of ours ended: what that says about sharing one.
    void stream_ended(const Carrier& stream, bool own, bool in_good_order);
    /// True: the stream of a pair that goes on elsewhere was taken, and is heard until its end.
    bool let_end(std::unique_ptr<OutgoingStream>& stream) { return ending_.take(stream); }
    /// Streams that were left so.
    [[nodiscard]] std::size_t ending() const { return ending_.size(); }
    /// A pair's first stream is there.
    void reached(const std::string& account);
    [[nodiscard]] bool closing() const;
    /// See ServerTable.
    [[nodiscard]] Outcome room_for_stream() const;
    [[nodiscard]] std::shared_ptr<const void> opened() const;
    void no_answer(const Packet& request);
    void asked_again(const Packet& request);

    // Whether it is within reach, told to the features (LifeEvent::link_up, link_down):
    /// A stream in either direction was proven. `presence_lost`: presence for contacts there was
    /// dropped before.
    void contact_made(bool presence_lost);
    /// One of our domains waits for its next attempt: what is sent now may bring it forward.
    [[nodiscard]] bool pausing() const;
    /// A stream in either direction was established and broke, or the peer did not answer on it any
    /// more.
    void stream_broke();
    /// A stream of ours could not be established.
    void attempt_failed();
    /// It was within reach once.
    [[nodiscard]] bool was_there() const { return contact_ >= Contact::there; }
    [[nodiscard]] bool in_contact() const { return contact_ == Contact::there; }
    /// It is within reach, or was a moment ago.
    [[nodiscard]] bool lately_there() const;

    // What it says to us:
    /// A stream on which the domain has been proven, or is about to be.
    void adopt(std::unique_ptr<IncomingStream> stream);
    /// `broke`: it did not end in good order.
    void remove(IncomingStream& stream, bool broke);
    /// A stream broke that may be resumed (XEP-0198): keeps what it has for a while.
    void keep(std::unique_ptr<Receipts> receipts);
    /// A stream broke on which the peer sends, or the peer ended it with an error, and nothing of
    /// it may be kept.
    void broke();
    /// The peer begins to count on that stream. It has forgotten those that it could resume, if it
    /// is one server; of those that we take for whole nobody else may tell.
    void counts_anew(const IncomingStream& stream);
    /// The peer resumed a stream of an earlier process of ours.
    void went_on() { went_on_ = true; }
    /// The process is about to end: the next one is to know what those have.
    void leave_process();
    /// What a stream to `local` has that `token` resumes, of one that broke, or of one that is
    /// taken for whole and ends for that; nullptr if there is none.
    [[nodiscard]] std::unique_ptr<Receipts> take_receipts(std::string_view token,
                                                          std::string_view local);
    /// It has just proven itself on a stream to us.
    void heard_from();
    /// See RemoteDomains::stamps().
    [[nodiscard]] bool stamps(const std::string& local);
    /// See RemoteDomains::lately_broken().
    [[nodiscard]] TimePoint lately_broken() const;
    /// The same of a domain that has no link: its streams broke when the process before ended.
    [[nodiscard]] static TimePoint broken_by_start(const Hub& hub);
    /// An earlier process knew that it does.
    void known_to_stamp() { stamping_ = Stamping::yes; }
    [[nodiscard]] bool known_as_stamping() const { return stamping_ == Stamping::yes; }
    /// Where the domain is not at home: whether its home may be asked about that again.
    [[nodiscard]] bool may_ask_home();

    /// Closes the streams in both directions; returns how many.
    std::size_t close();
    /// Whether an answer of the peer is awaited on a stream.
    bool awaits_answer() const;
    /// While the server ends: closes the streams on which no answer is awaited. `others_wait`: some
    /// link still awaits one.
    void close_when_quiet(bool others_wait);

    void each_pair(const std::function<void(RemotePair&)>& visit);
    void each_incoming(const std::function<void(IncomingStream&)>& visit);
    /// Which pairs forget() drops.
    enum class Forget : unsigned char {
        unused,   ///< those that need not be remembered
        unneeded  ///< and those that are tried again for the sake of presence alone
    };
    /// Drops pairs that were last used before `before`; each is shown.
    void forget(TimePoint before, Forget which,
                const std::function<void(const RemotePair&)>& visit);
    /// Nothing is left of it, nor is to be remembered.
    [[nodiscard]] bool empty() const;
    /// Broken streams to one of our domains that are kept; the oldest goes for one more.
    static constexpr std::size_t kept_per_pair = 2;
    /// Streams on which it speaks to one of our domains; for one more, the one ends that has been
    /// silent for longest. A cluster opens one from each of its servers.
    static constexpr std::size_t incoming_per_pair = 50;

private:
    /// Whether one stream may carry several of our domains (XEP-0220 §2.6.1).
    enum class Sharing : unsigned char { possible, works, refused };
    /// Whether its server says that it gives messages ids (XEP-0359).
    enum class Stamping : unsigned char { unknown, asked, yes, no };
    /// In or out of contact.
    enum class Contact : unsigned char {
        unknown,  ///< nothing was tried yet
        never,    ///< no attempt succeeded
        there,
        lost,  ///< it was there; no stream is, the last one broke or an attempt failed
    };
    [[nodiscard]] bool has_stream() const;
    void note_stamping();
    void contact_lost();
    void announce(LifeEvent event);

    Hub& hub_;
    ServerTable& table_;
    const std::string remote_;
    std::map<std::string, std::unique_ptr<RemotePair>, std::less<>> pairs_;  ///< by our domain
    EndingStreams ending_;
    std::unordered_map<IncomingStream*, std::unique_ptr<IncomingStream>> incoming_;
    /// Of a stream that broke and may be resumed.
    struct Kept {
        std::unique_ptr<Receipts> receipts;
        TimePoint broke;
    };
    /// It will not be.
    void give_up(Kept kept);

    std::vector<Kept> kept_;  ///< the oldest first
    Sharing sharing_ = Sharing::possible;
    Stamping stamping_ = Stamping::unknown;
    Contact contact_ = Contact::unknown;
    TimePoint lost_at_{};  ///< when `contact_` became `lost`
    Question capabilities_;
    TimePoint broke_{};          ///< the last stream to us that broke() was said of
    bool went_on_ = false;       ///< the peer has resumed what an earlier process of ours had
    TimePoint home_asked_at_{};  ///< Stamping, where the domain is at home elsewhere
};

}  // namespace causeway
