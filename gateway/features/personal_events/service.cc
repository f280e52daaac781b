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

}  // namespace

void publish_for(Account& account, OwnItem item, const FormValues& options,
                 std::function<void(const Outcome&)> done) {
    const auto tell = [done](const Outcome& outcome) {
        if (done) done(outcome);
    };
    const auto request = std::make_shared<Request>(
        account.jid(),
        [tell](const std::optional<Refusal>& refusal) { tell(outcome_of(refusal)); });
    request->verb = Verb::publish;
    request->node = std::move(item.node);
    request->ids = {std::move(item.id)};
    request->payload = std::move(item.payload);
    request->has_item = true;
    const bool queued = AccountNodes::enqueue(account, [request, options](AccountNodes& nodes) {
        // How a node is that is there, its owner decides.
        if (nodes.find(request->node) == nullptr) request->form = options;
        publish(nodes, request);
    });
    if (!queued) tell(Outcome::retry("too much is waiting for this account"));
}

void read_for(Account& account, std::string node, std::string id,
              std::function<void(const std::optional<OwnItem>&)> done) {
    const bool queued = AccountNodes::enqueue(
        account, [node = std::move(node), id = std::move(id), done](AccountNodes& nodes) {
            const Node* known = nodes.find(node);
            const std::string wanted = id.empty() && known != nullptr ? known->tally.last_item : id;
            if (known == nullptr || wanted.empty()) {
                done(std::nullopt);
                nodes.done();
                return;
            }
            nodes.read(node, {wanted}, [&nodes, node, done](Result<std::vector<Item>> items) {
                if (items && !items->empty()) {
                    done(OwnItem{node, std::move(items->front().id),
                                 std::move(items->front().payload)});
                } else {
                    done(std::nullopt);
                }
                nodes.done();
            });
        });
    if (!queued) done(std::nullopt);
}

}  // namespace causeway::personal_events
