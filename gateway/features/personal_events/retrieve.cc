// XEP-0060 §6.5: items are read. All of a node come newest first, as many as an answer holds.
#include <algorithm>
#include <utility>

#include "gateway/features/personal_events/notify.h"
#include "gateway/features/personal_events/operations.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

/// What an answer holds at most; it must fit into a stanza for another server.
constexpr std::size_t answer_bytes = 200'000;

/// Part of a list, from `begin` on up to `end`.
struct Range {
    std::size_t begin = 0, end = 0;
};

/// XEP-0059: which of the items are meant; nullopt: what the page is to start from is not there.
std::optional<Range> range_of(const std::vector<Item>& items, const Request& request) {
    Range range{0, items.size()};
    const auto place = [&](const std::string& id) {
        return static_cast<std::size_t>(std::ranges::find(items, id, &Item::id) - items.begin());
    };
    const ResultSetRequest& page = request.page;
    if (page.after) {
        range.begin = place(*page.after) + 1;
        if (range.begin > items.size()) return std::nullopt;
    }
    if (page.before && !page.before->empty()) {
        const std::size_t at = place(*page.before);
        if (at == items.size()) return std::nullopt;
        range.end = std::min(range.end, at);
    }
    range.begin = std::min(range.begin, range.end);
    if (page.max && range.end - range.begin > *page.max) {
        if (page.before) {
            range.begin = range.end - *page.max;
        } else {
            range.end = range.begin + *page.max;
        }
    }
    // What does not fit is cut off at the far end.
    std::size_t bytes = 0;
    const auto fits = [&](const Item& item) {
        bytes += item.bytes() + 64;
        return bytes <= answer_bytes;
    };
    if (page.before) {
        std::size_t begin = range.end;
        while (begin > range.begin && (fits(items[begin - 1]) || begin == range.end)) --begin;
        range.begin = begin;
    } else {
        std::size_t end = range.begin;
        while (end < range.end && (fits(items[end]) || end == range.begin)) ++end;
        range.end = end;
    }
    return range;
}

std::string answer_of(const AccountNodes& nodes, const Request& request,
                      const std::vector<Item>& items, Range range) {
    const Node* node = nodes.find(request.node);
    XmlBuilder xml;
    xml.open("pubsub", ns::pubsub).open("items").attribute("node", request.node);
    for (std::size_t i = range.begin; i < range.end; ++i) {
        append_item(xml, items[i], publisher_of(nodes, node->config(), items[i]), true);
    }
    xml.close();
    if (request.paged || range.end - range.begin < items.size()) {
        ResultSetPage page{.first = {}, .last = {}, .index = {}, .count = items.size()};
        if (range.begin < range.end) {
            page.first = items[range.begin].id;
            page.last = items[range.end - 1].id;
            // Some libraries that go backwards take the page that ends the list for the last one.
            if (!request.page.before) page.index = range.begin;
        }
        append_result_set(xml, page);
    }
    return xml.take();
}

void tell_all(AccountNodes& nodes, const RequestRef& request) {
    nodes.read_all(request->node, [&nodes, request](Result<std::vector<Item>> items) {
        if (!items) {
            end_failed(nodes, *request);
            return;
        }
        drop_passed(nodes, request->node, *items);
        // §6.5.7: the newest ones are what is paged through, and what is counted.
        if (request->most && items->size() > *request->most) items->resize(*request->most);
        const auto range = range_of(*items, *request);
        if (range) {
            end_answered(nodes, *request, answer_of(nodes, *request, *items, *range));
        } else {
            end_refused(
                nodes, *request,
                {.condition = StanzaCondition::item_not_found, .text = "There is no such item."});
        }
    });
}

void tell_some(AccountNodes& nodes, const RequestRef& request) {
    nodes.read(request->node, request->ids, [&nodes, request](Result<std::vector<Item>> items) {
        if (!items) {
            end_failed(nodes, *request);
            return;
        }
        drop_passed(nodes, request->node, *items);
        std::size_t bytes = 0;
        for (const Item& item : *items) bytes += item.bytes();
        if (bytes > answer_bytes && items->size() > 1) {
            end_refused(nodes, *request,
                        {.condition = StanzaCondition::policy_violation,
                         .text = "So many items do not fit into one answer; ask for fewer."});
            return;
        }
        // §6.5.9: an empty list says that none of them is there.
        end_answered(nodes, *request, answer_of(nodes, *request, *items, {0, items->size()}));
    });
}

}  // namespace

void answer_items(AccountNodes& nodes, const RequestRef& request) {
    const Node* node = permitted(nodes, *request, Act::retrieve);
    if (node == nullptr) return;
    if (!node->config().persist_items) {
        end_refused(nodes, *request, not_persistent());
        return;
    }
    if (request->ids.empty()) {
        tell_all(nodes, request);
    } else {
        tell_some(nodes, request);
    }
}

}  // namespace causeway::personal_events
