#include "gateway/features/personal_events/nodes.h"

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"

namespace causeway::personal_events {
namespace {

constexpr Slot<AccountNodes> slot{"personal_events"};
constexpr std::size_t rows_of_a_page = 100;

void log_unreadable(const Account& account, std::string_view key, const Outcome& why) {
    CAUSEWAY_LOG(error, "personal_events.unreadable", {"jid", account.jid().bare()}, {"entry", key},
                 {"cause", why.why()});
}

}  // namespace

struct AccountNodes::Scan {
    std::string prefix;
    std::uint64_t expected = 0;
    std::string after;
    std::vector<Item> items;
    Items then;
};

AccountNodes* AccountNodes::of(const Account& account) { return account.slots.get(slot); }

void AccountNodes::load(Account& account, const std::vector<MapEntry>& entries) {
    AccountNodes* known = of(account);
    // What is under way knows better than what was read meanwhile.
    if (known != nullptr && known->state_ != State::idle) return;
    if (entries.empty()) {
        account.slots.drop(slot);
        return;
    }
    AccountNodes& nodes = account.slots.make(slot, account);
    nodes.nodes_.clear();
    nodes.bytes_ = 0;
    for (const MapEntry& entry : entries) {
        const NodeKey key = node_key(entry.key);
        if (key.part != NodeKey::Part::settings) continue;
        auto settings = settings_of(entry.value);
        if (settings) {
            nodes.nodes_[std::string(key.node)].settings = std::move(*settings);
        } else {
            log_unreadable(account, entry.key, settings.error());
        }
    }
    for (const MapEntry& entry : entries) {
        const NodeKey key = node_key(entry.key);
        const auto found = nodes.nodes_.find(key.node);
        if (key.part != NodeKey::Part::tally || found == nodes.nodes_.end()) continue;
        auto tally = tally_of(entry.value);
        if (tally) {
            nodes.bytes_ += tally->bytes;
            found->second.tally = std::move(*tally);
        } else {
            log_unreadable(account, entry.key, tally.error());
        }
    }
}

const Node* AccountNodes::find(std::string_view name) const {
    const auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
}

// ---- one after the other ----

bool AccountNodes::enqueue(Account& account, std::function<void(AccountNodes&)> task) {
    AccountNodes& nodes = account.slots.make(slot, account);
    if (nodes.waiting_.size() >= waiting_limit) return false;
    account.begin_question();
    nodes.waiting_.push_back(std::move(task));
    if (nodes.state_ == State::idle) nodes.run();
    return true;
}

void AccountNodes::run() {
    while (!waiting_.empty()) {
        const auto task = std::move(waiting_.front());
        waiting_.pop_front();
        state_ = State::starting;
        task(*this);
        if (state_ == State::starting) {
            state_ = State::waiting;
            return;
        }
    }
    state_ = State::idle;
    if (nodes_.empty()) account_.slots.drop(slot);
}

void AccountNodes::done() {
    Account& account = account_;
    if (state_ == State::starting) {
        state_ = State::ended;
    } else {
        state_ = State::idle;
        run();
    }
    account.end_question();
}

// ---- changes ----

void AccountNodes::set(const std::string& name, Node node) {
    Node& known = nodes_[name];
    bytes_ = bytes_ - known.tally.bytes + node.tally.bytes;
    known = std::move(node);
}

void AccountNodes::store(Batch batch, const std::string& name, const Node& node, bool with_settings,
                         std::function<void(bool)> then) {
    const std::string_view owner = account_.jid().bare();
    if (with_settings) {
        batch.map_set(node_store, owner, settings_key(name), text_of(node.settings));
    }
    batch.map_set(node_store, owner, tally_key(name), text_of(node.tally));
    hub().shared.store.commit(std::move(batch), hub().shard,
                              [this, name, node, then = std::move(then)](const Outcome& stored) {
                                  if (stored) {
                                      account_.stored_anew();
                                      set(name, node);
                                  }
                                  then(stored.ok());
                              });
}

void AccountNodes::told(const std::string& name, Moment moment) {
    const auto found = nodes_.find(name);
    if (found != nodes_.end()) found->second.last_told = moment;
}

void AccountNodes::erase(Batch batch, const std::string& name, std::function<void(bool)> then) {
    batch.map_erase(node_store, account_.jid().bare(), settings_key(name));
    batch.map_erase(node_store, account_.jid().bare(), tally_key(name));
    hub().shared.store.commit(std::move(batch), hub().shard,
                              [this, name, then = std::move(then)](const Outcome& stored) {
                                  if (stored) account_.stored_anew();
                                  if (const Node* node = find(name); stored && node != nullptr) {
                                      bytes_ -= node->tally.bytes;
                                      nodes_.erase(name);
                                  }
                                  then(stored.ok());
                              });
}

// ---- items ----

void AccountNodes::read_all(const std::string& name, Items then) {
    const Node* node = find(name);
    const auto wanted = std::make_shared<Scan>();
    wanted->prefix = item_prefix(name);
    wanted->after = wanted->prefix;
    wanted->expected = node == nullptr ? 0 : node->tally.items;
    wanted->then = std::move(then);
    if (wanted->expected == 0) {
        wanted->then(std::vector<Item>{});
    } else {
        scan(wanted);
    }
}

void AccountNodes::scan(const std::shared_ptr<Scan>& scan_now) {
    // Never more than are there: behind them stand the items of other nodes, large ones perhaps.
    const std::size_t rows =
        std::min<std::uint64_t>(rows_of_a_page, scan_now->expected - scan_now->items.size());
    const std::string owner(account_.jid().bare());
    hub().shared.store.map_scan(
        std::string(item_store), owner, scan_now->after, rows, hub().shard,
        [this, scan_now, owner, rows](Result<std::vector<MapEntry>> entries) {
            if (!entries) {
                scan_now->then(entries.error());
                return;
            }
            bool more = entries->size() == rows;
            for (MapEntry& entry : *entries) {
                if (entry.owner != owner || !entry.key.starts_with(scan_now->prefix)) {
                    more = false;
                    break;
                }
                auto item = item_of(std::string_view(entry.key).substr(scan_now->prefix.size()),
                                    entry.value);
                if (item) {
                    scan_now->items.push_back(std::move(*item));
                } else {
                    log_unreadable(account_, entry.key, item.error());
                }
                scan_now->after = std::move(entry.key);
            }
            if (more && scan_now->items.size() < scan_now->expected) {
                scan(scan_now);
                return;
            }
            std::ranges::sort(scan_now->items, std::greater{}, &Item::number);
            scan_now->then(std::move(scan_now->items));
        });
}

void AccountNodes::read(const std::string& name, std::vector<std::string> ids, Items then) {
    struct Reading {
        std::vector<std::optional<Item>> found;
        std::size_t open = 0;
        Outcome failure = {};
        Items then;
    };
    const auto reading = std::make_shared<Reading>();
    reading->found.resize(ids.size());
    reading->open = ids.size();
    reading->then = std::move(then);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        hub().shared.store.map_get(
            std::string(item_store), std::string(account_.jid().bare()), item_key(name, ids[i]),
            hub().shard,
            [this, reading, i, id = ids[i]](const Result<std::optional<std::string>>& value) {
                if (!value) {
                    reading->failure = value.error();
                } else if (value->has_value()) {
                    auto item = item_of(id, **value);
                    if (item) {
                        reading->found[i] = std::move(*item);
                    } else {
                        log_unreadable(account_, id, item.error());
                    }
                }
                if (--reading->open > 0) return;
                if (!reading->failure.ok()) {
                    reading->then(reading->failure);
                    return;
                }
                std::vector<Item> items;
                for (auto& item : reading->found) {
                    if (item) items.push_back(std::move(*item));
                }
                reading->then(std::move(items));
            });
    }
}

}  // namespace causeway::personal_events
