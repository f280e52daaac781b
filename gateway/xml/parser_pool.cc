#include <utility>

#include "gateway/xml/parser.h"

namespace causeway {

std::unique_ptr<XmlStreamParser> ParserPool::take(const std::string& context) {
    for (auto& parser : parsers_) {
        if (parser->context() != context) continue;
        std::swap(parser, parsers_.back());
        auto taken = std::move(parsers_.back());
        parsers_.pop_back();
        return taken;
    }
    return XmlStreamParser::from_context(context);
}

void ParserPool::give_back(std::unique_ptr<XmlStreamParser> parser) {
    if (!parser->idle() || parser->heap() > heap_limit) return;
    if (parsers_.size() == capacity) parsers_.erase(parsers_.begin());
    parsers_.push_back(std::move(parser));
}

std::shared_ptr<const std::string> ParserPool::intern(const std::string& context) {
    if (contexts_.size() >= contexts_swept) {
        std::erase_if(contexts_, [](const auto& entry) { return entry.second.expired(); });
    }
    auto& known = contexts_[context];
    auto shared = known.lock();
    if (shared == nullptr) known = shared = std::make_shared<const std::string>(context);
    return shared;
}

}  // namespace causeway
