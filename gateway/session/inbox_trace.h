// What AccountInbox tells the trace, with the reasons in words: one function for each way in which
// a message does not go to a session at once.
#pragma once

#include "gateway/trace/event.h"

namespace causeway {

class Account;

namespace inbox_trace {

/// Its sender asks for it not to be stored (XEP-0334).
bool asked_not_to_keep(const Packet& packet);

/// Its type is for one session alone, which is not there.
void no_such_session(const Account& account, const Packet& packet, TraceVerdict verdict);
/// No message of its type is for the account.
void not_of_that_type(const Account& account, const Packet& packet, TraceVerdict verdict);
/// A headline, and nobody takes it.
void no_takers(const Account& account, const Packet& packet);
/// No session takes it, and it is not one that is kept.
void not_kept(const Account& account, const Packet& packet);
/// No session takes it: it goes to the store.
void kept(const Account& account, const Packet& packet);
/// As many as may wait are waiting.
void over_quota(const Account& account, const Packet& packet);
/// It waits in memory for a session of an earlier process.
void awaited(const Account& account, const Packet& packet);
/// It goes behind stored messages that are on their way.
void behind(const Account& account, const Packet& packet);

}  // namespace inbox_trace
}  // namespace causeway
