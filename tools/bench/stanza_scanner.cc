// Depth counting over raw XML.
#include "tools/bench/stanza_scanner.h"

#include <algorithm>
#include <utility>

namespace causeway::bench {
namespace {

constexpr std::string_view section_open = "<![CDATA[";
constexpr std::string_view section_close = "]]>";

}  // namespace

bool StanzaScanner::scan(std::string_view bytes, StanzaSink& sink) {
    restarted_ = false;
    // Taken out of the member, since a restart from inside the sink clears it.
    std::string joined = std::exchange(held_, {});
    std::string_view data = bytes;
    if (!joined.empty()) {
        joined.append(bytes);
        data = joined;
    }
    for (;;) {
        if (place_ == Place::text && position_ == 0) {
            // Between elements: white space, which servers send to keep connections alive.
            data.remove_prefix(std::min(data.find('<'), data.size()));
        }
        switch (advance(data)) {
            case Found::broken: return false;
            case Found::nothing: held_.assign(data); return held_.size() <= max_stanza_bytes;
            case Found::tag_end:
                if (finish_tag(data, sink)) {
                    if (restarted_) {
                        return true;
                    }
                    data.remove_prefix(position_);
                    position_ = 0;
                }
                if (depth_ < 0) {
                    return false;
                }
                break;
        }
    }
}

void StanzaScanner::restart() {
    held_.clear();
    position_ = 0;
    tag_start_ = 0;
    depth_ = 0;
    place_ = Place::text;
    restarted_ = true;
}

StanzaScanner::Found StanzaScanner::advance(std::string_view data) {
    while (position_ < data.size()) {
        switch (place_) {
            case Place::text: {
                position_ = std::min(data.find('<', position_), data.size());
                if (position_ == data.size()) {
                    return Found::nothing;
                }
                if (!enter_markup(data)) {
                    return Found::nothing;
                }
                break;
            }
            case Place::tag: {
                const char byte = data[position_++];
                if (byte == '>') {
                    place_ = Place::text;
                    return Found::tag_end;
                }
                if (byte == '\'' || byte == '"') {
                    quote_ = byte;
                    place_ = Place::quoted;
                } else if (byte == '<') {
                    return Found::broken;
                }
                break;
            }
            case Place::quoted: {
                const std::size_t end = data.find(quote_, position_);
                position_ = end == std::string_view::npos ? data.size() : end + 1;
                place_ = end == std::string_view::npos ? Place::quoted : Place::tag;
                break;
            }
            case Place::section: {
                const std::size_t end = data.find(section_close, position_);
                if (end == std::string_view::npos) {
                    return Found::nothing;
                }
                position_ = end + section_close.size();
                place_ = Place::text;
                break;
            }
        }
    }
    return Found::nothing;
}

bool StanzaScanner::enter_markup(std::string_view data) {
    const std::string_view start = data.substr(position_, section_open.size());
    if (start == section_open) {
        position_ += section_open.size();
        place_ = Place::section;
        return true;
    }
    if (start == section_open.substr(0, start.size())) {
        return false;  // too short to tell; looked at again with more data
    }
    tag_start_ = position_++;
    place_ = Place::tag;
    return true;
}

bool StanzaScanner::finish_tag(std::string_view data, StanzaSink& sink) {
    const std::string_view tag = data.substr(tag_start_, position_ - tag_start_);
    const bool closing = tag.starts_with("</");
    const bool empty = tag.ends_with("/>");
    if (tag.starts_with("<?")) {
        return depth_ <= 1;  // the XML declaration
    }
    if (depth_ == 0) {
        depth_ = closing || empty ? -1 : 1;  // only a stream header may come first
        if (depth_ == 1) {
            sink.on_stream_open(tag);
        }
        return true;
    }
    if (!closing && !empty) {
        ++depth_;
        return false;
    }
    depth_ -= closing ? 1 : 0;
    if (depth_ == 1) {
        sink.on_element(data.substr(0, position_));
        return true;
    }
    if (depth_ == 0) {
        sink.on_stream_close();
        return true;
    }
    return false;
}

}  // namespace causeway::bench
