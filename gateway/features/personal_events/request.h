// What a client asks of an account's nodes, read from the iq: a value that waits for its turn
// without the stanza. And how it is answered.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/feature/feature.h"
#include "gateway/features/personal_events/access.h"
#include "gateway/route/router.h"
#include "gateway/xmpp/data_form.h"
#include "gateway/xmpp/result_set.h"

namespace causeway::personal_events {

/// An error with the condition that XEP-0060 adds to that of RFC 6120.
struct Refusal {
    StanzaCondition condition = StanzaCondition::bad_request;
    std::string_view detail = {};   ///< name of the element in pubsub#errors; may be empty
    std::string_view feature = {};  ///< of <unsupported/>
    std::string text = {};
    std::string_view type = {};  ///< overrides the usual one of the condition
    /// XML that stands in front of the error: entries of a list that stay as they are.
    std::string entries = {};
};

/// The error that XEP-0060 has for somebody without that access.
Refusal refusal_of(Access access);

enum class Verb : unsigned char {
    publish,
    retract,
    create,
    subscribe,
    unsubscribe,
    items,
    subscriptions,
    affiliations,
    // of owners
    configuration,
    configure,
    default_configuration,
    delete_node,
    purge,
    node_affiliations,
    set_affiliations,
    node_subscriptions,
    set_subscriptions,
};

/// A row of a request that changes affiliations or subscriptions.
struct AddressRow {
    Jid who;
    std::string what;
};

struct Request {
    /// What asks on the server's own behalf is told whether it was done.
    using Told = std::function<void(const std::optional<Refusal>&)>;

    std::variant<IqReturn, Told> back;
    Jid asker;
    Verb verb = Verb::items;
    std::string node;
    std::vector<std::string> ids;       ///< of items asked for or retracted
    std::string payload;                ///< of an item to publish
    bool has_item = false;              ///< it publishes an item, with a payload or without
    bool notify = false;                ///< of a retraction
    std::optional<FormValues> form;     ///< a configuration, or preconditions
    bool cancelled = false;             ///< the form says so
    std::optional<std::uint64_t> most;  ///< max_items of a retrieval
    ResultSetRequest page;
    bool paged = false;
    Jid subscriber;
    std::vector<AddressRow> rows;
    std::string redirect;  ///< where a node that is deleted is now; empty: nowhere

    explicit Request(IqReturn where) : back(where), asker(std::move(where.to)) {}
    Request(Jid who, Told told) : back(std::move(told)), asker(std::move(who)) {}
    [[nodiscard]] const Jid& from() const { return asker; }
};

/// Reads what is in `<pubsub/>`; a refusal if that is not possible.
std::optional<Refusal> read(const IqRequest& iq, Request& request);

/// Answers it; `inner` is the inner XML of the result.
void tell(const Request& request, std::string_view inner);
void refuse(const Request& request, const Refusal& refusal);

}  // namespace causeway::personal_events
