// The archive of an account for somebody whom its owner lets read it (an access rule
// "read-archive allow"), here or at another server. Each question is logged, and the owner is told
// of the first one of a day, by a message that waits where no session is there. When the owner was
// told is stored, so that a server that forgets an account does not tell it twice.
#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/number.h"
#include "gateway/base/random.h"
#include "gateway/features/archive/archive.h"
#include "gateway/features/archive/question.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::archive {
namespace {

/// Questions of all grantees of one account that may wait for an answer.
constexpr std::size_t open_limit = 5;
constexpr std::size_t grantees_remembered = 100;
/// Messages of that kind that a day leaves for an owner who is away.
constexpr std::size_t most_left_a_day = 20;
constexpr UnixMillis told_again_after{24LL * 60 * 60 * 1000};

struct Grantees final : SlotState {
    std::size_t open = 0;
    std::map<std::string, UnixMillis, std::less<>> told = {};  ///< by bare JID
};
constexpr Slot<Grantees> grantees_slot{"archive-grantees"};

/// Takes out whom the owner may be told of again; the rest is of the last day.
void drop_old(Account& account, Grantees& grantees, UnixMillis now, Batch& batch) {
    std::erase_if(grantees.told, [&](const auto& entry) {
        const bool old = entry.second + told_again_after <= now || entry.second > now;
        if (old) {
            batch.map_erase(store_name, account.jid().bare(),
                            std::string(told_prefix) + entry.first);
        }
        return old;
    });
}

void show(Account& account, const std::string& text) {
    const std::string body = XmlBuilder().element("body", text).take();
    const Jid domain = account.jid().domain_jid();
    for (Resource* session : account.sessions().all()) {
        session->deliver(Packet::make(StanzaKind::message, StanzaType::headline, domain,
                                      session->jid(), random_token(9), body),
                         0);
    }
    if (!account.sessions().empty()) return;
    // Who reads the archive does not find it there.
    const std::string kept = XmlBuilder().raw(body).empty("no-permanent-store", ns::hints).take();
    const PacketRef message = Packet::make(StanzaKind::message, StanzaType::normal, domain,
                                           account.jid(), random_token(9), kept);
    // Read as if it had come from a stream, it is known for one that is worth keeping.
    if (auto read = Packet::from_bytes(message->bytes())) account.hub().routing->route(*read);
}

/// The owner learns who reads.
void tell_owner(Account& account, Grantees& grantees, const Jid& who) {
    CAUSEWAY_LOG(info, "archive.read_by_other", {"jid", account.jid().bare()}, {"by", who.bare()});
    const UnixMillis now = account.hub().clock().wall();
    Batch batch;
    drop_old(account, grantees, now, batch);
    const bool away = account.sessions().empty();
    // The log has what the owner is not told.
    const bool only_logged = grantees.told.contains(who.bare()) ||
                             grantees.told.size() >= grantees_remembered ||
                             (away && grantees.told.size() >= most_left_a_day);
    if (!only_logged) {
        grantees.told.emplace(who.bare(), now);
        batch.map_set(store_name, account.jid().bare(),
                      std::string(told_prefix) + std::string(who.bare()), std::to_string(now));
    }
    if (batch.empty()) return;
    account.begin_question();
    account.hub().shared.store.commit(std::move(batch), account.hub().shard,
                                      [&account](const Outcome&) { account.end_question(); });
    if (!only_logged) show(account, std::string(who.bare()) + " reads your archive.");
}

/// One question that is being answered; it keeps the account.
class Answering : public std::enable_shared_from_this<Answering> {
public:
    Answering(Account& account, std::shared_ptr<const Question> question)
        : account_(account), question_(std::move(question)) {
        ++account_.slots.make(grantees_slot).open;
        account_.begin_question();
    }
    ~Answering() {
        --account_.slots.make(grantees_slot).open;
        account_.end_question();
    }
    Answering(const Answering&) = delete;
    Answering& operator=(const Answering&) = delete;

    void begin() {
        account_.hub().ledger.when_readable([self = shared_from_this()] {
            const ArchiveQuery anchors = anchors_of(*self->question_);
            self->check_anchors(anchors, anchors.ids.size());
        });
    }

private:
    void ask(ArchiveQuery query, std::function<void(ArchivePage)> then) {
        account_.hub().shared.store.archive_page(
            std::move(query), account_.hub().shard,
            [self = shared_from_this(), then = std::move(then)](Result<ArchivePage> page) {
                if (page) return then(std::move(*page));
                self->question_->back.error({.condition = StanzaCondition::internal_server_error,
                                             .text = "The archive cannot be read at the moment.",
                                             .type = "wait"});
            });
    }

    void refuse(const Refusal& refusal) {
        question_->back.error({.condition = refusal.condition, .text = refusal.text});
    }

    void check_anchors(const ArchiveQuery& query, std::size_t missing) {
        if (missing == 0) return read(question_->query);
        ask(query, [this, query, missing](const ArchivePage& page) {
            if (page.complete && page.rows.size() < missing) return refuse(not_found());
            ArchiveQuery rest = query;
            rest.after = page.reached;
            check_anchors(rest, missing - page.rows.size());
        });
    }

    void read(const ArchiveQuery& query) {
        ask(query, [this, query](ArchivePage page) {
            if (page.rows.empty() && !page.complete && query.rows > 0) {
                ArchiveQuery rest = query;
                (rest.from_end ? rest.before : rest.after) = page.reached;
                return read(rest);
            }
            send(page);
        });
    }

    void send(const ArchivePage& page) {
        const auto send_row = [&](const ArchiveRow& row) {
            account_.hub().routing->route(Packet::make(StanzaKind::message, StanzaType::normal,
                                                       account_.jid(), question_->back.to, {},
                                                       result_of(*question_, row)));
        };
        if (question_->flip) {
            std::for_each(page.rows.rbegin(), page.rows.rend(), send_row);
        } else {
            std::for_each(page.rows.begin(), page.rows.end(), send_row);
        }
        question_->back.result(fin_of(*question_, page));
    }

    Account& account_;
    const std::shared_ptr<const Question> question_;
};

}  // namespace

void load_told(Account& account, const MapEntry& entry) {
    const auto at = read_number<std::uint64_t>(entry.value);
    if (!at) return;
    account.slots.make(grantees_slot)
        .told.insert_or_assign(entry.key.substr(told_prefix.size()), static_cast<UnixMillis>(*at));
}

void forget_told(Account& account) {
    Grantees* known = account.slots.get(grantees_slot);
    if (known != nullptr) known->told.clear();
}

namespace {

bool refuse_stranger(const IqRequest& request) {
    const Account& account = *request.account;
    const bool may =
        offered(request.hub, account.jid().domain()) &&
        account.access().decide(request.stanza.from, AccessAct::read_archive).allowed();
    if (!may) IqReturn(request).error({.condition = StanzaCondition::forbidden, .text = {}});
    return !may;
}

}  // namespace

void tell_form_to_grantee(const IqRequest& request) {
    if (!refuse_stranger(request)) tell_form(request);
}

void tell_metadata_to_grantee(const IqRequest& request) {
    if (refuse_stranger(request)) return;
    Account& account = *request.account;
    tell_owner(account, account.slots.make(grantees_slot), request.stanza.from);
    tell_metadata(request);
}

void answer_grantee(const IqRequest& request) {
    if (refuse_stranger(request)) return;
    Account& account = *request.account;
    const auto question = std::make_shared<Question>(IqReturn(request));
    question->query.owner = std::string(account.jid().bare());
    if (auto refusal = read_question(*question, request.payload, request.stanza.arena)) {
        question->back.error({.condition = refusal->condition, .text = std::move(refusal->text)});
        return;
    }
    Grantees& grantees = account.slots.make(grantees_slot);
    if (grantees.open >= open_limit) {
        question->back.error({.condition = StanzaCondition::resource_constraint,
                              .text = "Too many questions to the archive wait for an answer.",
                              .type = "wait"});
        return;
    }
    tell_owner(account, grantees, request.stanza.from);
    std::make_shared<Answering>(account, question)->begin();
}

}  // namespace causeway::archive
