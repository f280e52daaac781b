// AcknowledgementTicket: who is waiting to hear that a stanza is safe. A stream with stream
// management counts a stanza in its acknowledgements only once it is stored, or acknowledged by its
// recipient, or answered with an error; until then the stanza carries the number under which its
// stream waits.
#pragma once

#include <cstdint>

namespace causeway {

/// A copyable ticket; the default one says that nobody waits.
struct AcknowledgementTicket {
    std::uint64_t holder = 0;  ///< 0: no acknowledgement is owed
    std::uint32_t shard = 0;
    std::uint32_t number = 0;
    // Of a stream that has a record in the store (gateway/session/stream_records.h):
    std::uint32_t handled = 0;  ///< every stanza up to that number was safe when this one came
    bool kept = false;          ///< it has one
    bool noted = false;         ///< that this stanza is safe was noted with what makes it safe
    bool of_server = false;     ///< the stream is another server's; its record is its domain's

    [[nodiscard]] bool owed() const { return holder != 0; }
};

/// A stream that owes acknowledgements. Lives on its shard, registered in the Hub under an id.
class TicketHolder {
public:
    /// The stanza of that number is safe. May come in any order.
    virtual void settled(std::uint32_t number) = 0;
    /// Its record says that the stanza of that number is safe, and all up to `handled`; settled()
    /// follows.
    virtual void noted(std::uint32_t number, std::uint32_t handled) {
        static_cast<void>(number);
        static_cast<void>(handled);
    }
    /// A commit of what was to be noted about the stream is over; false: it failed.
    virtual void written(bool durable) { static_cast<void>(durable); }
    /// The stanza of that number is safe only after one more settled() for it.
    virtual void expect_again(std::uint32_t number) = 0;

protected:
    ~TicketHolder() = default;
};

/// Names an entry of the Ledger, a message whose outcome is open; 0 is none.
using HoldId = std::uint64_t;

}  // namespace causeway
