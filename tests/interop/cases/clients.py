"""Stock clients against one Causeway: slixmpp by every mechanism and port, roster, offline
messages, resumption; @xmpp/client over TCP, direct TLS and WebSocket."""

import json
import ssl
import urllib.request
import asyncio
from xml.etree import ElementTree

from lab import LabError
from lab.causeway import HTTPS_PORT
from lab.client import Client
from lab.server import C2S_PORT, C2S_TLS_PORT, password_of
from lab.npm import NodeProgram, install
from suite import Group, check

MECHANISMS = ["PLAIN"] + [f"SCRAM-SHA-{size}{plus}" for size in ("1", "256", "512")
                          for plus in ("", "-PLUS")]
ROSTER = "{jabber:iq:roster}"


class Clients(Group):
    name = "clients"
    weight = 2

    @staticmethod
    def prepare():
        """Outside the namespaces, where npm has a network."""
        return install()

    async def set_up(self):
        self.a = self.causeway("a.test")
        # Clients that are given a name look its address up.
        self.lab.dns.host("a.test", self.a.address)

    def cases(self):
        logins = [(f"login/{mechanism.lower()}", self._bind(self.login, mechanism))
                  for mechanism in MECHANISMS]
        services = [(f"xmppjs/{name}", self._bind(self.xmppjs, name))
                    for name in ("starttls", "direct-tls", "websocket")]
        return logins + super().cases() + services

    @staticmethod
    def _bind(method, argument):
        async def case():
            return await method(argument)
        return case

    async def login(self, mechanism):
        """Over STARTTLS and direct TLS, TLS 1.2 and 1.3; the session then works."""
        user = self.fresh("user")
        await self.a.add_user(user)
        for direct_tls in (False, True):
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = await self.a.login(user, mechanisms=[mechanism], direct_tls=direct_tls,
                                            tls_version=version)
                await client.become_available()
                used = client["feature_mechanisms"].mech.name
                check(used == mechanism, f"{used} was used instead of {mechanism}")
                await self.lab.close_clients([client])

    async def case_login_as_slixmpp_comes(self):
        """Debian's slixmpp binds to tls-unique, under TLS 1.3 as well, which has none."""
        user = self.fresh("user")
        await self.a.add_user(user)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = await self.a.login(user, mechanisms=(), tls_version=version)
            await client.become_available()
            await self.lab.close_clients([client])

    async def case_wrong_password_and_unknown_user_look_alike(self):
        user = self.fresh("user")
        await self.a.add_user(user)
        reasons = []
        for name in (user, self.fresh("nobody")):
            for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"):
                try:
                    await Client.login(self.a, f"{name}@a.test/lab", "wrong",
                                       mechanisms=[mechanism])
                except LabError as error:
                    reasons.append(str(error).rsplit(": ", 1)[-1])
                else:
                    raise LabError(f"{name} logged in with a wrong password")
        check(set(reasons) == {"failed_auth not-authorized"}, f"reasons: {reasons}")

    async def case_roster(self):
        one = await self.a.user(self.fresh("user"))
        two = await self.a.login(one.boundjid.user, resource="two")
        await two.become_available()
        query = ElementTree.fromstring(
            "<query xmlns='jabber:iq:roster'><item jid='romeo@example.test' name='Romeo &amp; Co'>"
            "<group>Montague</group><group>Verona</group></item></query>")
        answer = await one.request("set", None, query)
        check(answer.xml.get("type") == "result", f"roster set: {answer}")
        for client in (one, two):
            push = await client.expect(
                lambda s: s.name == "iq" and s.xml.get("type") == "set"
                and s.xml.find(f"{ROSTER}query/{ROSTER}item") is not None, "roster push")
            item = push.xml.find(f"{ROSTER}query/{ROSTER}item")
            check(item.get("name") == "Romeo & Co", f"pushed name {item.get('name')}")
            check({group.text for group in item} == {"Montague", "Verona"}, "pushed groups")
        check(await two.contacts() == {"romeo@example.test": ("none", None, "Romeo & Co")},
              f"roster {await two.contacts()}")
        query = ElementTree.fromstring("<query xmlns='jabber:iq:roster'><item "
                                       "jid='romeo@example.test' subscription='remove'/></query>")
        await one.request("set", None, query)
        check(await two.contacts() == {}, "the contact was not removed")
        shown = await self.a.ctl("roster", "show", str(one.boundjid.bare))
        check("romeo" not in json.dumps(shown), f"causewayctl still shows {shown}")

    async def case_subscription_within_the_domain(self):
        alice = await self.a.user(self.fresh("alice"))
        bob = await self.a.user(self.fresh("bob"))
        alice.show("subscribe", bob.boundjid.bare)
        await bob.presence(alice.boundjid.bare, "subscribe")
        bob.show("subscribed", alice.boundjid.bare)
        await alice.presence(bob.boundjid.bare, "subscribed")
        await alice.presence(bob.boundjid.full, "available")
        bob.drop()
        await alice.presence(bob.boundjid.full, "unavailable")

    async def case_offline_messages(self):
        alice = await self.a.user(self.fresh("alice"))
        name = self.fresh("bob")
        await self.a.add_user(name)
        for number in range(30):
            alice.say(f"{name}@a.test", f"kept {number}")
        await alice.barrier()
        bob = await self.a.login(name)
        await bob.become_available()
        for number in range(30):
            stanza = await bob.message(sender=alice.boundjid.full)
            check(stanza["body"] == f"kept {number}", f"{stanza['body']!r} for kept {number}")
            check(stanza.xml.find("{urn:xmpp:delay}delay") is not None, "no delay on it")
        await self.lab.close_clients([bob])
        bob = await self.a.login(name)
        await bob.become_available()
        await bob.nothing(lambda s: s.name == "message", "offline message a second time")

    async def case_archive(self):
        """slixmpp's own plugin pages through what two devices and both sides have in common."""
        plugins = ("xep_0030", "xep_0199", "xep_0313")
        alice = await self.a.login(await self._new_user("alice"), plugins=plugins)
        name = await self._new_user("bob")
        bare = f"{name}@a.test"
        for number in range(25):
            alice.say(bare, f"line {number}")
        await alice.barrier()
        bob = await self.a.login(name, plugins=plugins)
        wanted = [f"line {number}" for number in range(25)]
        for client in (bob, alice):
            told = [self._archived(message)
                    async for message in client["xep_0313"].iterate(rsm={"max": 10})]
            check(told == wanted, f"{client.boundjid} was told {told}")
        # What it fetched does not come again when it is available.
        await bob.become_available()
        await bob.nothing(lambda s: s.name == "message"
                          and s.xml.find("{urn:xmpp:mam:2}result") is None,
                          "a message that was fetched from the archive")
        phone = await self.a.login(name, plugins=plugins)
        await phone.become_available()
        alice.say(bare, "to both")
        await phone.message(sender=alice.boundjid.full)
        told = [self._archived(message) async for message in phone["xep_0313"].iterate(
            reverse=True, rsm={"max": 2}, total=2)]
        check(sorted(told) == ["line 24", "to both"], f"the last page is {told}")

    async def _new_user(self, kind):
        name = self.fresh(kind)
        await self.a.add_user(name)
        return name

    @staticmethod
    def _archived(message):
        return message["mam_result"]["forwarded"]["stanza"]["body"]

    async def case_resumption(self):
        alice = await self.a.user(self.fresh("alice"))
        bob = await self.a.user(self.fresh("bob"), stream_management=True)
        before = bob.boundjid.full
        alice.say(before, "one")
        await bob.message("one")
        bob.drop()
        await bob.lost()
        for number in range(10):
            alice.say(before, f"missed {number}")
        await alice.barrier()
        bob["xep_0198"].unacked_queue.clear()
        await bob.open()
        check(bob.resumed.is_set(), "the stream was not resumed")
        for number in range(10):
            stanza = await bob.message(sender=alice.boundjid.full)
            check(stanza["body"] == f"missed {number}", f"{stanza['body']!r} for missed {number}")
        bob.say(alice.boundjid.full, "thanks")
        await alice.message("thanks", before)

    async def case_session_is_listed_and_killed(self):
        client = await self.a.user(self.fresh("user"))
        rows = await self.a.ctl("session", "list", client.boundjid.bare)
        check([(row["jid"], row["resource"], row["transport"]) for row in rows]
              == [(client.boundjid.bare, "lab", "starttls")], f"session list: {rows}")
        await self.a.ctl("session", "kill", client.boundjid.full)
        await client.lost()

    async def _get(self, path):
        context = ssl.create_default_context(cafile=self.lab.authority.trust)
        context.check_hostname = False  # it is reached by its address here

        def read():
            handlers = (urllib.request.ProxyHandler({}),
                        urllib.request.HTTPSHandler(context=context))
            opener = urllib.request.build_opener(*handlers)
            request = urllib.request.Request(f"https://{self.a.address}:{HTTPS_PORT}{path}",
                                             headers={"Host": f"a.test:{HTTPS_PORT}"})
            with opener.open(request, timeout=10) as answer:
                return answer.read().decode()
        return await asyncio.get_running_loop().run_in_executor(None, read)

    async def _websocket_address(self):
        links = json.loads(await self._get("/.well-known/host-meta.json"))["links"]
        found = [link["href"] for link in links
                 if link["rel"] == "urn:xmpp:alt-connections:websocket"]
        check(len(found) == 1, f"host-meta.json links {links}")
        return found[0]

    async def case_host_meta(self):
        address = await self._websocket_address()
        document = ElementTree.fromstring(await self._get("/.well-known/host-meta"))
        hrefs = [link.get("href") for link in document
                 if link.get("rel") == "urn:xmpp:alt-connections:websocket"]
        check(hrefs == [address], f"host-meta says {hrefs}, host-meta.json {address}")
        check(address.startswith("wss://a.test"), f"websocket address {address}")

    async def xmppjs(self, transport):
        service = {"starttls": f"xmpp://a.test:{C2S_PORT}",
                   "direct-tls": f"xmpps://a.test:{C2S_TLS_PORT}"}.get(transport)
        service = service or await self._websocket_address()
        name = self.fresh("bob")
        await self.a.add_user(name)
        alice = await self.a.user(self.fresh("alice"))
        bob = NodeProgram(self.lab, name, "@xmpp/client")
        await bob.run("xmppjs.mjs", json.dumps({"service": service, "domain": "a.test",
                                                "username": name,
                                                "password": password_of(name)}))
        jid = (await bob.report("online"))["jid"]
        alice.show("subscribe", f"{name}@a.test")
        alice.say(jid, "hello <ws> & ☃")
        await alice.message("echo: hello <ws> & ☃", jid)
        check((await alice.request("get", jid, "{urn:xmpp:ping}ping")).xml.get("type") == "result",
              "the client does not answer a ping through the server")
        alice.say(jid, "cut")
        await bob.report("disconnect")
        alice.say(jid, "while away")
        await bob.report("resumed")
        await alice.message("echo: while away", jid)
        alice.say(jid, "end")
        await bob.report("stopped")
        status = await bob.end()
        check(status == 0, f"node ended with status {status}")
