"""Personal events (XEP-0163) between stock clients: slixmpp publishes nickname, tune and avatar, and
keeps data of its own, within a domain, to another Causeway, and to and from Prosody."""

import hashlib
from xml.etree import ElementTree

from slixmpp.exceptions import IqError

from lab import LabError
from suite import Group, check

PLUGINS = ("xep_0030", "xep_0060", "xep_0084", "xep_0115", "xep_0118", "xep_0163", "xep_0172",
           "xep_0199", "xep_0223")
EVENT = "{http://jabber.org/protocol/pubsub#event}"
NICK = "http://jabber.org/protocol/nick"
METADATA = "urn:xmpp:avatar:metadata"
PICTURE = bytes(range(256)) * 200


class Events(Group):
    name = "events"
    weight = 2

    async def set_up(self):
        options = {"policy": "certificate", "profile": "normal", "transport": "starttls"}
        self.servers = {
            "causeway": self.causeway("a.test", **options),
            "causeway2": self.causeway("b.test", **options),
            "prosody": self.lab.server("prosody", "p.test", **options),
        }

    def cases(self):
        pairs = (("causeway", "causeway"), ("causeway", "causeway2"), ("causeway", "prosody"),
                 ("prosody", "causeway"))
        return super().cases() + [
            (f"{one}-{other}/{topic}", self._bind(getattr(self, topic), one, other))
            for one, other in pairs for topic in ("nickname_and_tune", "avatar")]

    def _bind(self, method, one, other):
        async def case():
            return await method(self.servers[one], self.servers[other])
        return case

    async def _login(self, server, kind):
        name = self.fresh(kind)
        await server.add_user(name)
        client = await server.login(name, plugins=PLUGINS)
        await client["xep_0115"].update_caps(broadcast=False)
        await client.become_available()
        return client

    @staticmethod
    async def _befriend(alice, bob):
        for asker, asked in ((alice, bob), (bob, alice)):
            asker.show("subscribe", asked.boundjid.bare)
            await asked.presence(asker.boundjid.bare, "subscribe")
            asked.show("subscribed", asker.boundjid.bare)
            await asker.presence(asked.boundjid.bare, "subscribed")
            await asker.presence(asked.boundjid.full, "available")

    @staticmethod
    async def _event(client, sender, node):
        return await client.expect(
            lambda s: s.name == "message" and s["from"].bare == sender.boundjid.bare
            and s.xml.find(f"{EVENT}event/{EVENT}items[@node='{node}']") is not None,
            f"event of {node} from {sender.boundjid.bare}")

    async def nickname_and_tune(self, one, other):
        """The contact hears of it at once, and after its next login."""
        alice = await self._login(one, "alice")
        bob = await self._login(other, "bob")
        await self._befriend(alice, bob)
        await alice["xep_0172"].publish_nick("Alice & Co")
        event = await self._event(bob, alice, NICK)
        nick = event.xml.find(f".//{{{NICK}}}nick")
        check(nick is not None and nick.text == "Alice & Co", f"bob was sent {event}")
        check(event["type"] == "headline", f"type of {event}")
        await alice["xep_0118"].publish_tune(artist="Gerald Finzi", title="Introduction")
        await self._event(bob, alice, "http://jabber.org/protocol/tune")
        await self.lab.close_clients([bob])
        bob = await other.login(bob.boundjid.user, plugins=PLUGINS)
        await bob["xep_0115"].update_caps(broadcast=False)
        await bob.become_available()
        event = await self._event(bob, alice, NICK)
        check(event.xml.find("{urn:xmpp:delay}delay") is not None or one.name != "causeway",
              f"no delay on {event}")

    async def avatar(self, one, other):
        alice = await self._login(one, "alice")
        bob = await self._login(other, "bob")
        await self._befriend(alice, bob)
        identifier = hashlib.sha1(PICTURE).hexdigest()
        await alice["xep_0084"].publish_avatar(PICTURE)
        await alice["xep_0084"].publish_avatar_metadata(
            {"id": identifier, "type": "image/png", "bytes": len(PICTURE)})
        event = await self._event(bob, alice, METADATA)
        info = event.xml.find(f".//{{{METADATA}}}info")
        check(info is not None and info.get("id") == identifier, f"bob was sent {event}")
        answer = await bob["xep_0084"].retrieve_avatar(alice.boundjid.bare, identifier)
        told = answer["pubsub"]["items"]["item"]["avatar_data"]["value"]
        check(told == PICTURE, f"the picture has {len(told)} bytes")

    async def case_own_data(self):
        """XEP-0223: for the account's own clients, and for nobody else."""
        server = self.servers["causeway"]
        alice = await self._login(server, "alice")
        bob = await self._login(server, "bob")
        await self._befriend(alice, bob)
        data = ElementTree.fromstring("<note xmlns='urn:example:note'>mine</note>")
        stored = alice["xep_0223"].store(_stanza(data), id="one", node="urn:example:note")
        await stored
        phone = await server.login(alice.boundjid.user, resource="phone", plugins=PLUGINS)
        answer = await phone["xep_0223"].retrieve("urn:example:note")
        note = answer.xml.find(".//{urn:example:note}note")
        check(note is not None and note.text == "mine", f"the other client was told {answer}")
        try:
            await bob["xep_0060"].get_items(alice.boundjid.bare, "urn:example:note")
        except IqError as error:
            check(error.condition == "not-allowed", f"refused with {error.condition}")
        else:
            raise LabError("a contact was given what is for the account alone")

    async def case_what_the_server_can_do_has_the_hash_that_slixmpp_makes(self):
        juliet = await self._login(self.servers["causeway"], "juliet")
        domain = juliet.boundjid.domain
        answer = await juliet["xep_0030"].get_info(jid=domain, cached=False)
        made = juliet["xep_0115"].generate_verstring(answer["disco_info"], "sha-1")
        check(made, answer)
        # The server knows no other hash.
        again = await juliet["xep_0030"].get_info(jid=domain, node=f"causeway:server#{made}",
                                                  cached=False)
        check(again["disco_info"]["features"] == answer["disco_info"]["features"], again)

    async def case_nodes_as_slixmpp_manages_them(self):
        """Create, configure, list, retract, purge and delete by slixmpp's own plugin."""
        server = self.servers["causeway"]
        alice = await self._login(server, "alice")
        pubsub = alice["xep_0060"]
        bare = alice.boundjid.bare
        await pubsub.create_node(bare, "urn:example:list")
        form = (await pubsub.get_node_config(bare, "urn:example:list"))["pubsub_owner"][
            "configure"]["form"]
        form.reply()
        form["type"] = "submit"
        form["values"] = {**form["values"], "pubsub#max_items": "3"}
        await pubsub.set_node_config(bare, "urn:example:list", form)
        for number in range(5):
            item = ElementTree.fromstring(f"<n xmlns='urn:example:list'>{number}</n>")
            await pubsub.publish(bare, "urn:example:list", id=str(number), payload=item)
        answer = await pubsub.get_items(bare, "urn:example:list")
        ids = [item["id"] for item in answer["pubsub"]["items"]]
        check(ids == ["4", "3", "2"], f"items {ids}")
        await pubsub.retract(bare, "urn:example:list", "3")
        await pubsub.purge(bare, "urn:example:list")
        answer = await pubsub.get_items(bare, "urn:example:list")
        check(not list(answer["pubsub"]["items"]), f"after the purge: {answer}")
        await pubsub.delete_node(bare, "urn:example:list")
        try:
            await pubsub.get_items(bare, "urn:example:list")
        except IqError as error:
            check(error.condition == "item-not-found", f"refused with {error.condition}")
        else:
            raise LabError("the node is still there")


def _stanza(element):
    """What slixmpp takes for a payload: an object with the element in it."""
    class Payload:
        xml = element
        namespace = element.tag[1:].split("}")[0]
    return Payload()
