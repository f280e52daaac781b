#include "gateway/route/asking.h"

#include "gateway/base/random.h"

namespace causeway {

struct Asking::Entry final : private TimerTarget {
    Entry(Asking& where, std::string its_id, Jid asker, Jid asked, Done what)
        : asking(where),
          id(std::move(its_id)),
          from(std::move(asker)),
          to(std::move(asked)),
          done(std::move(what)) {}
    void wait(TimerWheel& timers, Duration patience) { timers.arm(timer, patience, *this); }

    Asking& asking;
    std::string id;
    Jid from, to;
    Done done;
    Timer timer;

private:
    void on_timer(std::uint32_t) override { asking.close(std::string(id), {}); }
};

void Question::drop() {
    // At the end of a shard the Asking goes before what features keep on the hub.
    if (hub_ != nullptr && hub_->asking != nullptr) (void)hub_->asking->take(id_);
    hub_ = nullptr;
    id_.clear();
}

Asking::Asking(Hub& hub) : hub_(hub) { hub.asking = this; }

Asking::~Asking() { hub_.asking = nullptr; }

Question Asking::expect(const Jid& from, const Jid& to, Duration patience, Done done) {
    const std::string domain(to.domain());
    const auto of_domain = open_of_.find(domain);
    if (open_.size() >= open_in_all ||
        (of_domain != open_of_.end() && of_domain->second >= open_per_domain)) {
        return {};
    }
    ++open_of_[domain];
    std::string id = random_token();
    auto entry = std::make_unique<Entry>(*this, id, from, to, std::move(done));
    entry->wait(hub_.shard.timers(), patience);
    open_.emplace(id, std::move(entry));
    return {hub_, std::move(id)};
}

Question Asking::ask(const Jid& from, const Jid& to, std::string_view payload, Duration patience,
                     Done done) {
    Question question = expect(from, to, patience, std::move(done));
    if (!question.id().empty()) {
        hub_.routing->route(
            Packet::make(StanzaKind::iq, StanzaType::get, from, to, question.id(), payload));
    }
    return question;
}

std::unique_ptr<Asking::Entry> Asking::take(const std::string& id) {
    auto node = open_.extract(id);
    if (!node) return nullptr;
    std::unique_ptr<Entry> entry = std::move(node.mapped());
    const auto of_domain = open_of_.find(std::string(entry->to.domain()));
    if (--of_domain->second == 0) open_of_.erase(of_domain);
    return entry;
}

void Asking::close(const std::string& id, const IqAnswer& answer) {
    const std::unique_ptr<Entry> entry = take(id);
    if (entry != nullptr) entry->done(answer);
}

bool Asking::answered(const PacketRef& packet) {
    const auto found = open_.find(std::string(packet->id()));
    // An id may be guessed or overheard; the addresses are proven by the stream it came on.
    if (found == open_.end() || packet->from() != found->second->to ||
        packet->to() != found->second->from) {
        return false;
    }
    const std::string id = found->first;  // the entry goes before the answer is told
    close(id, {.kind = packet->type() == StanzaType::result ? IqAnswer::Kind::result
                                                            : IqAnswer::Kind::error,
               .packet = packet});
    return true;
}

}  // namespace causeway
