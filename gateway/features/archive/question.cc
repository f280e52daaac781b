#include "gateway/features/archive/question.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/base/clock.h"
#include "gateway/base/escape.h"
#include "gateway/features/archive/archive.h"
#include "gateway/store/ids.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"
#include "gateway/xmpp/data_form.h"
#include "gateway/xmpp/packet.h"
#include "gateway/xmpp/result_set.h"

namespace causeway::archive {
namespace {

constexpr std::size_t usual_page = 100;
constexpr std::size_t largest_page = 250;
constexpr std::size_t page_bytes = 256U << 10U;
constexpr std::size_t most_ids = largest_page;
/// More are not counted: a client that asks for one page must not pay for the whole archive.
constexpr std::size_t count_up_to = 10'000;
constexpr std::size_t longest_query_id = 256;

/// XML Schema's boolean, as data forms have it.
bool is_boolean(std::string_view text) {
    return text == "true" || text == "false" || text == "1" || text == "0";
}

/// The lowest id that a message of that moment or later can have.
std::uint64_t first_id_of(UnixMillis at) {
    constexpr auto latest = static_cast<UnixMillis>(time_of_id(ArchiveQuery::last));
    return id_distance(Duration{std::clamp<UnixMillis>(at, 0, latest)});
}

class QuestionReader {
public:
    explicit QuestionReader(Question& question) : question_(question) {}

    std::optional<Refusal> read(const Element& element, Arena& arena) {
        if (element.has_attribute("node")) {
            return Refusal{StanzaCondition::item_not_found, "An account's archive has no nodes."};
        }
        question_.query_id = std::string(element.attribute("queryid"));
        if (question_.query_id.size() > longest_query_id) {
            return Refusal{
                .text = fmt::format("The queryid is longer than {} bytes.", longest_query_id)};
        }
        question_.flip = element.child(ns::archive, "flip-page") != nullptr;
        if (const Element* form = element.child(ns::data_forms, "x")) {
            const auto fields = read_form(*form, ns::archive, arena, most_ids);
            if (!fields) return Refusal{.text = fields.error().why()};
            for (const auto& [name, values] : *fields) {
                if (auto refusal = read_field(name, values)) return refusal;
            }
        }
        auto page = read_result_set(element, arena);
        if (!page) return Refusal{.text = page.error().why()};
        // profanity (0.13) names the end of its last page beside the form, not in a <set/>; without
        // that it would be told the same page again and show it twice.
        const Element* after = element.child(ns::archive, "after");
        if (after != nullptr && element.child(ns::result_set, "set") == nullptr) {
            page->after = std::string(after->text(arena));
        }
        return read_page(*page);
    }

private:
    std::optional<Refusal> read_field(std::string_view name,
                                      const std::vector<std::string>& values) {
        if (name == "ids") return read_ids(values);
        if (values.size() != 1) {
            return Refusal{.text = fmt::format("The field \"{}\" needs one value.", name)};
        }
        const std::string& value = values.front();
        ArchiveQuery& query = question_.query;
        if (name == "with") return read_with(value);
        if (name == "start" || name == "end") {
            const auto at = parse_date_time(value);
            if (!at) {
                return Refusal{
                    .text = fmt::format("\"{}\" is no date such as 2026-01-31T12:00:00Z.", name)};
            }
            if (name == "end") {
                query.below = std::min(query.below, first_id_of(*at + 1));
            } else if (const std::uint64_t first = first_id_of(*at); first > 0) {
                query.above = std::max(query.above, first - 1);
            }
            return {};
        }
        if (name == "after-id" || name == "before-id") {
            const std::uint64_t id = anchor(value);
            if (id == 0) return not_found();
            if (name == "after-id") query.above = std::max(query.above, id);
            if (name == "before-id") query.below = std::min(query.below, id);
            return {};
        }
        if (name == groupchat_field) {
            // What a room says is in no account's archive: both answers are the same.
            if (is_boolean(value)) return {};
            return Refusal{.text = fmt::format("\"{}\" is neither true nor false.", name)};
        }
        return Refusal{StanzaCondition::feature_not_implemented,
                       fmt::format("The field \"{}\" is not known here.", cut_text(name, 80))};
    }

    std::optional<Refusal> read_with(const std::string& value) {
        const auto with = Jid::parse(value);
        if (!with) return Refusal{.text = "\"with\" is no address."};
        question_.query.with = std::string(with->bare());
        if (with->has_resource()) question_.query.resource = std::string(with->resource());
        return {};
    }

    std::optional<Refusal> read_ids(const std::vector<std::string>& values) {
        if (values.empty() || values.size() > most_ids) {
            return Refusal{.text = fmt::format("\"ids\" needs 1 to {} values.", most_ids)};
        }
        for (const std::string& value : values) {
            const std::uint64_t id = id_of(value);
            if (id == 0) return not_found();
            question_.query.ids.push_back(id);
        }
        auto& ids = question_.query.ids;
        std::ranges::sort(ids);
        ids.erase(std::ranges::unique(ids).begin(), ids.end());
        // Each must be there, whichever of them the page or another field leaves out.
        question_.anchors.insert(question_.anchors.end(), ids.begin(), ids.end());
        return {};
    }

    std::optional<Refusal> read_page(const ResultSetRequest& page) {
        ArchiveQuery& query = question_.query;
        query.rows = std::min<std::size_t>(page.max.value_or(usual_page), largest_page);
        if (!query.ids.empty() && !page.max) query.rows = largest_page;
        query.bytes = page_bytes;
        query.count_up_to = count_up_to;
        query.from_end = page.before.has_value();
        if (page.after) {
            query.after = anchor(*page.after);
            if (query.after == 0) return not_found();
        }
        if (page.before && !page.before->empty()) {
            query.before = anchor(*page.before);
            if (query.before == 0) return not_found();
        }
        return {};
    }

    std::uint64_t anchor(std::string_view text) {
        const std::uint64_t id = id_of(text);
        if (id != 0) question_.anchors.push_back(id);
        return id;
    }

    Question& question_;
};

}  // namespace

Refusal not_found() {
    return {StanzaCondition::item_not_found, "No message with that id is in the archive."};
}

std::optional<Refusal> read_question(Question& question, const Element& element, Arena& arena) {
    return QuestionReader(question).read(element, arena);
}

ArchiveQuery anchors_of(const Question& question) {
    ArchiveQuery query{.owner = question.query.owner};
    query.ids = question.anchors;
    std::ranges::sort(query.ids);
    query.ids.erase(std::ranges::unique(query.ids).begin(), query.ids.end());
    query.rows = query.ids.size();
    query.bytes = page_bytes;
    return query;
}

std::string result_of(const Question& question, const ArchiveRow& row) {
    return XmlBuilder()
        .open("result", ns::archive)
        .attribute_if("queryid", question.query_id)
        .attribute("id", text_of(row.id))
        .open("forwarded", ns::forward)
        .open("delay", ns::delay)
        .attribute("stamp", format_date_time_exactly(time_of_id(row.id)))
        .close()
        .raw(Packet::forwarded(row.body))
        .take();
}

std::string fin_of(const Question& question, const ArchivePage& page) {
    ResultSetPage set{.first = {}, .last = {}, .index = page.index, .count = page.count};
    // slixmpp (1.8) takes a page that reaches the end for the last one, also where it pages
    // backwards and that is the first. XEP-0059 §2.6 leaves it to us.
    if (question.query.from_end) set.index.reset();
    if (!page.rows.empty()) {
        set.first = text_of(page.rows.front().id);
        set.last = text_of(page.rows.back().id);
    }
    XmlBuilder xml;
    xml.open("fin", ns::archive);
    if (page.complete) xml.attribute("complete", "true");
    append_result_set(xml, set);
    return xml.take();
}

}  // namespace causeway::archive
