// Missed: what the client of a session of an earlier process has not got, and is to be sent when it
// is back (AccountInbox::catch_up). Its record in the store has what is left of it, so that another
// end of the process on the way is one more break.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace causeway {

struct Missed {
    /// What came in the meantime: all that has an id between these.
    struct Range {
        std::uint64_t above = 0;
        std::uint64_t below = 0;
        enum class While : unsigned char {
            away,  ///< the session was not there
            here,  ///< it was, and was taking what came before: copies reached it at once
        };
        While session = While::away;
    };

    // Rows of its account's archive; rising.
    std::vector<std::uint64_t> messages = {};  ///< that were sent to it
    std::vector<std::uint64_t> copies = {};    ///< of which it was sent copies
    std::vector<Range> ranges = {};            ///< one after the other
    /// It gets messages to the bare JID.
    bool available = false;

    /// Those rows come before the ranges.
    [[nodiscard]] bool in_rows() const { return !messages.empty() || !copies.empty(); }
    [[nodiscard]] bool nothing() const { return !in_rows() && ranges.empty(); }
    /// Up to that id it is sent.
    void sent_up_to(std::uint64_t id);
    /// The rows are, or the first range.
    void sent_part();
    /// As notes of the stream's record (stream_records.h).
    [[nodiscard]] std::string notes() const;
};

}  // namespace causeway
