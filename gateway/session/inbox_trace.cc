#include "gateway/session/inbox_trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/session/account.h"

namespace causeway::inbox_trace {
namespace {

void note(const Account& account, const Packet& packet, TraceStage stage, TraceVerdict verdict,
          std::string_view reason) {
    account.hub().trace.note(packet, {stage, verdict, account.jid().bare(), reason});
}

/// Why no session takes a message to the bare address.
std::string_view why_nobody(const Account& account) {
    if (account.barred())
        return "the account is disabled (\"causewayctl user enable\" lets it log in again)";
    if (account.sessions().empty()) return "nobody is online there";
    const bool some = std::ranges::any_of(account.sessions().all(), &Resource::available);
    return some ? "the priority of every session there is negative"
                : "no session there has sent its presence";
}

}  // namespace

bool asked_not_to_keep(const Packet& packet) {
    return packet.bytes().find("urn:xmpp:hints") != std::string_view::npos &&
           packet.bytes().find("<no-") != std::string_view::npos;
}

void no_such_session(const Account& account, const Packet& packet, TraceVerdict verdict) {
    account.hub().trace.note(
        packet, {TraceStage::account, verdict, packet.to().full(),
                 "that session is not there, and the message was for it alone by its type"});
}

void not_of_that_type(const Account& account, const Packet& packet, TraceVerdict verdict) {
    note(account, packet, TraceStage::account, verdict,
         packet.type() == StanzaType::error ? "an error that no session takes goes no further"
                                            : "a message of type groupchat is not for an account");
}

void no_takers(const Account& account, const Packet& packet) {
    note(account, packet, TraceStage::account, TraceVerdict::dropped,
         fmt::format("a headline is not kept, and {}", why_nobody(account)));
}

void not_kept(const Account& account, const Packet& packet) {
    note(
        account, packet, TraceStage::offline, TraceVerdict::dropped,
        fmt::format("{}, and {}",
                    asked_not_to_keep(packet) ? "its sender asks for it not to be stored (no-store)"
                                              : "it holds nothing that is kept",
                    why_nobody(account)));
}

void kept(const Account& account, const Packet& packet) {
    const bool taken = !account.sessions().best().empty();
    note(account, packet, TraceStage::offline, TraceVerdict::kept,
         taken ? "the client there has much to take" : why_nobody(account));
}

void over_quota(const Account& account, const Packet& packet) {
    note(account, packet, TraceStage::offline, TraceVerdict::refused,
         fmt::format("{} messages wait there already, which is the limit (offline_messages)",
                     account.hub().limits().offline_messages));
}

void awaited(const Account& account, const Packet& packet) {
    account.hub().trace.note(
        packet, {TraceStage::account, TraceVerdict::waiting, packet.to().full(),
                 "that session was there before this server was started, and may be resumed"});
}

void behind(const Account& account, const Packet& packet) {
    const AccountSessions::Some best = account.sessions().best();
    const bool crowded = std::ranges::any_of(best, &Resource::crowded);
    note(account, packet, TraceStage::offline, TraceVerdict::waiting,
         crowded ? "the client there has much to take: it goes behind the messages that came before"
                 : "stored messages are on their way to the client there: it goes behind them");
}

}  // namespace causeway::inbox_trace
