// Tables, sheets and sentences; see views.h.
#include "tools/ctl/views.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "tools/ctl/template.h"
#include "tools/ctl/text.h"

namespace causeway::ctl {

namespace json = boost::json;

namespace {

std::string table(const Verb& verb, const json::array& rows, std::int64_t now) {
    if (rows.empty()) {
        return harmless(verb.empty.empty() ? "nothing to show" : verb.empty) + "\n";
    }
    std::vector<Table::Column> headings;
    for (const Line& field : verb.fields) {
        headings.push_back({field.title, is_number(field.text)});
    }
    Table lines(std::move(headings));
    for (const json::value& row : rows) {
        std::vector<std::string> cells;
        for (const Line& field : verb.fields) {
            cells.push_back(fill(field.text, row, now));
        }
        lines.add(std::move(cells));
    }
    return lines.render();
}

bool is_template(const std::string& title) { return title.find('{') != std::string::npos; }

class SheetView {
public:
    SheetView(const Verb& verb, const json::value& result, std::int64_t now)
        : fields_(verb.fields), result_(result), now_(now) {}

    std::string render() {
        for (std::size_t i = 0; i < fields_.size();) {
            std::size_t end = i + 1;
            while (!fields_[i].each.empty() && end < fields_.size() &&
                   fields_[end].each == fields_[i].each) {
                ++end;
            }
            group(i, end);
            i = end;
        }
        return sheet_.render();
    }

private:
    /// The lines of one array, or a line that is of none.
    void group(std::size_t begin, std::size_t end) {
        const Line& first = fields_[begin];
        if (first.each.empty()) {
            line(first, first.title, result_);
            return;
        }
        const json::value* value = member(result_, first.each);
        const json::array* elements = value == nullptr ? nullptr : value->if_array();
        // Under one title stand all elements of the array, if the answer has it.
        const bool titled = end - begin == 1 && !is_template(first.title);
        if (elements == nullptr) return;
        if (elements->empty()) {
            if (titled) {
                sheet_.add(first.title, "-");
            }
            return;
        }
        for (const json::value& element : *elements) {
            for (std::size_t i = begin; i < end; ++i) {
                const bool again = titled && &element != &elements->front();
                line(fields_[i], again ? std::string() : fields_[i].title, element);
            }
        }
    }

    void line(const Line& field, const std::string& title, const json::value& of) {
        if (field.when.empty() || says_something(member(of, field.when))) {
            sheet_.add(is_template(title) ? fill(title, of, now_) : title,
                       fill(field.text, of, now_));
        }
    }

    const std::vector<Line>& fields_;
    const json::value& result_;
    const std::int64_t now_;
    Sheet sheet_;
};

/// The rows of a list, or those that are a member of the result; nullptr: it is no table.
const json::array* rows_of(const Verb& verb, const json::value& result, const json::array& rows) {
    if (verb.is_list) {
        return &rows;
    }
    const json::value* value = verb.rows.empty() ? nullptr : member(result, verb.rows);
    return value == nullptr ? nullptr : value->if_array();
}

}  // namespace

std::string view(const Verb& verb, const json::value& result, const json::array& rows,
                 std::int64_t now) {
    const json::value* own_time = member(result, "now");
    if (own_time != nullptr && own_time->is_int64()) {
        now = own_time->get_int64();
    }
    const json::array* listed = rows_of(verb, result, rows);
    if (!verb.fields.empty()) {
        return listed != nullptr ? table(verb, *listed, now)
                                 : SheetView(verb, result, now).render();
    }
    if (!verb.sentence.empty()) {
        return harmless(fill(verb.sentence, result, now)) + "\n";
    }
    return json::serialize(listed != nullptr ? json::value(*listed) : result) + "\n";
}

}  // namespace causeway::ctl
