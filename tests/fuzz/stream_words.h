// What the fuzz target of streams can say: a vocabulary of elements and pieces of them, most of
// them right somewhere and wrong elsewhere, and the sequences by which one logs in.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"

namespace causeway::fuzz {

/// How a connection is made, and to which port.
enum class Wire : unsigned char { client, client_tls, websocket, server, server_tls };
inline constexpr std::array wires{Wire::client, Wire::websocket, Wire::server, Wire::server_tls,
                                  Wire::client_tls};

/// How long the clock may advance at once: within what is due soon, and beyond each deadline.
inline constexpr std::array waits{Duration{10},      Duration{100},      Duration{1000},
                                  Duration{6000},    Duration{31'000},   Duration{61'000},
                                  Duration{301'000}, Duration{1'300'000}};

/// Written as the wire wants it; see spoken().
inline constexpr std::string_view header = "\1";
inline constexpr std::string_view end = "\2";

// Those by which one logs in.
inline constexpr std::string_view starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
inline constexpr std::string_view plain_romeo =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHNlY3JldA==</auth>";
inline constexpr std::string_view plain_juliet =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>";
inline constexpr std::string_view external =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
inline constexpr std::string_view bind_any =
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
inline constexpr std::string_view bind_r =
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
    "<resource>r</resource></bind></iq>";
inline constexpr std::string_view manage = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
inline constexpr std::string_view available = "<presence/>";

inline constexpr std::string_view words[]{
    header,
    end,
    starttls,
    // SASL: PLAIN right and wrong, SCRAM begun, EXTERNAL
    plain_romeo,
    plain_juliet,
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHdyb25n</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>"
    "biwsbj1yb21lbyxyPWFiYw==</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>=</auth>",
    external,
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>Yi50ZXN0</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'>!</auth>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdz</response>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    // Binding and stream management
    bind_any,
    bind_r,
    "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
    manage,
    "<enable xmlns='urn:xmpp:sm:3'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='0'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "<a xmlns='urn:xmpp:sm:3' h='4294967295'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='0' previd='none'/>",
    // Presence
    available,
    "<presence><priority>-1</priority></presence>",
    "<presence><priority>1000</priority></presence>",
    "<presence type='unavailable'/>",
    "<presence to='juliet@a.test'/>",
    "<presence to='juliet@a.test' type='unavailable'/>",
    "<presence to='juliet@a.test' type='subscribe'/>",
    "<presence to='juliet@a.test' type='subscribed'/>",
    "<presence to='romeo@a.test' type='subscribe'/>",
    "<presence to='romeo@a.test' type='subscribed'/>",
    "<presence to='romeo@a.test' type='unsubscribe'/>",
    "<presence to='romeo@a.test' type='unsubscribed'/>",
    "<presence to='x@c.test' type='subscribe'/>",
    "<presence to='juliet@a.test' type='probe'/>",
    "<presence type='odd'/>",
    // Messages
    "<message to='juliet@a.test' type='chat'><body>x</body></message>",
    "<message to='romeo@a.test' type='chat'><body>x</body></message>",
    "<message to='romeo@a.test/r' type='chat'><body>x</body></message>",
    "<message to='juliet@a.test' type='headline'><body>x</body></message>",
    "<message to='juliet@a.test' type='groupchat'><body>x</body></message>",
    "<message to='nobody@a.test'><body>x</body></message>",
    "<message to='x@c.test'><body>x</body></message>",
    "<message to='x@d.test'><body>x</body></message>",
    "<message to='x@e.test'><body>x</body></message>",
    "<message to='a.test'><body>x</body></message>",
    "<message><body>x</body></message>",
    "<message to='@' from='other@a.test'/>",
    "<message to='juliet@a.test' type='error'/>",
    // Requests
    "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq type='get' id='1' to='a.test'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "<iq type='get' id='1' to='juliet@a.test'>"
    "<query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    "<iq type='get' id='1' to='romeo@a.test/r'><query xmlns='jabber:iq:version'/></iq>",
    "<iq type='result' id='1' to='romeo@a.test/r'/>",
    "<iq type='get' id='1'/>",
    "<iq type='get'><a/><b/></iq>",
    "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
    "<iq type='get' id='1'><query xmlns='jabber:iq:roster' ver=''/></iq>",
    "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
    "<item jid='juliet@a.test' name='J'><group>g</group></item></query></iq>",
    "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>"
    "<item jid='juliet@a.test' subscription='remove'/></query></iq>",
    "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='x@c.test'/></query></iq>",
    // Another server
    "<db:result from='b.test' to='a.test'>key</db:result>",
    "<db:result from='c.test' to='a.test'>key</db:result>",
    "<db:result from='d.test' to='a.test'>key</db:result>",
    "<db:result from='e.test' to='other.test'>key</db:result>",
    "<db:result from='b.test' to='a.test' type='valid'/>",
    "<db:verify from='b.test' to='a.test' id='1'>key</db:verify>",
    "<db:verify from='b.test' to='a.test' id='1' type='valid'/>",
    "<message from='x@b.test' to='juliet@a.test'><body>x</body></message>",
    "<presence from='x@b.test' to='romeo@a.test' type='subscribe'/>",
    "<presence from='x@b.test/y' to='romeo@a.test'/>",
    "<iq from='b.test' to='a.test' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq from='x@b.test/y' to='romeo@a.test/r' type='set' id='q'><odd xmlns='urn:odd'/></iq>",
    // Pieces
    "<message to='juliet@a.test'>",
    "<body>x",
    "</body></message>",
    " ",
    "<",
    "<![CDATA[",
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
};

/// The word as it is written on that wire.
inline std::string spoken(std::string_view word, Wire wire) {
    const bool server = wire == Wire::server || wire == Wire::server_tls;
    if (wire == Wire::websocket) {
        if (word == header) {
            return "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.test' version='1.0'/>";
        }
        if (word == end) return "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
        // Stanzas of a WebSocket declare their namespace themselves.
        const std::size_t behind_name = word.find_first_of(" />");
        if (word.starts_with("<iq") || word.starts_with("<message") ||
            word.starts_with("<presence")) {
            return std::string(word.substr(0, behind_name)) + " xmlns='jabber:client'" +
                   std::string(word.substr(behind_name));
        }
        return std::string(word);
    }
    if (word == end) return "</stream:stream>";
    if (word != header) return std::string(word);
    std::string out = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='a.test' ";
    out += server ? "xmlns='jabber:server' xmlns:db='jabber:server:dialback' from='b.test'"
                  : "xmlns='jabber:client'";
    return out + " version='1.0'>";
}

/// The words by which one comes to be ready on that wire; where there is no TLS yet, it ends there.
inline std::vector<std::string_view> login(Wire wire, std::size_t how) {
    if (wire == Wire::client || wire == Wire::server) return {header, starttls};
    if (wire == Wire::server_tls) return {header, external, header};
    std::vector<std::string_view> said{header, how % 2 == 0 ? plain_romeo : plain_juliet, header,
                                       how / 2 % 2 == 0 ? bind_any : bind_r};
    if (how / 4 % 2 == 1) said.push_back(manage);
    if (how / 8 % 2 == 1) said.push_back(available);
    return said;
}

}  // namespace causeway::fuzz
