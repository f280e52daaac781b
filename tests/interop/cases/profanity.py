"""profanity as people use it, with what it has of several devices and of the owner's decisions:
copies, the archive, blocking, the menus of its own account, and OMEMO here and across to Prosody."""

import json
from xml.etree import ElementTree

from lab import LabError
from lab.profanity import Profanity
from lab.server import C2S_PORT
from suite import Group, check

DOMAIN = "a.test"
ELSEWHERE = "p.test"
# Making keys takes it seconds of computing.
KEYS_SECONDS = 120
OMEMO = "eu.siacs.conversations.axolotl"


class Terminals(Group):
    name = "profanity"
    weight = 2

    async def set_up(self):
        self.a = self.causeway(DOMAIN, policy="certificate")
        self.p = self.lab.server("prosody", ELSEWHERE, policy="certificate")
        for server in (self.a, self.p):
            # Its own program resolves names.
            self.lab.dns.host(server.domain, server.address)
            self.lab.dns.service(server.domain, server.domain, C2S_PORT, "_xmpp-client._tcp")

    async def _log_in(self, server, name, device="first"):
        terminal = Profanity(self.lab, f"{name}-{device}")
        await terminal.open()
        await terminal.log_in(f"{name}@{server.domain}")
        return terminal

    async def _list_commands(self, terminal, bare):
        """Until it has heard what the server can do, the client says that there are no commands."""
        names = ("causeway:access", "causeway:requests", "causeway:views")
        for _ in range(10):
            await terminal.type("/clear")
            await terminal.type(f"/cmd list {bare}")
            screen = await terminal.see_either(names, ("does not support ad hoc commands",))
            if names[0] in screen:
                return
        raise LabError(f"the commands of {bare} are not shown")

    async def case_two_devices(self):
        """Each is copied what the other says and hears; a third shows it from the archive."""
        alice = await self.a.user(self.fresh("alice"))
        friend = alice.boundjid.bare
        name = self.fresh("bob")
        bare = f"{name}@{DOMAIN}"
        await self.a.add_user(name)
        one = await self._log_in(self.a, name, "one")
        two = await self._log_in(self.a, name, "two")
        await one.type(f"/msg {friend}")
        await one.type("from the first")
        heard = await alice.message("from the first", bare)
        await two.type(f"/msg {friend}")
        await two.see("from the first")
        alice.say(str(heard["from"]), "to the first")
        await one.see("to the first")
        await two.see("from the first", "to the first")
        await two.type("from the second")
        await alice.message("from the second", bare)
        await one.see("from the first", "to the first", "from the second")

        three = await self._log_in(self.a, name, "three")
        await three.type("/mam on")
        await three.see("Message Archive Management enabled")
        await three.type(f"/msg {friend}")
        screen = await three.see("from the first", "to the first", "from the second")
        for line in ("from the first", "to the first", "from the second"):
            check(screen.count(line) == 1, f"{line!r} is shown {screen.count(line)} times")

    async def case_blocking(self):
        alice = await self.a.user(self.fresh("alice"))
        friend = alice.boundjid.bare
        name = self.fresh("bob")
        bare = f"{name}@{DOMAIN}"
        await self.a.add_user(name)
        bob = await self._log_in(self.a, name)
        await bob.type(f"/blocked add {friend}")
        await bob.see(f"User {friend} successfully blocked")
        condition, _ = await alice.error(alice.say(bare, "let me in"))
        rules = await self.a.ctl("access", "test", bare, friend, "write")
        await bob.type(f"/blocked remove {friend}")
        await bob.see(f"User {friend} successfully unblocked")
        alice.say(bare, "and now")
        await bob.see(f"<< chat message: {friend}")
        await bob.type(f"/msg {friend}")
        screen = await bob.see("and now")
        check("let me in" not in screen, "the message of a blocked one is shown")
        return f"{condition}; {rules['reason']}"

    async def case_menus(self):
        """Its own account's commands, as forms in a window: a rule is made, tested, and holds."""
        alice = await self.a.user(self.fresh("alice"))
        friend = alice.boundjid.bare
        name = self.fresh("bob")
        bare = f"{name}@{DOMAIN}"
        await self.a.add_user(name)
        bob = await self._log_in(self.a, name)
        await self._list_commands(bob, bare)
        await self._begin(bob, bare, "add")
        await self._fill(bob, f"jid:{friend}", "write", "deny")
        await bob.see(f"Added: {friend} may not send messages.")
        await alice.error(alice.say(bare, "let me in"))
        await self._begin(bob, bare, "test")
        await self._fill(bob, friend, "write")
        await bob.see("deny", "rule 1")
        rules = await self.a.ctl("access", "list", bare)
        check([rule["subject"] for rule in rules] == [f"jid:{friend}"], f"rules: {rules}")

    @staticmethod
    async def _begin(bob, bare, action):
        await bob.type(f"/cmd exec causeway:access {bare}")
        await bob.see("Form title: Access rules")
        await bob.type(f"/field1 {action}")
        await bob.see("Field updated")
        await bob.type("/form submit")

    @staticmethod
    async def _fill(bob, *values):
        await bob.see("[field1] ", "[field2] What it is about")
        for number, value in enumerate(values, 1):
            await bob.type(f"/field{number} {value}")
        await bob.type("/form submit")
        await bob.type("/win 1")

    async def case_omemo(self):
        """Between two accounts here."""
        await self._encrypted(self.a, self.a)

    async def case_omemo_across_to_prosody(self):
        await self._encrypted(self.a, self.p)

    async def _encrypted(self, here, there):
        names = self.fresh("bob"), self.fresh("carol")
        people = []
        for name, server in zip(names, (here, there)):
            await server.add_user(name)
            if server.kind == "prosody":
                await self._begin_device_list(server, name)
            people.append(await self._log_in(server, name))
        bob, carol = people
        addresses = [f"{name}@{server.domain}" for name, server in zip(names, (here, there))]
        for one in people:
            await one.type("/omemo trustmode blind")
            await one.type("/omemo gen")
        for one in people:
            await one.see("materials generated", deadline=KEYS_SECONDS)
        for one, other in zip(people, reversed(addresses)):
            await one.type(f"/sub request {other}")
        for one, other in zip(people, reversed(addresses)):
            await one.see(f"authorization request from {other}")
            await one.type(f"/sub allow {other}")
        for one, other in zip(people, reversed(addresses)):
            await one.see(f"{other} (profanity", ") is online")
            await one.type(f"/omemo start {other}")
            await one.see("[OMEMO]")
        await bob.type("top secret")
        await carol.see("top secret")
        await carol.type("very secret")
        await bob.see("very secret")
        kept = json.dumps(await here.ctl("archive", "show", addresses[0]))
        check("secret" not in kept, f"the server could read it: {kept}")

    @staticmethod
    async def _begin_device_list(server, name):
        """profanity publishes its first list only when an error has the number 404 (XEP-0086), which
        Prosody gives none."""
        client = await server.login(name, plugins=("xep_0004", "xep_0060"))
        form = client["xep_0004"].make_form(ftype="submit")
        form.add_field(var="FORM_TYPE", ftype="hidden",
                       value="http://jabber.org/protocol/pubsub#publish-options")
        form.add_field(var="pubsub#access_model", value="open")
        await client["xep_0060"].publish(client.boundjid.bare, f"{OMEMO}.devicelist", id="current",
                                         payload=ElementTree.Element(f"{{{OMEMO}}}list"),
                                         options=form)
        await client.close()
