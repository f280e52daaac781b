"""Two servers that have never met: messages, subscriptions, presence, errors and iq across,
in both directions, for Causeway with itself, with Prosody and with ejabberd."""

import re
import uuid
from xml.etree import ElementTree

from lab import until
from suite import Group, check

VERSION = "{jabber:iq:version}query"
DISCO_INFO = "{http://jabber.org/protocol/disco#info}query"
PING = "{urn:xmpp:ping}ping"


class Federation(Group):
    """One laboratory with all four servers; subclasses say how they trust each other."""

    weight = 5
    policy = "certificate"
    profile = "normal"
    transport = "starttls"
    topics = ("messages", "offline", "subscription", "refusal", "presence", "errors", "iq")

    async def set_up(self):
        options = {"policy": self.policy, "profile": self.profile, "transport": self.transport}
        self.servers = {
            "causeway": self.causeway("a.test", **options),
            "causeway2": self.causeway("b.test", **options),
            "prosody": self.lab.server("prosody", "p.test", **options),
            "ejabberd": self.lab.server("ejabberd", "e.test", **options),
        }

    def cases(self):
        pairs = [("causeway", "causeway2")]
        for peer in ("prosody", "ejabberd"):
            pairs += [("causeway", peer), (peer, "causeway")]
        return [(f"{one}-{other}/{topic}".replace("causeway2", "causeway"),
                 self._bind(getattr(self, topic), one, other))
                for one, other in pairs for topic in self.topics]

    def _bind(self, method, one, other):
        async def case():
            return await method(self.servers[one], self.servers[other])
        return case

    async def _two(self, one, other):
        alice = await one.user(self.fresh("alice"))
        bob = await other.user(self.fresh("bob"))
        return alice, bob

    async def _befriend(self, alice, bob):
        """Mutual subscription; both are available and have each other's presence."""
        for asker, asked in ((alice, bob), (bob, alice)):
            asker.show("subscribe", asked.boundjid.bare)
            await asked.presence(asker.boundjid.bare, "subscribe")
            asked.show("subscribed", asker.boundjid.bare)
            await asker.presence(asked.boundjid.bare, "subscribed")
            await asker.presence(asked.boundjid.full, "available")

    async def messages(self, one, other):
        alice, bob = await self._two(one, other)
        to, sender = bob.boundjid.bare, alice.boundjid.full
        for kind in ("chat", "normal", "headline"):
            body = f"{kind}: <Grüße> & 'ein Wort' ☃ 🚀 \u0301"
            alice.say(to, body, kind)
            stanza = await bob.message(body, sender, kind)
            check(str(stanza["to"]) == to, f"to became {stanza['to']}")
        # Extensions nobody knows, with their own namespaces and attributes, pass unchanged.
        message = alice.make_message(to, "extended", mtype="chat")
        extension = ElementTree.fromstring(
            "<x xmlns='urn:lab:x' kind='&lt;&quot;&apos;'><y xmlns='urn:lab:y'>z &amp; ]]&gt;</y>"
            "<message xmlns='jabber:client'><body>inner</body></message></x>")
        message.append(extension)
        message.send()
        arrived = (await bob.message("extended", sender)).xml.find("{urn:lab:x}x")
        check(arrived is not None and ElementTree.canonicalize(ElementTree.tostring(arrived))
              == ElementTree.canonicalize(ElementTree.tostring(extension)),
              f"the extension arrived as {arrived and ElementTree.tostring(arrived)}")
        for number in range(40):
            alice.say(bob.boundjid.full, f"number {number}")
        for number in range(40):
            stanza = await bob.message(sender=sender)
            check(stanza["body"] == f"number {number}",
                  f"{stanza['body']!r} in the place of number {number}")
        identifier = bob.say(sender, "answer")
        stanza = await alice.message("answer", bob.boundjid.full)
        check(stanza["id"] == identifier, f"id became {stanza['id']}")

    async def offline(self, one, other):
        alice = await one.user(self.fresh("alice"))
        name = self.fresh("bob")
        await other.add_user(name)
        to = f"{name}@{other.domain}"
        for number in range(5):
            alice.say(to, f"kept {number}")
        # An answer to a later request shows that the messages have been taken.
        await alice.request("get", other.domain, PING)
        bob = await other.login(name)
        bob.show()
        for number in range(5):
            stanza = await bob.message(sender=alice.boundjid.full)
            check(stanza["body"] == f"kept {number}", f"{stanza['body']!r} for kept {number}")
            check(stanza.xml.find("{urn:xmpp:delay}delay") is not None, "no delay on it")
        alice.say(to, "live")
        stanza = await bob.message("live")
        check(stanza.xml.find("{urn:xmpp:delay}delay") is None, "delay on a live message")

    async def subscription(self, one, other):
        alice, bob = await self._two(one, other)
        await alice.contacts()
        await bob.contacts()
        mine, hers = bob.boundjid.bare, alice.boundjid.bare
        alice.show("subscribe", mine)
        await bob.presence(hers, "subscribe")
        check((await alice.contacts())[mine][:2] == ("none", "subscribe"),
              f"asked, but the roster says {await alice.contacts()}")
        bob.show("subscribed", hers)
        await alice.presence(mine, "subscribed")
        await alice.presence(bob.boundjid.full, "available")
        check((await alice.contacts())[mine][:2] == ("to", None), "not 'to' after approval")
        check((await bob.contacts())[hers][0] == "from", "not 'from' after approving")
        bob.show("subscribe", hers)
        await alice.presence(mine, "subscribe")
        alice.show("subscribed", mine)
        await bob.presence(hers, "subscribed")
        await bob.presence(alice.boundjid.full, "available")
        for client, contact in ((alice, mine), (bob, hers)):
            check((await client.contacts())[contact][0] == "both", f"{client.boundjid} has no both")
        alice.show("unsubscribe", mine)
        await bob.presence(hers, "unsubscribe")
        check((await bob.contacts())[hers][0] == "to", "unsubscribe left more than 'to'")
        check((await alice.contacts())[mine][0] == "from", "unsubscribe left more than 'from'")
        alice.show("unsubscribed", mine)
        await bob.presence(hers, "unsubscribed")
        check((await bob.contacts())[hers][0] == "none", "unsubscribed left a subscription")

    async def refusal(self, one, other):
        """A request to somebody who is away waits for him; he refuses."""
        alice = await one.user(self.fresh("alice"))
        name = self.fresh("bob")
        await other.add_user(name)
        mine, hers = f"{name}@{other.domain}", alice.boundjid.bare
        alice.show("subscribe", mine)
        await alice.request("get", other.domain, PING)
        bob = await other.login(name)
        bob.show()
        await bob.presence(hers, "subscribe")
        bob.show("unsubscribed", hers)
        await alice.presence(mine, "unsubscribed")
        check((await alice.contacts())[mine][:2] == ("none", None), "refused, but still asking")

    async def presence(self, one, other):
        alice, bob = await self._two(one, other)
        await self._befriend(alice, bob)
        bob.show(status="at sea")
        await alice.presence(bob.boundjid.full, "available", "at sea")
        # She comes back: her server asks his (a probe), and she learns how he is.
        name = alice.boundjid.user
        await self.lab.close_clients([alice])
        await bob.presence(f"{name}@{one.domain}/lab", "unavailable")
        alice = await one.login(name, resource="again")
        alice.show()
        await alice.presence(bob.boundjid.full, "available", "at sea")
        await bob.presence(alice.boundjid.full, "available")
        # Directed presence to a stranger, taken back at the end of the session.
        carol = await other.user(self.fresh("carol"))
        alice.show(to=carol.boundjid.full, status="hello stranger")
        await carol.presence(alice.boundjid.full, "available", "hello stranger")
        alice.show(status="to friends only")
        await bob.presence(alice.boundjid.full, "available", "to friends only")
        alice.drop()
        await bob.presence(alice.boundjid.full, "unavailable")
        stanza = await carol.presence(alice.boundjid.full)
        check(stanza.xml.get("type") == "unavailable", f"a stranger got {stanza}")

    async def errors(self, one, other):
        alice, bob = await self._two(one, other)
        identifier = alice.say(f"nobody@{other.domain}", "is there anybody")
        condition, _ = await alice.error(identifier)
        check(condition == "service-unavailable", f"no such user: {condition}")
        answer = await alice.request("get", f"{bob.boundjid.bare}/elsewhere", PING)
        check(answer.xml.get("type") == "error", "a ping to a resource that is not there")
        check(answer["error"]["condition"] == "service-unavailable",
              f"no such resource: {answer['error']['condition']}")
        answer = await alice.request("get", f"nobody@{other.domain}", VERSION)
        check(answer["error"]["condition"] == "service-unavailable",
              f"iq to no such user: {answer['error']['condition']}")
        # An error is never answered, whoever it is for.
        stanza = alice.make_message(f"nobody@{other.domain}", "no", mtype="error")
        stanza["id"] = uuid.uuid4().hex
        stanza.send()
        identifier = alice.say(f"nobody@{other.domain}", "again")
        await alice.error(identifier)
        await alice.nothing(lambda s: s.xml.get("id") == stanza["id"], "answer to an error")

    async def iq(self, one, other):
        alice, bob = await self._two(one, other)
        check((await alice.request("get", other.domain, PING)).xml.get("type") == "result",
              "the server does not answer a ping")
        check((await alice.request("get", bob.boundjid.full, PING)).xml.get("type") == "result",
              "the contact's client does not answer a ping")
        answer = await alice.request("get", other.domain, DISCO_INFO)
        features = {feature.get("var") for feature
                    in answer.xml.iter("{http://jabber.org/protocol/disco#info}feature")}
        check("urn:xmpp:ping" in features, f"disco says {sorted(features)}")
        answer = await alice.request("get", other.domain, VERSION)
        check(answer.xml.findtext(f"{VERSION}/{{jabber:iq:version}}name"),
              f"version says {answer}")
        answer = await alice.request("get", other.domain, "{urn:lab:unheard-of}query")
        check(answer.xml.get("type") == "error" and answer["error"]["condition"]
              in ("service-unavailable", "feature-not-implemented"),
              f"an unknown request: {answer}")


class Certificates(Federation):
    """Both sides prove who they are by certificate (SASL EXTERNAL); STARTTLS."""

    name = "certificates"

    def cases(self):
        return [("causeway-prosody/acknowledged", self.acknowledged), *super().cases()]

    async def acknowledged(self):
        """Stream management (XEP-0198) on the streams of both servers: Prosody enables it on its
        own, and acknowledges what comes on ours."""
        prosody = self.servers["prosody"]
        alice, bob = await self._two(self.servers["causeway"], prosody)
        alice.say(bob.boundjid.bare, "there")
        await bob.message("there", alice.boundjid.full)
        bob.say(alice.boundjid.bare, "and back")
        await alice.message("and back", bob.boundjid.full)
        for what in (r"s2sin\S*\s+debug\s+Sending\[s2sin\]: <a [^>]*h='[1-9]",
                     r"s2sout\S*\s+debug\s+Received\[s2sout\]: <enabled "):
            await until(lambda: re.search(what, prosody.tail(5000)), f"{what} in Prosody's log")


class Dialback(Federation):
    """Nobody vouches for the certificates: server dialback over TLS."""

    name = "dialback"
    policy = "dialback"
    profile = "self-signed"


class DirectTls(Federation):
    """DNS names _xmpps-server alone, so that only direct TLS can succeed."""

    name = "direct-tls"
    weight = 3
    transport = "direct"
    topics = ("messages", "subscription")
