#include "gateway/features/channel_binding.h"

#include <utility>

#include "gateway/net/tls_engine.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::channel_binding {
namespace {

const TlsEngine* bindable_tls(const Channel& channel) {
    return channel.framed() ? nullptr : channel.tls();
}

}  // namespace

bool possible(const Channel& channel) { return bindable_tls(channel) != nullptr; }

ChannelBindings announced(const Channel& channel) {
    ChannelBindings bindings;
    const TlsEngine* tls = bindable_tls(channel);
    if (tls == nullptr) return bindings;
    if (std::string data = tls->exporter_binding(); !data.empty()) {
        bindings.emplace("tls-exporter", std::move(data));
    }
    if (std::string data = tls->server_end_point_binding(); !data.empty()) {
        bindings.emplace("tls-server-end-point", std::move(data));
    }
    return bindings;
}

ChannelBindings accepted(const Channel& channel) {
    ChannelBindings bindings = announced(channel);
    if (const TlsEngine* tls = bindable_tls(channel)) {
        bindings.emplace("tls-unique", tls->unique_binding());
    }
    return bindings;
}

void announce(const Channel& channel, std::string& out) {
    XmlBuilder types;
    types.open("sasl-channel-binding", ns::channel_binding);
    for (const auto& [type, data] : announced(channel)) {
        types.open("channel-binding").attribute("type", type).close();
    }
    out += types.take();
}

}  // namespace causeway::channel_binding
