// Asking: the one way to send an iq from a domain or an account of ours and to hear the answer. The
// id is random, an answer counts only from exactly the address that was asked to exactly the one
// that asked, and the caller is told once: a result, an error, or that no answer came in time.
// There is one Asking for each hub: ask on the hub where the answer arrives, which is the home of
// the account that asks or, for a domain of ours, the home of the domain that is asked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/base/timer_wheel.h"
#include "gateway/session/hub.h"

namespace causeway {

/// What became of a question.
struct IqAnswer {
    enum class Kind : unsigned char {
        result,
        error,    ///< the address that was asked, or a server on the way, says no
        nothing,  ///< none came in time
    };
    Kind kind = Kind::nothing;
    PacketRef packet = nullptr;  ///< of a result or an error
};

class Asking;

/// A question that is open. The caller keeps it, and is told nothing more once it is destroyed. The
/// hub outlives it.
class Question {
public:
    Question() = default;
    Question(Question&& other) noexcept { swap(other); }
    Question& operator=(Question&& other) noexcept {
        drop();
        swap(other);
        return *this;
    }
    ~Question() { drop(); }

    /// The id of the iq; empty if it could not be asked.
    [[nodiscard]] const std::string& id() const { return id_; }
    /// The caller is told nothing any more.
    void drop();

private:
    friend class Asking;
    Question(Hub& hub, std::string id) : hub_(&hub), id_(std::move(id)) {}
    void swap(Question& other) {
        std::swap(hub_, other.hub_);
        std::swap(id_, other.id_);
    }

    Hub* hub_ = nullptr;
    std::string id_;
};

class Asking {
public:
    using Done = std::function<void(const IqAnswer&)>;

    /// Questions that are open on a shard, in all and to one domain.
    static constexpr std::size_t open_in_all = 20'000;
    static constexpr std::size_t open_per_domain = 200;

    explicit Asking(Hub& hub);
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking();

    /// Routes an iq of type get with the child `payload` (canonical XML). `done` is called once,
    /// later, unless the Question is dropped before; it may destroy what keeps the Question. When
    /// too many are open nothing is sent or called, and the id is empty.
    [[nodiscard]] Question ask(const Jid& from, const Jid& to, std::string_view payload,
                               Duration patience, Done done);
    /// The same for an iq that the caller writes, with the Question's id, because it has to follow
    /// something else on one stream.
    [[nodiscard]] Question expect(const Jid& from, const Jid& to, Duration patience, Done done);

    /// An iq of type result or error to a domain of ours or to an account's bare address. False if
    /// it answers nothing that was asked.
    bool answered(const PacketRef& packet);

    [[nodiscard]] std::size_t open() const { return open_.size(); }

private:
    friend class Question;
    struct Entry;

    void close(const std::string& id, const IqAnswer& answer);
    std::unique_ptr<Entry> take(const std::string& id);

    Hub& hub_;
    std::unordered_map<std::string, std::unique_ptr<Entry>> open_;  ///< by id
    std::unordered_map<std::string, std::size_t> open_of_;          ///< by the domain asked
};

}  // namespace causeway
