"""Real clients and libraries, as they come, against one Causeway: what each can do of login,
roster, presence, messages both ways, and resumption after its network was cut."""

import os

from lab.browser import Page
from lab.causeway import HTTPS_PORT
from lab.npm import NodeProgram, install
from lab.process import run
from lab.profanity import Profanity
from lab.program import DEADLINE_SECONDS, PROGRAMS, Program
from lab.relay import Relay
from lab.server import C2S_PORT, C2S_TLS_PORT, password_of
from suite import Group, check

DOMAIN = "a.test"
# Where clients look for host-meta.
WELL_KNOWN_PORT = 443
TRICKY = "hello <all> & \"you\" ☃"
TCP = ("starttls", "direct-tls")
WEBSOCKET = f"wss://{DOMAIN}:{HTTPS_PORT}/xmpp-websocket"


class ClientPrograms(Group):
    name = "programs"
    weight = 2

    @staticmethod
    def prepare():
        """Outside the namespaces, where npm has a network."""
        return install()

    async def set_up(self):
        self.a = self.causeway(DOMAIN, transport=None)
        address = self.a.address
        self.a.settings["http"] = {"listen_tls": [f"{address}:{HTTPS_PORT}",
                                                  f"{address}:{WELL_KNOWN_PORT}"]}
        self.network = Relay(self.lab, self.a,
                             (C2S_PORT, C2S_TLS_PORT, HTTPS_PORT, WELL_KNOWN_PORT))
        await self.network.start()
        dns, host = self.lab.dns, f"xmpp.{DOMAIN}"
        for name in (DOMAIN, host):
            dns.host(name, self.network.address)
        dns.service(DOMAIN, host, C2S_PORT, "_xmpp-client._tcp")
        dns.service(DOMAIN, host, C2S_TLS_PORT, "_xmpps-client._tcp", priority=20)

    def cases(self):
        return [
            ("stanzajs", lambda: self.converse(self._node("stanzajs.mjs", "stanza.js"))),
            ("strophejs", lambda: self.converse(self._node("strophejs.mjs", "Strophe.js"),
                                                WEBSOCKET)),
            ("conversejs", lambda: self.converse(self._conversejs, WEBSOCKET, self._reload,
                                                 self._history)),
            ("aioxmpp", lambda: self.converse(self._aioxmpp)),
            *((f"libstrophe/{transport}", self._bind(self.libstrophe, transport))
              for transport in TCP),
            *((f"go-sendxmpp/{transport}", self._bind(self.go_sendxmpp, transport))
              for transport in TCP),
            *((f"profanity/{transport}", self._bind(self.profanity, transport))
              for transport in TCP),
        ]

    @staticmethod
    def _bind(method, argument):
        async def case():
            return await method(argument)
        return case

    async def libstrophe(self, transport):
        await self.converse(self._libstrophe, transport)

    # --- libraries: a small program each, which says and does the same ---

    def _node(self, script, library):
        async def start(name, *arguments):
            program = NodeProgram(self.lab, name, library)
            await program.run(script, *arguments)
            return program
        return start

    async def _aioxmpp(self, name, *arguments):
        program = Program(self.lab, name, "aioxmpp")
        await program.start(["/usr/bin/python3", f"{PROGRAMS}/aioxmpp_client.py", *arguments],
                            SSL_CERT_FILE=self.lab.authority.trust)
        return program

    async def _libstrophe(self, name, *arguments):
        binary = f"{self.lab.directory}/libstrophe_client"
        if not os.path.exists(binary):
            status, flags, err = await run(["pkg-config", "--cflags", "--libs", "libstrophe"])
            check(status == 0, f"libstrophe-dev is missing, run tools/install: {err}")
            status, _, err = await run(["cc", "-o", binary, f"{PROGRAMS}/libstrophe_client.c",
                                        *flags.split()])
            check(status == 0, f"libstrophe_client.c: {err}")
        program = Program(self.lab, name, "libstrophe")
        await program.start([binary, *arguments], SSL_CERT_FILE=self.lab.authority.trust)
        return program

    async def _conversejs(self, name, jid, password, service):
        page = Page(self.lab, name, "Converse.js")
        # Without a resource of its own it makes up a new one after a reload, and names that as
        # the sender in the session that it has resumed.
        await page.open("converse.html", "converse.js", jid=f"{jid}/web", password=password,
                        service=service)
        return page

    async def _reload(self, alice, bob, jid):
        alice.say(jid, "reload")
        await bob.report("message", body="reload", **{"from": alice.boundjid.full})
        await bob.report("resumed")
        alice.say(jid, "after the reload")
        await alice.message("echo: after the reload", jid)
        # Another device of the account: each sees what the other says.
        phone = await self.a.login(jid.split("@")[0], resource="phone",
                                   plugins=("xep_0030", "xep_0199", "xep_0280"))
        await phone["xep_0280"].enable()
        phone.say(alice.boundjid.bare, "from the phone")
        await alice.message("from the phone", phone.boundjid.full)
        await bob.report("copy", body="from the phone")
        alice.say(jid, "to the page")
        await alice.message("echo: to the page", jid)
        for kind, body in (("carbon_received", "to the page"), ("carbon_sent", "echo: to the page")):
            await phone.expect(lambda s, kind=kind, body=body: s.name == "message"
                               and s[kind] and s[kind]["body"] == body, f"{kind} of {body}")
        await self.lab.close_clients([phone])

    @staticmethod
    async def _history(alice, page):
        """A new browser shows all that was said, from the archive, and each line once."""
        said = [TRICKY, *(f"missed {number}" for number in range(5)), "after the reload",
                "to the page"]
        lines = sorted([*said, *(f"echo: {line}" for line in said), "reload", "from the phone"])
        await page.report("shown", **{"with": alice.boundjid.bare}, bodies=lines)

    async def converse(self, start, service="", also=None, again_also=None):
        """What programs/README.md says of a program, once through, and a second session."""
        name = self.fresh("bob")
        bare = f"{name}@{DOMAIN}"
        await self.a.add_user(name)
        alice = await self.a.user(self.fresh("alice"))
        bob = await start(name, bare, password_of(name), service)
        jid = (await bob.report("online", contacts=[]))["jid"]
        check(jid.startswith(f"{bare}/"), f"bound to {jid}")

        await self._become_contacts(alice, bob, bare, jid)
        alice.say(jid, TRICKY)
        await alice.message(f"echo: {TRICKY}", jid)
        alice.show(status="at the balcony")
        await bob.report("presence", **{"from": alice.boundjid.full}, type="available",
                         status="at the balcony")

        session = await self._session(bare)
        async with self.network.broken():
            await bob.report("disconnect")
            for number in range(5):
                alice.say(jid, f"missed {number}")
            await alice.barrier()
        await bob.report("resumed")
        for number in range(5):
            answer = await alice.message(sender=jid)
            check(answer["body"] == f"echo: missed {number}", f"{answer['body']!r} came")
        await alice.nothing(lambda s: s.name == "presence" and s["from"].full == jid,
                            "presence of the resumed client")
        if also:
            await also(alice, bob, jid)
        check(await self._session(bare) == session, f"{bob.library} has another session")

        await self._end(alice, bob, jid)
        await alice.presence(jid, "unavailable")

        again = await start(f"{name}-again", bare, password_of(name), service)
        jid = (await again.report("online", contacts=[alice.boundjid.bare]))["jid"]
        await alice.presence(jid, "available")
        await again.report("presence", **{"from": alice.boundjid.full}, type="available")
        if again_also:
            await again_also(alice, again)
        await self._end(alice, again, jid)

    @staticmethod
    async def _end(alice, program, jid):
        """By a headline, which no server keeps. Libraries end a stream without acknowledging what
        came last (XEP-0198), and a chat message would wait for the next session, and end it."""
        alice.say(jid, "end", kind="headline")
        await program.report("stopped")
        check(await program.end() == 0, f"{program.library} ended badly")

    async def _session(self, account):
        """(resource, time when it was bound) of the account's only session."""
        rows = await self.a.ctl("session", "list", account)
        check(len(rows) == 1, f"sessions of {account}: {rows}")
        return rows[0]["resource"], rows[0]["since"]

    @staticmethod
    async def _become_contacts(alice, bob, bare, jid):
        alice.show("subscribe", bare)
        await alice.presence(bare, "subscribed")
        await alice.presence(bare, "subscribe")
        alice.show("subscribed", bare)
        await alice.presence(jid, "available")
        await bob.report("contact", jid=alice.boundjid.bare, subscription="both")
        await bob.report("presence", **{"from": alice.boundjid.full}, type="available")

    # --- programs with a face of their own ---

    async def go_sendxmpp(self, transport):
        """Written in Go on go-xmpp; one run says something, another listens."""
        name = self.fresh("bob")
        await self.a.add_user(name)
        alice = await self.a.user(self.fresh("alice"))
        home = f"{self.lab.directory}/go-{name}"
        os.makedirs(home)

        async def start(run_name, *arguments):
            program = Program(self.lab, run_name, "go-sendxmpp")
            options = ["--tls"] if transport == "direct-tls" else []
            server = f"{DOMAIN}:{C2S_TLS_PORT if options else C2S_PORT}"
            await program.start(
                ["go-sendxmpp", "--debug", *options, "--jserver", server, "--username",
                 f"{name}@{DOMAIN}", "--password", password_of(name), *arguments],
                output=lambda line: line.decode("utf-8", "replace").rstrip(),
                SSL_CERT_FILE=self.lab.authority.trust, HOME=home)
            return program
        sender = await start(f"{name}-says", alice.boundjid.bare)
        sender.write(TRICKY)
        sender.write(None)
        check(await sender.end(DEADLINE_SECONDS) == 0,
              f"go-sendxmpp ended badly: {sender.describe()}")
        await alice.message(TRICKY, f"{name}@{DOMAIN}")

        alice.say(f"{name}@{DOMAIN}", "kept for you")
        listener = await start(f"{name}-listens", "--listen")
        await listener.take(lambda line: line.endswith("kept for you"), "offline message")
        alice.say(f"{name}@{DOMAIN}", TRICKY)
        await listener.take(lambda line: line.endswith(TRICKY), "message")

    async def profanity(self, transport):
        """A terminal client, used as a person does: keys in, screen out."""
        name = self.fresh("bob")
        bare = f"{name}@{DOMAIN}"
        await self.a.add_user(name)
        alice = await self.a.user(self.fresh("alice"))
        friend = alice.boundjid.bare
        bob = Profanity(self.lab, name)
        await bob.open()
        service = f" server {DOMAIN} port {C2S_TLS_PORT} tls legacy"
        await bob.log_in(bare, service if transport == "direct-tls" else "")

        alice.show("subscribe", bare)
        await bob.see(f"authorization request from {friend}")
        await bob.type(f"/sub allow {friend}")
        await alice.presence(bare, "subscribed")
        await bob.type(f"/sub request {friend}")
        await alice.presence(bare, "subscribe")
        alice.show("subscribed", bare)
        jid = str((await alice.presence(bare, "available"))["from"])
        # It shows the roster as it is then; this comes behind the change.
        await bob.see(f"{friend} (lab) is online")
        await bob.type("/roster")
        await bob.see(f"{friend} - both")
        alice.show(status="at the balcony")
        await bob.see("at the balcony")

        alice.say(jid, TRICKY)
        await bob.see(f"<< chat message: {friend}")
        await bob.type(f"/msg {friend}")
        await bob.see(TRICKY)
        await bob.type(f"echo: {TRICKY}")
        await alice.message(f"echo: {TRICKY}", jid)

        session = await self._session(bare)
        async with self.network.broken():
            await bob.see("Lost connection")
            alice.say(jid, "missed")
            await alice.barrier()
        await bob.see("missed")
        await bob.type("back again")
        await alice.message("back again", jid)
        check(await self._session(bare) == session, "profanity has another session")
        await bob.type("/quit")
        await alice.presence(jid, "unavailable")
        await bob.ended()
