// Every XML namespace that Causeway knows, once.
#pragma once

#include <string_view>

namespace causeway::ns {

// Streams and stanzas (RFC 6120, RFC 6121, RFC 7395)
inline constexpr std::string_view xml = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view stream = "http://etherx.jabber.org/streams";
inline constexpr std::string_view client = "jabber:client";
inline constexpr std::string_view server = "jabber:server";
inline constexpr std::string_view stream_errors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr std::string_view stanza_errors = "urn:ietf:params:xml:ns:xmpp-stanzas";
inline constexpr std::string_view tls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr std::string_view sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr std::string_view bind = "urn:ietf:params:xml:ns:xmpp-bind";
inline constexpr std::string_view session = "urn:ietf:params:xml:ns:xmpp-session";
inline constexpr std::string_view framing = "urn:ietf:params:xml:ns:xmpp-framing";
inline constexpr std::string_view roster = "jabber:iq:roster";
inline constexpr std::string_view roster_versioning = "urn:xmpp:features:rosterver";
inline constexpr std::string_view pre_approval = "urn:xmpp:features:pre-approval";

// Extensions, by number
inline constexpr std::string_view data_forms = "jabber:x:data";                            // 0004
inline constexpr std::string_view last_activity = "jabber:iq:last";                        // 0012
inline constexpr std::string_view disco_info = "http://jabber.org/protocol/disco#info";    // 0030
inline constexpr std::string_view disco_items = "http://jabber.org/protocol/disco#items";  // 0030
inline constexpr std::string_view private_storage = "jabber:iq:private";                   // 0049
inline constexpr std::string_view ad_hoc = "http://jabber.org/protocol/commands";          // 0050
inline constexpr std::string_view vcard = "vcard-temp";                                    // 0054
inline constexpr std::string_view result_set = "http://jabber.org/protocol/rsm";           // 0059
inline constexpr std::string_view registration = "jabber:iq:register";                     // 0077
inline constexpr std::string_view chat_states = "http://jabber.org/protocol/chatstates";   // 0085
inline constexpr std::string_view muc_user = "http://jabber.org/protocol/muc#user";        // 0045
inline constexpr std::string_view receipts = "urn:xmpp:receipts";                          // 0184
inline constexpr std::string_view version = "jabber:iq:version";                           // 0092
inline constexpr std::string_view admin = "http://jabber.org/protocol/admin";              // 0133
inline constexpr std::string_view vcard_update = "vcard-temp:x:update";                    // 0153
inline constexpr std::string_view server_info = "http://jabber.org/network/serverinfo";    // 0157
inline constexpr std::string_view ping = "urn:xmpp:ping";                                  // 0199
inline constexpr std::string_view pubsub = "http://jabber.org/protocol/pubsub";            // 0060
inline constexpr std::string_view pubsub_errors =
    "http://jabber.org/protocol/pubsub#errors";                                              // 0060
inline constexpr std::string_view pubsub_event = "http://jabber.org/protocol/pubsub#event";  // 0060
inline constexpr std::string_view pubsub_metadata =
    "http://jabber.org/protocol/pubsub#meta-data";  // 0060
inline constexpr std::string_view pubsub_node_config =
    "http://jabber.org/protocol/pubsub#node_config";                                         // 0060
inline constexpr std::string_view pubsub_owner = "http://jabber.org/protocol/pubsub#owner";  // 0060
inline constexpr std::string_view pubsub_publish_options =
    "http://jabber.org/protocol/pubsub#publish-options";                             // 0060
inline constexpr std::string_view capabilities = "http://jabber.org/protocol/caps";  // 0115
inline constexpr std::string_view form_validation =
    "http://jabber.org/protocol/xdata-validate";                                    // 0122
inline constexpr std::string_view stream_limits = "urn:xmpp:stream-limits:0";       // 0478
inline constexpr std::string_view stream_management = "urn:xmpp:sm:3";              // 0198
inline constexpr std::string_view time = "urn:xmpp:time";                           // 0202
inline constexpr std::string_view delay = "urn:xmpp:delay";                         // 0203
inline constexpr std::string_view dialback = "jabber:server:dialback";              // 0220
inline constexpr std::string_view dialback_feature = "urn:xmpp:features:dialback";  // 0220
inline constexpr std::string_view access = "urn:causeway:access:0";                 // own
inline constexpr std::string_view blocking = "urn:xmpp:blocking";                   // 0191
inline constexpr std::string_view blocking_errors = "urn:xmpp:blocking:errors";     // 0191
inline constexpr std::string_view reporting = "urn:xmpp:reporting:1";               // 0377
inline constexpr std::string_view carbons = "urn:xmpp:carbons:2";                   // 0280
inline constexpr std::string_view bidi = "urn:xmpp:bidi";                           // 0288
inline constexpr std::string_view bidi_feature = "urn:xmpp:features:bidi";          // 0288
inline constexpr std::string_view forward = "urn:xmpp:forward:0";                   // 0297
inline constexpr std::string_view archive = "urn:xmpp:mam:2";                       // 0313
inline constexpr std::string_view archive_extended = "urn:xmpp:mam:2#extended";     // 0313
inline constexpr std::string_view archive_groupchat_field =
    "urn:xmpp:mam:2#groupchat-field";                                         // 0313
inline constexpr std::string_view idle = "urn:xmpp:idle:1";                   // 0319
inline constexpr std::string_view chat_markers = "urn:xmpp:chat-markers:0";   // 0333
inline constexpr std::string_view hints = "urn:xmpp:hints";                   // 0334
inline constexpr std::string_view csi = "urn:xmpp:csi:0";                     // 0352
inline constexpr std::string_view stanza_ids = "urn:xmpp:sid:0";              // 0359
inline constexpr std::string_view retraction = "urn:xmpp:message-retract:1";  // 0424
inline constexpr std::string_view retraction_tombstones =
    "urn:xmpp:message-retract:1#tombstone";                                // 0424
inline constexpr std::string_view channel_binding = "urn:xmpp:sasl-cb:0";  // 0440

// What clients keep with an account, in its old and its new place
inline constexpr std::string_view bookmarks = "urn:xmpp:bookmarks:1";                        // 0402
inline constexpr std::string_view bookmarks_compat = "urn:xmpp:bookmarks:1#compat";          // 0402
inline constexpr std::string_view bookmarks_compat_pep = "urn:xmpp:bookmarks:1#compat-pep";  // 0402
inline constexpr std::string_view bookmarks_conversion = "urn:xmpp:bookmarks-conversion:0";  // 0411
inline constexpr std::string_view bookmark_list = "storage:bookmarks";                       // 0048
inline constexpr std::string_view avatar_data = "urn:xmpp:avatar:data";                      // 0084
inline constexpr std::string_view avatar_metadata = "urn:xmpp:avatar:metadata";              // 0084
inline constexpr std::string_view avatar_conversion = "urn:xmpp:pep-vcard-conversion:0";     // 0398
inline constexpr std::string_view vcard4 = "urn:ietf:params:xml:ns:vcard-4.0";               // 0292
inline constexpr std::string_view vcard4_node = "urn:xmpp:vcard4";                           // 0292
inline constexpr std::string_view displayed = "urn:xmpp:mds:displayed:0";                    // 0490
inline constexpr std::string_view displayed_assist = "urn:xmpp:mds:server-assist:0";         // 0490

inline constexpr std::string_view registration_feature =
    "http://jabber.org/features/iq-register";  // 0077

}  // namespace causeway::ns
