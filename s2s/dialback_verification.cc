#include "s2s/dialback_verification.h"

#include <fmt/format.h>

#include "gateway/xml/builder.h"
#include "gateway/xmpp/domain.h"

namespace causeway {

DialbackVerification::DialbackVerification(Hub& hub, std::string local, std::string remote,
                                           std::string stream_id, std::string key, Done done)
    : hub_(hub), stream_id_(std::move(stream_id)), key_(std::move(key)), done_(std::move(done)) {
    stream_ = std::make_unique<OutgoingStream>(hub, std::move(local), std::move(remote),
                                               OutgoingStream::Purpose::verification,
                                               static_cast<OutgoingOwner&>(*this));
    stream_->start();
}

DialbackVerification::~DialbackVerification() {
    if (stream_ == nullptr) return;
    stream_->disown();
    hub_.shard.condemn(std::move(stream_));
}

void DialbackVerification::on_ready(Carrier& stream) {
    XmlBuilder question;
    question.open("db:verify")
        .attribute("from", stream_->local())
        .attribute("to", stream_->remote())
        .attribute("id", stream_id_)
        .text(key_);
    stream.stream().send(question.take());
}

void DialbackVerification::on_peer_element(OutgoingStream& stream, Element& element, Arena&) {
    // Only the answer to the one question that was asked here (CVE-2012-3525).
    if (element.name != "verify" || domain_of(element.attribute("from")) != stream.remote() ||
        domain_of(element.attribute("to")) != stream.local() ||
        element.attribute("id") != stream_id_) {
        return;
    }
    const std::string_view type = element.attribute("type");
    if (type == "valid") {
        finish({});
    } else if (type == "invalid") {
        finish(Outcome::refused("the key is not valid"));
    } else {
        finish(Outcome::retry(fmt::format("{} could not verify the key", stream.remote())));
    }
}

void DialbackVerification::on_stopped(Carrier&, const Outcome& why) {
    // Only its answer says that a key is not valid; a stream that fails, for whatever reason, says
    // nothing.
    if (why.ok()) {
        finish(Outcome::retry("the stream ended before the answer"));
    } else if (why.cause() == Cause::refused) {
        finish(Outcome::retry(why.why()));
    } else {
        finish(why);
    }
}

void DialbackVerification::finish(const Outcome& outcome) {
    const Done done = std::exchange(done_, {});
    if (done) done(outcome);
}

}  // namespace causeway
