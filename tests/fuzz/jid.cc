// Fuzz target: addresses. Besides not crashing: what is accepted is in normal form, is taken apart
// and put together again to the same, stays within its limits, and has a form for DNS.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/unicode.h"

using causeway::Jid;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check_jid(const Jid& jid) {
    const auto again = Jid::parse(jid.full());
    require(again.ok() && *again == jid);
    require(again->local() == jid.local() && again->domain() == jid.domain() &&
            again->resource() == jid.resource());
    const auto made = Jid::make(jid.local(), jid.domain(), jid.resource());
    require(made.ok() && *made == jid);
    require(jid.local().size() <= Jid::max_part && jid.resource().size() <= Jid::max_part);
    require(!jid.domain().empty() && jid.full().size() <= Jid::max_size);
    require(jid.bare_jid().full() == jid.bare());
    require(jid.bare_jid().with_resource(jid.resource()) == jid);
    require(jid.full().find('\0') == std::string_view::npos);
    require(causeway::unicode::decode(jid.full()).ok());
}

void check_domain(std::string_view domain) {
    const std::string ascii = causeway::domain_to_ascii(domain);
    require(!ascii.empty() && ascii.size() <= 253);
    for (const char c : ascii) require(static_cast<unsigned char>(c) < 0x80);
    const auto back = causeway::prepare_domain(ascii);
    require(back.ok() && *back == domain);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto jid = Jid::parse(text)) {
        check_jid(*jid);
        check_domain(jid->domain());
    }
    if (const auto local = causeway::prepare_local(text)) {
        const auto again = causeway::prepare_local(*local);
        require(again.ok() && *again == *local);
        check_jid(Jid::trusted(*local, "example.com"));
    }
    if (const auto domain = causeway::prepare_domain(text)) check_domain(*domain);
    if (const auto resource = causeway::prepare_resource(text)) {
        const auto again = causeway::prepare_resource(*resource);
        require(again.ok() && *again == *resource);
        check_jid(Jid::trusted("", "example.com", *resource));
    }
    return 0;
}
