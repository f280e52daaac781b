// A question to an archive (XEP-0313 §4), as it is read from the client's request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/route/router.h"
#include "gateway/store/archive.h"
#include "gateway/xml/element.h"
#include "gateway/xmpp/errors.h"

namespace causeway::archive {

/// XEP-0313 §4.1.5: whether messages of rooms are wanted as well.
inline constexpr std::string_view groupchat_field = "include-groupchat";

struct Question {
    explicit Question(IqReturn to) : back(std::move(to)) {}

    IqReturn back;
    std::string query_id;
    ArchiveQuery query;
    /// Ids that the question names: an archive without them cannot answer it.
    std::vector<std::uint64_t> anchors;
    bool flip = false;
};

/// Why a question has no answer.
struct Refusal {
    StanzaCondition condition = StanzaCondition::bad_request;
    std::string text;
};

/// The answer where an id that is asked for is not in the archive.
Refusal not_found();

/// Fills `question` from `<query/>`; its query has its owner already.
std::optional<Refusal> read_question(Question& question, const Element& element, Arena& arena);

/// A query for the messages that the question names; its answer may take several pages.
ArchiveQuery anchors_of(const Question& question);

/// `<result/>` with one message (XEP-0313 §5.1).
std::string result_of(const Question& question, const ArchiveRow& row);
/// `<fin/>` of a page whose messages were sent (§4.2).
std::string fin_of(const Question& question, const ArchivePage& page);

}  // namespace causeway::archive
