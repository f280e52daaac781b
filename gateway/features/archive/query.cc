// Questions to an archive (XEP-0313 §4, §5): one at a time for each session, a page each. A page is
// read from the store when the client has taken the one before.
#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/features/archive/archive.h"
#include "gateway/features/archive/question.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/data_form.h"
#include "gateway/xmpp/result_set.h"

namespace causeway::archive {
namespace {

/// Questions of one session that may wait for their turn.
constexpr std::size_t waiting_limit = 20;

/// Questions of one session that have no answer yet.
struct Questions final : SlotState {
    std::deque<std::shared_ptr<const Question>> waiting;
    std::shared_ptr<const Question> running;
};
constexpr Slot<Questions> questions_slot{"archive-questions"};

/// Messages that the session fetched while they were on their way to another one. If that one goes
/// without having acknowledged them, they are not for this one.
struct Fetched final : SlotState {
    static constexpr std::size_t at_most = 250;
    std::deque<std::uint64_t> rows;
};
constexpr Slot<Fetched> fetched_slot{"archive-fetched"};

/// A message that was sent to a session is listed in the store a second later, and known as on its
/// way from then on.
bool may_be_on_its_way(const Account& account, std::uint64_t row) {
    return account.hub().ledger.in_flight(row) ||
           time_of_id(row) + 5 * Ledger::list_after.count() > account.hub().clock().wall();
}

/// The session that asked, if it is still there and waits for this answer.
Resource* asker(Account& account, const std::shared_ptr<const Question>& question) {
    Resource* session = account.sessions().find(question->back.to.resource());
    if (session == nullptr) return nullptr;
    const Questions* questions = session->slots.get(questions_slot);
    return questions != nullptr && questions->running == question ? session : nullptr;
}

void begin_next(Account& account, Resource& session);

void finish(Account& account, Resource& session) {
    session.slots.get(questions_slot)->running.reset();
    begin_next(account, session);
}

/// Rows that wait for a session, and are fetched instead, count as delivered by that.
void send_row(Account& account, Resource& session, const ArchiveRow& row, PacketRef packet,
              bool waits) {
    const HoldId hold = waits ? account.inbox().fetched(packet, row.id) : 0;
    if (hold == 0 && row.incoming && may_be_on_its_way(account, row.id)) {
        note_fetched(session, row.id);
        packet = Packet::of_archive(std::move(packet), row.id);
    }
    session.deliver(packet, hold);
}

void send_rows(Account& account, Resource& session, const Question& question,
               const ArchivePage& page, const std::vector<std::uint64_t>& waiting) {
    const auto send = [&](const ArchiveRow& row) {
        const auto archived = Packet::from_bytes(row.body);
        if (!archived) {
            CAUSEWAY_LOG(error, "archive.unreadable_row", {"jid", account.jid().bare()},
                         {"row", row.id});
            return;
        }
        const PacketRef packet =
            Packet::make(StanzaKind::message, StanzaType::normal, account.jid(), session.jid(), {},
                         result_of(question, row));
        const bool waits = std::ranges::find(waiting, row.id) != waiting.end();
        if (waits) {
            account.hub().trace.note(
                **archived, {TraceStage::archive, TraceVerdict::delivered, session.jid().full(),
                             "its client asked for it", row.id});
        }
        send_row(account, session, row, packet, waits);
    };
    if (question.flip) {
        std::for_each(page.rows.rbegin(), page.rows.rend(), send);
    } else {
        std::for_each(page.rows.begin(), page.rows.end(), send);
    }
}

void answer(Account& account, Resource& session, const std::shared_ptr<const Question>& question,
            const ArchivePage& page, const std::vector<std::uint64_t>& waiting) {
    send_rows(account, session, *question, page, waiting);
    question->back.result(fin_of(*question, page));
    finish(account, session);
}

void refuse(Account& account, Resource& session, const Question& question, const Refusal& refusal) {
    question.back.error({.condition = refusal.condition, .text = refusal.text});
    finish(account, session);
}

/// A session that has not been available yet has not been sent what waits: what it fetches here it
/// need not get a second time.
void look_for_waiting(Account& account, const std::shared_ptr<const Question>& question,
                      ArchivePage page) {
    Resource* session = asker(account, question);
    if (session == nullptr) return;
    if (session->available() || page.rows.empty()) {
        answer(account, *session, question, page, {});
        return;
    }
    const std::uint64_t before = page.rows.front().id - 1;
    account.begin_question();
    account.hub().shared.store.log_list(
        std::string(AccountInbox::store_name), std::string(account.jid().bare()), before,
        account.hub().limits().offline_messages, account.hub().shard,
        [&account, question, page = std::move(page)](const Result<std::vector<LogRow>>& rows) {
            std::vector<std::uint64_t> waiting;
            if (rows) {
                for (const LogRow& row : *rows) waiting.push_back(row.id);
            }
            if (Resource* still = asker(account, question)) {
                answer(account, *still, question, page, waiting);
            }
            account.end_question();
        });
}

/// Asks the archive; `then` gets what it says, if it can be read and somebody still waits for it.
void read_archive(Account& account, const std::shared_ptr<const Question>& question,
                  const ArchiveQuery& query,
                  std::function<void(Resource& session, ArchivePage page)> then) {
    account.begin_question();
    account.hub().shared.store.archive_page(
        query, account.hub().shard,
        [&account, question, then = std::move(then)](Result<ArchivePage> page) {
            Resource* const session = asker(account, question);
            if (session != nullptr && page) {
                then(*session, std::move(*page));
            } else if (session != nullptr) {
                refuse(account, *session, *question,
                       {StanzaCondition::internal_server_error,
                        "The archive cannot be read at the moment."});
            }
            account.end_question();
        });
}

void read_page(Account& account, const std::shared_ptr<const Question>& question,
               const ArchiveQuery& query) {
    read_archive(account, question, query,
                 [&account, question, query](Resource&, ArchivePage page) {
                     if (!page.rows.empty() || page.complete || query.rows == 0) {
                         look_for_waiting(account, question, std::move(page));
                         return;
                     }
                     // Only a part was looked through; a client could not go on from an empty page.
                     ArchiveQuery rest = query;
                     (rest.from_end ? rest.before : rest.after) = page.reached;
                     read_page(account, question, rest);
                 });
}

/// XEP-0313 §4.1.3, §4.3.2: what the question names must be there. `missing` is how many of those
/// ids have not been found yet.
void check_anchors(Account& account, const std::shared_ptr<const Question>& question,
                   const ArchiveQuery& query, std::size_t missing) {
    if (missing == 0) {
        read_page(account, question, question->query);
        return;
    }
    read_archive(account, question, query,
                 [&account, question, query, missing](Resource& session, const ArchivePage& page) {
                     if (page.complete && page.rows.size() < missing) {
                         refuse(account, session, *question, not_found());
                         return;
                     }
                     ArchiveQuery rest = query;
                     rest.after = page.reached;
                     check_anchors(account, question, rest, missing - page.rows.size());
                 });
}

void begin_next(Account& account, Resource& session) {
    Questions& questions = *session.slots.get(questions_slot);
    if (questions.running != nullptr || questions.waiting.empty() || session.crowded()) return;
    questions.running = std::move(questions.waiting.front());
    questions.waiting.pop_front();
    // A client finds in the archive whatever it has sent or received before it asked.
    account.begin_question();
    account.hub().ledger.when_readable([&account, question = questions.running] {
        if (asker(account, question) != nullptr) {
            const ArchiveQuery anchors = anchors_of(*question);
            check_anchors(account, question, anchors, anchors.ids.size());
        }
        account.end_question();
    });
}

bool refuse_without_archive(const IqRequest& request) {
    if (offered(request.hub, request.account->jid().domain())) return false;
    IqReturn(request).error({.condition = StanzaCondition::service_unavailable, .text = {}});
    return true;
}

/// With an open question of the account, which it ends.
void read_metadata(const IqReturn& back, Account& account) {
    back.hub.shared.store.archive_total(
        std::string(account.jid().bare()), back.hub.shard,
        [back, &account](const Result<ArchiveTotals>& total) {
            if (total) {
                XmlBuilder xml;
                xml.open("metadata", ns::archive);
                const auto end_point = [&](std::string_view name, std::uint64_t id) {
                    if (id == 0) return;  // an empty archive has none
                    xml.open(name)
                        .attribute("id", text_of(id))
                        .attribute("timestamp", format_date_time_exactly(time_of_id(id)))
                        .close();
                };
                end_point("start", total->oldest);
                end_point("end", total->newest);
                back.result(xml.take());
            } else {
                back.error({.condition = StanzaCondition::internal_server_error,
                            .text = "The archive cannot be read at the moment.",
                            .type = "wait"});
            }
            account.end_question();
        });
}

}  // namespace

bool was_fetched(const Resource& session, std::uint64_t row) {
    const Fetched* fetched = session.slots.get(fetched_slot);
    return fetched != nullptr && std::ranges::find(fetched->rows, row) != fetched->rows.end();
}

void note_fetched(Resource& session, std::uint64_t row) {
    Fetched& fetched = session.slots.make(fetched_slot);
    if (fetched.rows.size() == Fetched::at_most) fetched.rows.pop_front();
    fetched.rows.push_back(row);
}

void resume_queries(const Life& life) {
    if (life.session->slots.get(questions_slot) != nullptr)
        begin_next(*life.account, *life.session);
}

void answer_query(const IqRequest& request) {
    if (refuse_without_archive(request)) return;
    const auto question = std::make_shared<Question>(IqReturn(request));
    question->query.owner = std::string(request.account->jid().bare());
    if (auto refusal = read_question(*question, request.payload, request.stanza.arena)) {
        question->back.error({.condition = refusal->condition, .text = std::move(refusal->text)});
        return;
    }
    Questions& questions = request.sender->slots.make(questions_slot);
    if (questions.waiting.size() >= waiting_limit) {
        question->back.error({.condition = StanzaCondition::resource_constraint,
                              .text = "Too many questions to the archive wait for an answer.",
                              .type = "wait"});
        return;
    }
    questions.waiting.push_back(question);
    begin_next(*request.account, *request.sender);
}

void tell_form(const IqRequest& request) {
    if (refuse_without_archive(request)) return;
    XmlBuilder xml;
    xml.open("query", ns::archive);
    open_form(xml, "form", ns::archive);
    add_field(xml, "with", "jid-single");
    for (const std::string_view name : {"start", "end", "before-id", "after-id"}) {
        add_field(xml, name, "text-single");
    }
    add_field(xml, groupchat_field, "boolean");
    xml.open("field").attribute("var", "ids").attribute("type", "list-multi");
    xml.open("validate", ns::form_validation).attribute("datatype", "xs:string").empty("open");
    IqReturn(request).result(xml.take());
}

void tell_metadata(const IqRequest& request) {
    if (refuse_without_archive(request)) return;
    Account& account = *request.account;
    account.begin_question();
    request.hub.ledger.when_readable(
        [back = IqReturn(request), &account] { read_metadata(back, account); });
}

void tell_preferences(const IqRequest& request) {
    if (refuse_without_archive(request)) return;
    const State* state = request.account->slots.get(preferences_slot);
    IqReturn(request).result(state == nullptr ? ArchivePreferences{}.text()
                                              : state->preferences.text());
}

void change_preferences(const IqRequest& request) {
    if (refuse_without_archive(request)) return;
    auto wanted = ArchivePreferences::read(request.payload, request.stanza.arena);
    if (!wanted) {
        const bool too_many = wanted.error().cause() == Cause::policy;
        IqReturn(request).error(
            {.condition = too_many ? StanzaCondition::not_acceptable : StanzaCondition::bad_request,
             .text = wanted.error().why()});
        return;
    }
    Account& account = *request.account;
    Batch batch;
    batch.map_set(store_name, account.jid().bare(), preferences_key, wanted->text());
    account.begin_question();
    request.hub.shared.store.commit(
        std::move(batch), request.hub.shard,
        [back = IqReturn(request), &account, wanted = std::move(*wanted)](const Outcome& stored) {
            if (stored) {
                account.slots.make(preferences_slot).preferences = wanted;
                account.stored_anew();
                back.result(wanted.text());
            } else {
                back.error({.condition = StanzaCondition::internal_server_error,
                            .text = "The preferences could not be stored; try again later.",
                            .type = "wait"});
            }
            account.end_question();
        });
}

}  // namespace causeway::archive
