#include "gateway/features/personal_events/service.h"

#include <memory>
#include <utility>

#include "gateway/features/personal_events/operations.h"

namespace causeway::personal_events {
namespace {

Outcome outcome_of(const std::optional<Refusal>& refusal) {
    if (!refusal) return {};
    const bool later = refusal->condition == StanzaCondition::internal_server_error;
    return {later ? Cause::retry : Cause::refused,
            refusal->text.empty() ? std::string(name_of(refusal->condition)) : refusal->text};
}

/// A request of the account itself.
std::shared_ptr<Request> own_request(Account& account, Verb verb, std::string node, std::string id,
                                     std::function<void(const Outcome&)> done) {
    auto request = std::make_shared<Request>(
        account.jid(), [done = std::move(done)](const std::optional<Refusal>& refusal) {
            if (done) done(outcome_of(refusal));
        });
    request->verb = verb;
    request->node = std::move(node);
    request->ids = {std::move(id)};
    return request;
}

constexpr std::string_view busy = "too much is waiting for this account";

}  // namespace

void publish_for(Account& account, OwnItem item, const FormValues& options,
                 std::function<void(const Outcome&)> done) {
    const auto request =
        own_request(account, Verb::publish, std::move(item.node), std::move(item.id), done);
    request->payload = std::move(item.payload);
    request->has_item = true;
    const bool queued = AccountNodes::enqueue(account, [request, options](AccountNodes& nodes) {
        // How a node is that is there, its owner decides.
        if (nodes.find(request->node) == nullptr) request->form = options;
        publish(nodes, request);
    });
    if (!queued && done) done(Outcome::retry(std::string(busy)));
}

void retract_for(Account& account, std::string node, std::string id,
                 std::function<void(const Outcome&)> done) {
    const auto request = own_request(account, Verb::retract, std::move(node), std::move(id), done);
    request->notify = true;
    const bool queued =
        AccountNodes::enqueue(account, [request](AccountNodes& nodes) { retract(nodes, request); });
    if (!queued && done) done(Outcome::retry(std::string(busy)));
}

void read_for(Account& account, std::string node, std::string id,
              std::function<void(const Result<OwnItem>&)> done) {
    const bool queued = AccountNodes::enqueue(
        account, [node = std::move(node), id = std::move(id), done](AccountNodes& nodes) {
            const Node* known = nodes.find(node);
            const std::string wanted = id.empty() && known != nullptr ? known->tally.last_item : id;
            if (known == nullptr || wanted.empty()) {
                done(Outcome::absent("there is no such item"));
                nodes.done();
                return;
            }
            nodes.read(node, {wanted}, [&nodes, node, done](Result<std::vector<Item>> items) {
                if (!items) {
                    done(items.error());
                } else if (items->empty()) {
                    done(Outcome::absent("there is no such item"));
                } else {
                    done(OwnItem{node, std::move(items->front().id),
                                 std::move(items->front().payload)});
                }
                nodes.done();
            });
        });
    if (!queued) done(Outcome::retry(std::string(busy)));
}

void read_items_for(Account& account, std::string node, std::vector<std::string> ids,
                    std::function<void(const Result<std::vector<OwnItem>>&)> done) {
    const bool queued = AccountNodes::enqueue(
        account, [node = std::move(node), ids = std::move(ids), done](AccountNodes& nodes) {
            const auto answer = [&nodes, node, done](Result<std::vector<Item>> items) {
                if (items) {
                    std::vector<OwnItem> found;
                    for (Item& item : *items) {
                        found.push_back({node, std::move(item.id), std::move(item.payload)});
                    }
                    done(found);
                } else {
                    done(items.error());
                }
                nodes.done();
            };
            if (nodes.find(node) == nullptr) {
                answer(std::vector<Item>{});
            } else if (ids.empty()) {
                nodes.read_all(node, answer);
            } else {
                nodes.read(node, ids, answer);
            }
        });
    if (!queued) done(Outcome::retry(std::string(busy)));
}

Readers readers_of(const Account& account, std::string_view name) {
    const AccountNodes* nodes = AccountNodes::of(account);
    const Node* node = nodes == nullptr ? nullptr : nodes->find(name);
    if (node == nullptr) return Readers::undecided;
    switch (node->config().access) {
        case AccessModel::open: return Readers::everybody;
        case AccessModel::presence: return Readers::contacts;
        case AccessModel::roster:
        case AccessModel::authorize: return Readers::some;
        case AccessModel::whitelist: break;
    }
    return node->settings.affiliations.empty() ? Readers::nobody : Readers::some;
}

}  // namespace causeway::personal_events
