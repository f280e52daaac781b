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

/// Nothing is kept for an account that was removed meanwhile. True: that was answered.
bool ended_with_account(AccountNodes& nodes, const Request& request) {
    if (nodes.account().exists()) return false;
    end_refused(nodes, request,
                {.condition = StanzaCondition::item_not_found, .text = "the account is removed"});
    return true;
}

/// Publishes what others may not read where the options say so; see publish_for().
void publish_with(AccountNodes& nodes, const std::shared_ptr<Request>& request,
                  const FormValues& options) {
    if (ended_with_account(nodes, *request)) return;
    const auto access = options.find("pubsub#access_model");
    const bool private_one =
        access != options.end() && access->second == std::vector<std::string>{"whitelist"};
    if (nodes.find(request->node) == nullptr) {
        request->form = options;
    } else if (private_one && readers_of(nodes.account(), request->node) != Readers::nobody) {
        // How a node is that is there, its owner decides.
        end_refused(nodes, *request,
                    {.condition = StanzaCondition::conflict, .text = "others may read the node"});
        return;
    }
    publish(nodes, request);
}

/// The end of edit_for().
void publish_edited(AccountNodes& nodes, const std::shared_ptr<Request>& request,
                    const Result<std::vector<Item>>& items, const ItemEdit& edit,
                    const FormValues& options) {
    if (!items) {
        end_failed(nodes, *request);
        return;
    }
    std::optional<OwnItem> known;
    if (!items->empty()) {
        known = OwnItem{request->node, items->front().id, items->front().payload};
        request->ids = {known->id};
    }
    std::optional<std::string> next = edit(known ? &*known : nullptr);
    if (next) {
        request->payload = std::move(*next);
        publish_with(nodes, request, options);
    } else {
        end_answered(nodes, *request);
    }
}

}  // namespace

const FormValues& private_node() {
    static const FormValues options{{"pubsub#persist_items", {"true"}},
                                    {"pubsub#max_items", {"max"}},
                                    {"pubsub#send_last_published_item", {"never"}},
                                    {"pubsub#access_model", {"whitelist"}}};
    return options;
}

void publish_for(Account& account, OwnItem item, const FormValues& options,
                 std::function<void(const Outcome&)> done) {
    const auto request =
        own_request(account, Verb::publish, std::move(item.node), std::move(item.id), done);
    request->payload = std::move(item.payload);
    request->has_item = true;
    const bool queued = AccountNodes::enqueue(account, [request, options](AccountNodes& nodes) {
        publish_with(nodes, request, options);
    });
    if (!queued && done) done(Outcome::retry(std::string(busy)));
}

void edit_for(Account& account, std::string node, std::string id, std::string id_if_none,
              ItemEdit edit, const FormValues& options, std::function<void(const Outcome&)> done) {
    const auto request =
        own_request(account, Verb::publish, std::move(node), std::move(id_if_none), done);
    request->has_item = true;
    const auto task = [request, id = std::move(id), edit = std::move(edit),
                       options](AccountNodes& nodes) {
        const Node* known = nodes.find(request->node);
        const std::string wanted = id.empty() && known != nullptr ? known->tally.last_item : id;
        if (known == nullptr || wanted.empty()) {
            publish_edited(nodes, request, std::vector<Item>{}, edit, options);
            return;
        }
        nodes.read(
            request->node, {wanted},
            [&nodes, request, newest = id.empty(), edit, options](Result<std::vector<Item>> items) {
                // The newest one is there, so it must be seen.
                if (newest && items && items->empty()) {
                    end_failed(nodes, *request);
                    return;
                }
                if (items) drop_passed(nodes, request->node, *items);
                publish_edited(nodes, request, items, edit, options);
            });
    };
    if (!AccountNodes::enqueue(account, task) && done) done(Outcome::retry(std::string(busy)));
}

void retract_for(Account& account, std::string node, std::string id,
                 std::function<void(const Outcome&)> done) {
    const auto request = own_request(account, Verb::retract, std::move(node), std::move(id), done);
    request->notify = true;
    const bool queued = AccountNodes::enqueue(account, [request](AccountNodes& nodes) {
        if (!ended_with_account(nodes, *request)) retract(nodes, request);
    });
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
                if (items) drop_passed(nodes, node, *items);
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
                    drop_passed(nodes, node, *items);
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
