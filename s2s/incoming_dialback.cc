// IncomingStream, dialback (XEP-0220): keys that the peer shows for its domains, and its questions
// about ours.
#include <fmt/format.h>

#include "gateway/base/encoding.h"
#include "gateway/base/log.h"
#include "gateway/xml/builder.h"
#include "gateway/xmpp/domain.h"
#include "s2s/dialback_key.h"
#include "s2s/incoming_stream.h"
#include "s2s/server_table.h"

namespace causeway {
namespace {

/// `name` is "db:result" or "db:verify"; `inner` an error, or empty.
std::string dialback_reply(std::string_view name, const IncomingStream::Pair& pair,
                           std::string_view id, std::string_view type, std::string_view inner) {
    XmlBuilder reply;
    reply.open(name)
        .attribute("from", pair.local)
        .attribute("to", pair.remote)
        .attribute_if("id", id)
        .attribute("type", type);
    if (!inner.empty()) reply.raw(inner);
    return reply.take();
}

}  // namespace

void IncomingStream::dialback(const Element& element, Arena& arena) {
    const Pair pair{domain_of(element.attribute("from")), domain_of(element.attribute("to"))};
    if (pair.remote.empty() || pair.local.empty()) {
        stream_.fail(stream_error::improper_addressing, "dialback is between two domains");
        return;
    }
    if (element.name == "result" && !element.has_attribute("type")) {
        dialback_result(pair, std::string(element.text(arena)));
    } else if (element.name == "verify" && !element.has_attribute("type")) {
        dialback_verify(element, pair, element.text(arena));
    } else {
        // An answer to a question that was not asked here (CVE-2012-3525).
        stream_.fail(stream_error::not_authorized,
                     "that answers no question that was asked on this stream");
    }
}

void IncomingStream::dialback_verify(const Element& element, const Pair& pair,
                                     std::string_view key) {
    const std::string_view id = element.attribute("id");
    if (!hub_.serves(pair.local)) {
        std::string inner;
        append_error(inner, {.condition = StanzaCondition::item_not_found, .text = {}});
        stream_.send(dialback_reply("db:verify", pair, id, "error", inner));
        return;
    }
    const bool valid =
        equal_in_constant_time(key, dialback_key(hub_.shared.secret, pair.remote, pair.local, id));
    stream_.send(dialback_reply("db:verify", pair, id, valid ? "valid" : "invalid", {}));
}

void IncomingStream::dialback_result(const Pair& pair, std::string key) {
    const auto refuse = [&](StanzaCondition condition, std::string text) {
        std::string inner;
        append_error(inner, {.condition = condition, .text = std::move(text), .type = "cancel"});
        stream_.send(dialback_reply("db:result", pair, {}, "error", inner));
    };
    if (!hub_.serves(pair.local)) {
        refuse(StanzaCondition::item_not_found, "That domain is not served here.");
        return;
    }
    if (hub_.serves(pair.remote)) {
        refuse(StanzaCondition::not_allowed, "That domain is served here.");
        return;
    }
    if (pairs().contains(pair)) {
        stream_.send(dialback_reply("db:result", pair, {}, "valid", {}));
        return;
    }
    if (verifying_.contains(pair)) return;
    if (pairs().size() + verifying_.size() >= hub_.limits().dialback_pairs) {
        refuse(StanzaCondition::resource_constraint, "Too many domains on one stream.");
        return;
    }
    // The first domain that it names decides where the stream is at home, if it is proven.
    if (Hub& home = hub_.home_of(pair.remote);
        &home != &hub_ && link_ == nullptr && verifying_.empty()) {
        move_home(
            home,
            {.pair = pair, .proof = MovingServer::Proof::dialback_key, .key = std::move(key)});
        return;
    }
    // A certificate that proves the domain says more than a key could.
    if (peer_proves(pair.remote)) {
        verified(pair, {});
        return;
    }
    if (hub_.config->s2s.authentication == Config::PeerAuthentication::certificate) {
        refuse(StanzaCondition::policy_violation, "A certificate is needed here.");
        return;
    }
    if (!table_.admission().verify(network_, verifying_.size())) {
        refuse(StanzaCondition::resource_constraint, "Too many verifications at once.");
        return;
    }
    verifying_.emplace(pair,
                       std::make_unique<DialbackVerification>(
                           hub_, pair.local, pair.remote, id_, std::move(key),
                           [this, pair](const Outcome& outcome) { verified(pair, outcome); }));
}

void IncomingStream::verified(const Pair& pair, const Outcome& outcome) {
    // The pair is a reference into what is erased last.
    const Pair kept = pair;
    if (!stream_.usable()) {
        end_verification(kept);
        return;
    }
    if (outcome) {
        proven(kept, "dialback");
        stream_.send(dialback_reply("db:result", kept, {}, "valid", {}));
        open_way_back();
    } else if (outcome.cause() == Cause::refused) {
        CAUSEWAY_LOG(warn, "s2s.dialback_invalid", {"local", kept.local}, {"remote", kept.remote},
                     {"cause", outcome.why()});
        stream_.send(dialback_reply("db:result", kept, {}, "invalid", {}));
        // XEP-0220 §2.4: a peer that claims another's domain is not listened to any longer.
        if (pairs().empty()) stream_.close();
    } else {
        CAUSEWAY_LOG(info, "s2s.dialback_failed", {"local", kept.local}, {"remote", kept.remote},
                     {"cause", outcome.why()});
        std::string inner;
        append_error(inner, {.condition = outcome.cause() == Cause::absent
                                              ? StanzaCondition::remote_server_not_found
                                              : StanzaCondition::remote_server_timeout,
                             .text = outcome.why(),
                             .type = "cancel"});
        stream_.send(dialback_reply("db:result", kept, {}, "error", inner));
    }
    end_verification(kept);
}

void IncomingStream::end_verification(const Pair& pair) {
    const auto found = verifying_.find(pair);
    if (found == verifying_.end()) return;
    table_.admission().verified(network_);
    hub_.shard.condemn(std::move(found->second));
    verifying_.erase(found);
}

}  // namespace causeway
