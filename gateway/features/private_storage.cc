// XEP-0049 Private XML Storage: whatever an account's clients keep for themselves, an element by
// its name and namespace. Nobody else reads or writes it. An element that holds nothing is not
// stored: asked for, it comes back empty, as one that was never there.
//
// A change reads what the account has stored, so that its bounds hold, and then commits.
#include "gateway/features/private_storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "gateway/config/feature_option.h"
#include "gateway/features/account_queue.h"
#include "gateway/features/conversions/data_change.h"
#include "gateway/route/router.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xml/writer.h"

namespace causeway {
namespace {

constexpr std::string_view store_name = "private";
constexpr std::size_t elements_limit = 20;  ///< in one request
constexpr std::size_t name_limit = 1024;    ///< bytes of a namespace and a name

constexpr FeatureOption bytes_per_account{
    .key = "private_storage.bytes_per_account",
    .kind = FeatureOption::Kind::integer,
    .form = {},
    .example = "1048576",
    .doc = "Bytes of XML that an account may keep. A change beyond that is refused.",
    .minimum = 0,
    .maximum = 1'073'741'824,
    .fallback = 1'048'576,
    .section_doc = "What clients keep for themselves, such as bookmarks (XEP-0049).",
    .per_domain = true};
constexpr FeatureOption elements_per_account{.key = "private_storage.elements_per_account",
                                             .kind = FeatureOption::Kind::integer,
                                             .form = {},
                                             .example = "200",
                                             .doc = "Elements that an account may keep.",
                                             .minimum = 0,
                                             .maximum = 100'000,
                                             .fallback = 200,
                                             .per_domain = true};
constexpr std::array options{&bytes_per_account, &elements_per_account};

constexpr Slot<AccountQueue> queue{"private storage"};

/// What is asked for or stored: elements by the key under which they stand in the store.
using Elements = std::vector<std::pair<std::string, std::string>>;

std::string key_of(const Element& element) {
    return fmt::format("{} {}", element.ns, element.name);
}

std::string text_of(const Element& element, bool whole) {
    std::string text;
    if (whole) {
        append_element(text, element, ns::private_storage);
    } else {
        text = XmlBuilder().open(element.name, element.ns).take();
    }
    return text;
}

/// The elements of a request, or what is wrong with it. `whole`: with all that they hold.
std::optional<StanzaError> read(const Element& query, bool whole, Elements& elements) {
    for (const Element* child = query.first_element(); child != nullptr;
         child = child->next_element()) {
        if (child->ns.empty() || child->ns == ns::private_storage) {
            return StanzaError{.condition = StanzaCondition::not_acceptable,
                               .text = "An element needs a namespace of its own to be stored."};
        }
        if (elements.size() == elements_limit ||
            child->ns.size() + child->name.size() > name_limit) {
            return StanzaError{
                .condition = StanzaCondition::policy_violation,
                .text = fmt::format("At most {} elements are stored or read at a time, with names "
                                    "of at most {} bytes.",
                                    elements_limit, name_limit)};
        }
        elements.emplace_back(key_of(*child), text_of(*child, whole));
        if (whole && child->first_child == nullptr && child->first_attribute == nullptr) {
            elements.back().second.clear();
        }
    }
    if (!elements.empty()) return {};
    return StanzaError{.condition = StanzaCondition::not_acceptable,
                       .text = "The request names no element to store or to read."};
}

StanzaError unreadable() {
    return {.condition = StanzaCondition::internal_server_error,
            .text = "What is stored cannot be read or written at the moment.",
            .type = "wait"};
}

// ---- get ----

/// Collects the answers of the store to one request.
struct Reading {
    Elements elements;  ///< as they were asked for, until they are found
    std::size_t missing;
    bool failed = false;

    void answer(const IqReturn& back) const {
        if (failed) {
            back.error(unreadable());
            return;
        }
        XmlBuilder xml;
        xml.open("query", ns::private_storage);
        for (const auto& [key, text] : elements) xml.raw(text);
        back.result(xml.take());
    }
};

void look_up(const IqReturn& back, Account& account, const Elements& wanted,
             const AccountQueue::Done& done) {
    const auto reading = std::make_shared<Reading>(Reading{wanted, wanted.size()});
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        back.hub.shared.store.map_get(
            std::string(store_name), std::string(account.jid().bare()), wanted[i].first,
            back.hub.shard,
            [reading, i, back, done](const Result<std::optional<std::string>>& found) {
                if (!found) {
                    reading->failed = true;
                } else if (found->has_value()) {
                    reading->elements[i].second = **found;
                }
                if (--reading->missing != 0) return;
                reading->answer(back);
                done();
            });
    }
}

// ---- set ----

/// Whether the account stays within its bounds with that change.
bool fits(const Hub& hub, const Account& account, const std::vector<MapEntry>& stored,
          const Elements& change) {
    std::map<std::string_view, std::size_t> sizes;
    for (const MapEntry& entry : stored) sizes[entry.key] = entry.value.size();
    std::size_t before = 0;
    for (const auto& [key, size] : sizes) before += size;
    const std::size_t count_before = sizes.size();
    for (const auto& [key, text] : change) {
        if (text.empty()) {
            sizes.erase(key);
        } else {
            sizes[key] = text.size();
        }
    }
    std::size_t after = 0;
    for (const auto& [key, size] : sizes) after += size;
    const std::string_view domain = account.jid().domain();
    const auto within = [&](const FeatureOption& option, std::size_t value, std::size_t previous) {
        const auto limit = static_cast<std::size_t>(option.integer(*hub.config, domain));
        return value <= limit || value <= previous;
    };
    return within(bytes_per_account, after, before) &&
           within(elements_per_account, sizes.size(), count_before);
}

Batch batch_of(const Account& account, const Elements& change) {
    Batch batch;
    for (const auto& [key, text] : change) {
        if (text.empty()) {
            batch.map_erase(store_name, account.jid().bare(), key);
        } else {
            batch.map_set(store_name, account.jid().bare(), key, text);
        }
    }
    return batch;
}

std::string value_of(const std::vector<MapEntry>& stored, std::string_view key) {
    const auto found = std::ranges::find(stored, key, &MapEntry::key);
    return found == stored.end() ? std::string{} : found->value;
}

void announce(Account& account, const Elements& change, const std::vector<MapEntry>& stored) {
    for (const auto& [key, text] : change) {
        const std::string before = value_of(stored, key);
        if (before == text) continue;
        conversions::announce(account, {.place = conversions::DataChange::Place::private_element,
                                        .name = key,
                                        .before = before});
    }
}

/// What was stored before, and what is to be stored.
struct Change {
    std::vector<MapEntry> stored;
    Elements elements;
};

void commit(const IqReturn& back, Account& account, const std::shared_ptr<const Change>& change,
            const AccountQueue::Done& done) {
    back.hub.shared.store.commit(batch_of(account, change->elements), back.hub.shard,
                                 [back, &account, change, done](const Outcome& outcome) {
                                     if (outcome) {
                                         back.result({});
                                         announce(account, change->elements, change->stored);
                                     } else {
                                         back.error(unreadable());
                                     }
                                     done();
                                 });
}

constexpr std::string_view full = "This account keeps as much as it may already.";

void change(const IqReturn& back, Account& account, const Elements& elements,
            const AccountQueue::Done& done) {
    back.hub.shared.store.map_list(
        std::string(store_name), std::string(account.jid().bare()), back.hub.shard,
        [back, &account, elements, done](Result<std::vector<MapEntry>> stored) {
            if (stored && fits(back.hub, account, *stored, elements)) {
                commit(back, account,
                       std::make_shared<const Change>(Change{std::move(*stored), elements}), done);
                return;
            }
            back.error(stored ? StanzaError{.condition = StanzaCondition::resource_constraint,
                                            .text = std::string(full),
                                            .type = "cancel"}
                              : unreadable());
            done();
        });
}

using Work = void (*)(const IqReturn& back, Account& account, const Elements& elements,
                      const AccountQueue::Done& done);

void answer(const IqRequest& request, bool whole, Work work) {
    const IqReturn back(request);
    Elements elements;
    if (const auto error = read(request.payload, whole, elements)) {
        back.error(*error);
        return;
    }
    Account& account = *request.account;
    const auto begin = [=, &account] {
        const bool entered = AccountQueue::enter(
            account, queue,
            [=, &account](const AccountQueue::Done& done) { work(back, account, elements, done); });
        if (entered) return;
        back.error({.condition = StanzaCondition::resource_constraint,
                    .text = "Too many requests are under way; try again."});
    };
    if (whole) {
        begin();
    } else {
        conversions::when_in_step(account, begin);
    }
}

void get(const IqRequest& request) { answer(request, false, look_up); }
void set(const IqRequest& request) { answer(request, true, change); }

/// It is its owner's alone; whether there is such an account is not told.
void refuse(const IqRequest& request) {
    IqReturn(request).error({.condition = StanzaCondition::forbidden, .text = {}});
}

constexpr std::array handlers{
    IqHandler{StanzaType::get, ns::private_storage, "query", IqTarget::own, get},
    IqHandler{StanzaType::set, ns::private_storage, "query", IqTarget::own, set},
    IqHandler{StanzaType::get, ns::private_storage, "query", IqTarget::account, refuse,
              IqAudience::anyone, StanzaCondition::forbidden},
    IqHandler{StanzaType::set, ns::private_storage, "query", IqTarget::account, refuse,
              IqAudience::anyone, StanzaCondition::forbidden},
};
constexpr std::array disco_features{ns::private_storage};
constexpr std::array stores{OwnedStore{store_name, OwnedStore::Shape::map}};

/// Changes one element; `done` is told of it.
void edit_stored(Account& account, const std::string& element_key, const PrivateEdit& edit,
                 const std::function<void(const Outcome&)>& done) {
    account.hub().shared.store.map_list(
        std::string(store_name), std::string(account.jid().bare()), account.hub().shard,
        [&account, element_key, edit, done](const Result<std::vector<MapEntry>>& stored) {
            if (!stored || !account.exists()) {
                done(stored ? Outcome::absent("the account is removed") : stored.error());
                return;
            }
            const std::string before = value_of(*stored, element_key);
            const std::optional<std::string> next = edit(before);
            if (!next || *next == before) {
                done({});
                return;
            }
            const Elements change{{element_key, *next}};
            if (!fits(account.hub(), account, *stored, change)) {
                done(Outcome::policy(std::string(full)));
                return;
            }
            account.hub().shared.store.commit(batch_of(account, change), account.hub().shard, done);
        });
}

}  // namespace

void read_private(Account& account, std::string_view element_ns, std::string_view name,
                  std::function<void(const Result<std::string>&)> done) {
    AccountQueue::enter_own(account, queue,
                            [&account, element_key = fmt::format("{} {}", element_ns, name),
                             done = std::move(done)](const AccountQueue::Done& ended) {
                                account.hub().shared.store.map_get(
                                    std::string(store_name), std::string(account.jid().bare()),
                                    element_key, account.hub().shard,
                                    [done, ended](const Result<std::optional<std::string>>& found) {
                                        if (found) {
                                            done(found->value_or(std::string{}));
                                        } else {
                                            done(found.error());
                                        }
                                        ended();
                                    });
                            });
}

void edit_private(Account& account, std::string_view element_ns, std::string_view name,
                  PrivateEdit edit, std::function<void(const Outcome&)> done) {
    AccountQueue::enter_own(
        account, queue,
        [&account, element_key = fmt::format("{} {}", element_ns, name), edit = std::move(edit),
         done = std::move(done)](const AccountQueue::Done& ended) {
            edit_stored(account, element_key, edit, [done, ended](const Outcome& outcome) {
                done(outcome);
                ended();
            });
        });
}

extern const Feature private_storage;
const Feature private_storage{.name = "private_storage",
                              .xep = 49,
                              .version = "1.2",
                              .server_disco = disco_features,
                              .account_disco = disco_features,
                              .iq = handlers,
                              .stores = stores,
                              .options = options};

}  // namespace causeway
