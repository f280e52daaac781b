"""What a person does with an account from a stock client (slixmpp): the administrator's menu,
bookmarks in private storage, a card with an avatar, a new password, the end of the account."""

import asyncio
import hashlib

from lab import LabError
from lab.client import Client
from lab.server import password_of
from lab.waiting import until
from suite import Group, check

PLUGINS = ("xep_0030", "xep_0050", "xep_0133")


class Accounts(Group):
    name = "accounts"
    weight = 1

    async def set_up(self):
        self.a = self.causeway("a.test", domain_settings={"administrators": ["chief@a.test"]})
        self.lab.dns.host("a.test", self.a.address)

    async def _chief(self):
        if "chief@a.test" not in {user["jid"] for user in await self.a.ctl("user", "list")}:
            await self.a.add_user("chief")
        return await self.a.login("chief", resource=self.fresh("desk"), plugins=PLUGINS)

    @staticmethod
    async def _command(client, node, values):
        """Executes it as slixmpp does: the form is filled in, and the command completed. Returns
        the notes and the values of the result."""
        done = asyncio.get_running_loop().create_future()

        def fill_in(iq, session):
            form = iq["command"]["form"]
            for name, value in values.items():
                if name not in form.get_fields():
                    done.set_exception(LabError(f"{node} has no field {name}"))
                    return
                form.set_values({name: value})
            form["type"] = "submit"
            session["payload"] = form
            session["next"] = finished
            client["xep_0050"].complete_command(session)

        def finished(iq, _):
            done.set_result(([note[1] for note in iq["command"]["notes"]],
                             iq["command"]["form"].get_values()))

        def failed(iq, _):
            done.set_exception(LabError(f"{node}: {iq['error']['condition']}"))

        client["xep_0050"].start_command(
            "a.test", f"http://jabber.org/protocol/admin#{node}",
            {"next": fill_in if values else finished, "error": failed})
        return await asyncio.wait_for(done, 20)

    async def case_an_administrator_finds_the_commands(self):
        chief = await self._chief()
        items = await chief["xep_0050"].get_commands("a.test")
        nodes = {item[1] for item in items["disco_items"]["items"]}
        check("http://jabber.org/protocol/admin#add-user" in nodes, f"commands: {nodes}")
        other = await self.a.user(self.fresh("user"), plugins=PLUGINS)
        items = await other["xep_0050"].get_commands("a.test")
        check(not items["disco_items"]["items"], "somebody else is shown the commands")

    async def case_an_administrator_adds_lists_and_removes(self):
        chief = await self._chief()
        user = self.fresh("user")
        jid = f"{user}@a.test"
        password = password_of(user)
        notes, _ = await self._command(chief, "add-user", {
            "accountjid": jid, "password": password, "password-verify": password})
        check(notes == [f"Added {jid}."], f"notes: {notes}")
        client = await self.a.login(user)
        await client.become_available()
        _, values = await self._command(chief, "get-online-users-list", {"max_items": "none"})
        check(jid in values["onlineuserjids"], f"online: {values}")
        _, values = await self._command(chief, "get-registered-users-num", {})
        check(int(values["registeredusersnum"]) >= 2, f"registered: {values}")
        await self._command(chief, "announce", {"announcement": "Good evening"})
        await client.message("Good evening", "a.test", "headline")
        await self._command(chief, "delete-user", {"accountjids": [jid]})
        shown = {row["jid"] for row in await self.a.ctl("user", "list")}
        check(jid not in shown, f"still there: {shown}")

    async def case_a_wrong_form_is_explained(self):
        chief = await self._chief()
        try:
            await self._command(chief, "change-user-password",
                                {"accountjid": "nobody@a.test", "password": "x"})
        except LabError as error:
            check("item-not-found" in str(error), f"error: {error}")
        else:
            raise LabError("the password of nobody was changed")

    async def case_bookmarks_in_private_storage(self):
        plugins = ("xep_0030", "xep_0048")
        user = self.fresh("user")
        one = await self.a.user(user, plugins=plugins)
        marks = one["xep_0048"].stanza.Bookmarks()
        marks.add_conference("orchard@rooms.a.test", "romeo", name="The orchard", autojoin=True)
        await one["xep_0048"].set_bookmarks(marks)
        two = await self.a.login(user, resource="two", plugins=plugins)
        answer = await two["xep_0048"].get_bookmarks()
        kept = answer["private"]["bookmarks"]["conferences"]
        found = [(mark["jid"], mark["nick"]) for mark in kept]
        check(found == [("orchard@rooms.a.test", "romeo")], f"bookmarks: {found}")

    async def case_a_card_with_an_avatar(self):
        alice = await self.a.user(self.fresh("alice"), plugins=("xep_0030", "xep_0153"))
        bob = await self.a.user(self.fresh("bob"), plugins=("xep_0030", "xep_0054"))
        alice.show("subscribe", bob.boundjid.bare)
        await bob.presence(alice.boundjid.bare, "subscribe")
        bob.show("subscribe", alice.boundjid.bare)
        await alice.presence(bob.boundjid.bare, "subscribe")
        alice.show("subscribed", bob.boundjid.bare)
        await bob.presence(alice.boundjid.full, "available")
        picture = b"not much of a picture"
        await alice["xep_0153"].set_avatar(avatar=picture, mtype="image/png")
        digest = hashlib.sha1(picture).hexdigest()
        photo = "{vcard-temp:x:update}x/{vcard-temp:x:update}photo"
        await bob.expect(lambda s: s.name == "presence" and s.xml.findtext(photo) == digest,
                         "presence with the hash of the photo")
        card = await bob["xep_0054"].get_vcard(alice.boundjid.bare)
        check(card["vcard_temp"]["PHOTO"]["BINVAL"] == picture, f"card: {card}")

    async def case_a_new_password(self):
        plugins = ("xep_0030", "xep_0077")
        user = self.fresh("user")
        client = await self.a.user(user, plugins=plugins)
        await client["xep_0077"].change_password("another password", jid="a.test")
        await Client.login(self.a, f"{user}@a.test/new", "another password")
        try:
            await self.a.login(user, resource="old")
        except LabError as error:
            check("not-authorized" in str(error), f"error: {error}")
        else:
            raise LabError("the old password is still in force")

    async def case_an_account_ends(self):
        user = self.fresh("user")
        client = await self.a.user(user, plugins=("xep_0030", "xep_0077"))
        await client["xep_0077"].cancel_registration()
        await client.lost()

        # Nobody can log in from the answer on; what was stored is erased behind it.
        async def is_gone():
            return f"{user}@a.test" not in {row["jid"] for row in await self.a.ctl("user", "list")}

        await until(is_gone, f"end of {user}@a.test")

    async def case_subscriptions_with_another_domain(self):
        alice = await self.a.user(self.fresh("alice"))
        jid = alice.boundjid.bare
        bob = await self.a.user(self.fresh("bob"))
        bob.show("subscribe", jid)
        await alice.presence(bob.boundjid.bare, "subscribe")
        alice.show("subscribed", bob.boundjid.bare)
        await bob.presence(jid, "subscribed")
        told = await self.a.ctl("subscriptions", "--domain", "a.test")
        pair = {"here": str(bob.boundjid.bare), "there": str(jid)}
        check(pair in told["here_to_there"], f"told: {told}")
        status, text = await self.a.ctl_text("subscriptions", "--domain", "a.test")
        check(status == 0 and f"{bob.boundjid.bare} to {jid}" in text, f"text: {text}")
        check("approved" not in text and "account" not in text, f"text: {text}")
        status, text = await self.a.ctl_text("subscriptions", jid)
        check(status == 0 and "approved in advance" in text, f"text: {text}")
