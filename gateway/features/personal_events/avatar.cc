#include "gateway/features/personal_events/avatar.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"
#include "gateway/xml/ns.h"

namespace causeway::personal_events {
namespace {

/// §4.2: an avatar is known by the hash of its bytes.
std::string id_of(const std::string& picture) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(picture.data(), picture.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return hex_encode({reinterpret_cast<const char*>(digest.data()), size});
}

struct Info {
    enum class Kind : unsigned char {
        none,       ///< the account has no avatar
        elsewhere,  ///< at a URL, or with another service
        here,
    };
    Kind kind = Kind::none;
    std::string id = {}, type = {};

    /// The id may stand in capitals, as RFC 4648 §8 writes it.
    [[nodiscard]] bool is(const std::string& hash) const { return ascii_lower(id) == hash; }
};

/// What the metadata says of the first picture that it names and that is kept here.
Info info_in(const std::string& metadata) {
    Info found;
    static_cast<void>(Packet::visit_bytes(
        fmt::format("<iq type='set' id='x'>{}</iq>", metadata), [&](Stanza& stanza) {
            for (const Element* info = stanza.payload()->first_element(); info != nullptr;
                 info = info->next_element()) {
                // Earlier versions of XEP-0084 had <stop/> for an empty element.
                if (!info->is(ns::avatar_metadata, "stop")) found.kind = Info::Kind::elsewhere;
                if (!info->is(ns::avatar_metadata, "info") || info->has_attribute("url")) continue;
                found = {Info::Kind::here, std::string(info->attribute("id")),
                         std::string(info->attribute("type"))};
                return;
            }
        }));
    return found;
}

std::string text_in(const std::string& data) {
    std::string text;
    static_cast<void>(
        Packet::visit_bytes(fmt::format("<iq type='set' id='x'>{}</iq>", data),
                            [&](Stanza& stanza) { text = stanza.payload()->text(stanza.arena); }));
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    return text;
}

void publish_metadata(Account& account, const std::string& id, const Avatar& avatar,
                      std::size_t bytes, std::function<void(const Outcome&)> done) {
    XmlBuilder xml;
    xml.open("metadata", ns::avatar_metadata);
    if (bytes > 0) {
        xml.open("info")
            .attribute("bytes", std::to_string(bytes))
            .attribute("id", id)
            .attribute("type", avatar.type);
    }
    publish_for(account, {std::string(ns::avatar_metadata), id, xml.take()}, {}, std::move(done));
}

/// What `data` holds, if it is the picture of `info`.
Result<Avatar> avatar_of(const Info& info, const std::string& data) {
    const auto picture = base64_decode(text_in(data));
    if (!picture || picture->empty()) return Outcome::malformed("the picture is no base64");
    if (!info.is(id_of(*picture))) {
        return Outcome::malformed("the picture is another one than the metadata names");
    }
    std::string type = info.type;
    if (!type.starts_with("image/")) type = std::string(type_of_picture(*picture));
    if (type.empty()) return Outcome::malformed("it is not said what kind of picture it is");
    return Avatar{std::move(type), base64_encode(*picture)};
}

}  // namespace

std::string_view type_of_picture(std::string_view bytes) {
    if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
    if (bytes.starts_with("\xff\xd8\xff")) return "image/jpeg";
    if (bytes.starts_with("GIF8")) return "image/gif";
    if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
    return {};
}

void publish_avatar(Account& account, const Avatar& avatar,
                    std::function<void(const Outcome&)> done) {
    const auto picture = base64_decode(avatar.base64);
    if (!picture) {
        done(Outcome::malformed("the picture is no base64"));
        return;
    }
    read_for(account, std::string(ns::avatar_metadata), {},
             [&account, avatar, picture = *picture,
              done = std::move(done)](const Result<OwnItem>& newest) {
                 if (!newest && newest.error().cause() != Cause::absent) {
                     done(newest.error());
                     return;
                 }
                 const std::string id = id_of(picture);
                 const Info info = newest ? info_in(newest->payload) : Info{};
                 const bool same = picture.empty() ? info.kind == Info::Kind::none
                                                   : info.kind == Info::Kind::here && info.is(id);
                 if (same) {
                     done({});
                     return;
                 }
                 if (picture.empty()) {
                     publish_metadata(account, id, avatar, 0, done);
                     return;
                 }
                 publish_for(
                     account,
                     {std::string(ns::avatar_data), id,
                      XmlBuilder().element("data", avatar.base64, ns::avatar_data).take()},
                     {},
                     [&account, avatar, id, bytes = picture.size(), done](const Outcome& outcome) {
                         if (outcome) {
                             publish_metadata(account, id, avatar, bytes, done);
                         } else {
                             done(outcome);
                         }
                     });
             });
}

void withdraw_avatar(Account& account, const Avatar& avatar,
                     std::function<void(const Outcome&)> done) {
    const std::string id = id_of(base64_decode(avatar.base64).value_or(std::string{}));
    read_for(account, std::string(ns::avatar_metadata), {},
             [&account, id, done = std::move(done)](const Result<OwnItem>& newest) {
                 if (newest && info_in(newest->payload).is(id)) {
                     publish_metadata(account, {}, {}, 0, done);
                 } else {
                     const bool read = newest || newest.error().cause() == Cause::absent;
                     done(read ? Outcome{} : newest.error());
                 }
             });
}

void read_avatar(Account& account, std::function<void(const Result<Avatar>&)> done) {
    read_for(account, std::string(ns::avatar_metadata), {},
             [&account, done = std::move(done)](const Result<OwnItem>& newest) {
                 const Info info = newest ? info_in(newest->payload) : Info{};
                 if (!newest) {
                     done(newest.error());
                 } else if (info.kind == Info::Kind::none) {
                     done(Avatar{});
                 } else if (info.kind == Info::Kind::elsewhere || info.id.empty()) {
                     done(Outcome::malformed("the avatar is not kept here"));
                 } else {
                     read_for(account, std::string(ns::avatar_data), info.id,
                              [done, info](const Result<OwnItem>& data) {
                                  if (data || data.error().cause() != Cause::absent) {
                                      done(data ? avatar_of(info, data->payload) : data.error());
                                  } else {
                                      done(Outcome::refused("the picture is not there"));
                                  }
                              });
                 }
             });
}

}  // namespace causeway::personal_events
