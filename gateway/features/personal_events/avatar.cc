#include "gateway/features/personal_events/avatar.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/features/personal_events/service.h"
#include "gateway/session/account.h"
#include "gateway/xml/builder.h"

namespace causeway::personal_events {
namespace {

constexpr std::string_view data_node = "urn:xmpp:avatar:data";
constexpr std::string_view metadata_node = "urn:xmpp:avatar:metadata";

/// §4.2: an avatar is known by the hash of its bytes.
std::string id_of(const std::string& picture) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(picture.data(), picture.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return hex_encode({reinterpret_cast<const char*>(digest.data()), size});
}

struct Info {
    std::string id, type;
};

/// What the metadata says of the first picture that it names.
std::optional<Info> info_in(const std::string& metadata) {
    std::optional<Info> found;
    static_cast<void>(Packet::visit_bytes(
        fmt::format("<iq type='set' id='x'>{}</iq>", metadata), [&](Stanza& stanza) {
            const Element* info = stanza.payload()->child(metadata_node, "info");
            if (info == nullptr) return;
            found = Info{std::string(info->attribute("id")), std::string(info->attribute("type"))};
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
    xml.open("metadata", metadata_node);
    if (bytes > 0) {
        xml.open("info")
            .attribute("bytes", std::to_string(bytes))
            .attribute("id", id)
            .attribute("type", avatar.type);
    }
    publish_for(account, {std::string(metadata_node), id, xml.take()}, {}, std::move(done));
}

}  // namespace

void publish_avatar(Account& account, const Avatar& avatar,
                    std::function<void(const Outcome&)> done) {
    const auto picture = base64_decode(avatar.base64);
    if (!picture) {
        done(Outcome::malformed("the picture is no base64"));
        return;
    }
    read_for(account, std::string(metadata_node), {},
             [&account, avatar, picture = *picture,
              done = std::move(done)](const std::optional<OwnItem>& newest) {
                 const std::string id = id_of(picture);
                 const auto info = newest ? info_in(newest->payload) : std::nullopt;
                 const bool same = picture.empty() ? !info : info && info->id == id;
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
                     {std::string(data_node), id,
                      XmlBuilder().element("data", avatar.base64, data_node).take()},
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

void read_avatar(Account& account, std::function<void(const std::optional<Avatar>&)> done) {
    read_for(account, std::string(metadata_node), {},
             [&account, done = std::move(done)](const std::optional<OwnItem>& newest) {
                 const auto info = newest ? info_in(newest->payload) : std::nullopt;
                 if (!info || info->id.empty()) {
                     done(std::nullopt);
                     return;
                 }
                 read_for(account, std::string(data_node), info->id,
                          [done, type = info->type](const std::optional<OwnItem>& data) {
                              if (data) {
                                  done(Avatar{type, text_in(data->payload)});
                              } else {
                                  done(std::nullopt);
                              }
                          });
             });
}

}  // namespace causeway::personal_events
