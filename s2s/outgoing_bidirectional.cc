// OutgoingStream, XEP-0288: what the peer sends on a stream that we opened. It has to be for a pair
// of domains that was proven here, in reverse: that the peer is the domain we looked for is shown
// by its certificate or, where policy is content with that, by DNS, which is all that dialback
// knows.
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/domain.h"
#include "s2s/outgoing_stream.h"

namespace causeway {

bool OutgoingStream::take_from_peer(Element& element, Arena& arena) {
    if (from_peer_ == nullptr) return false;
    if (element.ns == ns::client) {
        if (from_peer_->takes()) from_peer_->take(element, arena);
        return true;
    }
    // The peer may ask to send for another of its domains. It can do that on a stream of its own,
    // where it is proven as everybody is.
    if (element.ns != ns::dialback || element.name != "result" || element.has_attribute("type")) {
        return false;
    }
    refuse_key(element);
    return true;
}

void OutgoingStream::refuse_key(const Element& element) {
    std::string inner;
    append_error(inner, {.condition = StanzaCondition::not_allowed,
                         .text = "Open a stream for that domain.",
                         .type = "cancel"});
    stream_->send(XmlBuilder()
                      .open("db:result")
                      .attribute("from", domain_of(element.attribute("to")))
                      .attribute("to", domain_of(element.attribute("from")))
                      .attribute("type", "error")
                      .raw(inner)
                      .take());
}

void OutgoingStream::on_skipped(const Element& start) {
    if (from_peer_ != nullptr && from_peer_->takes()) from_peer_->skipped(start);
}

void OutgoingStream::stanza_came() {
    if (owner_ != nullptr) owner_->on_peer_stanza(*this);
}

void OutgoingStream::on_safe() {
    if (stream_ != nullptr && stream_->usable()) from_peer_->answer_request();
}

// ---- over a break ----

void OutgoingStream::resume(LinkResumption resumption, std::unique_ptr<Receipts> received) {
    resumption_ = std::move(resumption);
    received_ = std::move(received);
}

std::unique_ptr<Receipts> OutgoingStream::release_received() {
    std::unique_ptr<Receipts> receipts = from_peer_ != nullptr && from_peer_->managed()
                                             ? from_peer_->release()
                                             : std::move(received_);
    if (receipts != nullptr) receipts->belongs_to(nullptr);
    return receipts;
}

Carrier::Report OutgoingStream::report_for(std::string_view local) const {
    return {.authentication = local == domain_ ? authentication_ : "dialback",
            .target = target(),
            .targets = outcomes(),
            .stream = stream_.get()};
}

}  // namespace causeway
