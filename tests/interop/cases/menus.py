"""What the owner of an account decides, by the menus of a stock client: slixmpp's own plugin for
commands (XEP-0050) adds and tests access rules, takes what is held, and makes presence views."""

import asyncio

from lab import LabTimeout, until
from suite import Group, check

COMMANDS = "http://jabber.org/protocol/commands"
PLUGINS = ("xep_0004", "xep_0030", "xep_0050", "xep_0115", "xep_0199")
STEP_SECONDS = 30


class Menus(Group):
    name = "menus"

    async def set_up(self):
        self.a = self.causeway("a.test")

    async def _pair(self):
        """Two friends, both available."""
        alice = await self.a.user(self.fresh("alice"), plugins=PLUGINS)
        bob = await self.a.user(self.fresh("bob"))
        for asker, asked in ((alice, bob), (bob, alice)):
            asker.show("subscribe", asked.boundjid.bare)
            await asked.presence(asker.boundjid.bare, "subscribe")
            asked.show("subscribed", asker.boundjid.bare)
            await asker.presence(asked.boundjid.full, "available")
        return alice, bob

    async def case_menus_are_found(self):
        """On the account's own address, for its owner alone."""
        alice, bob = await self._pair()
        bare = alice.boundjid.bare
        found = await alice["xep_0030"].get_info(bare)
        check(COMMANDS in found["disco_info"]["features"], f"features: {found}")
        found = await alice["xep_0050"].get_commands(bare)
        nodes = {node: name for _, node, name in found["disco_items"]["items"]}
        check(nodes.get("causeway:access") == "Access rules"
              and {"causeway:views", "causeway:requests"} <= set(nodes), f"commands: {nodes}")
        bob.register_plugin("xep_0050")
        found = await bob["xep_0050"].get_commands(bare)
        check(not found["disco_items"]["items"], f"a contact is shown {found}")

    async def case_a_rule_denies_until_it_is_removed(self):
        alice, bob = await self._pair()
        friend = bob.boundjid.bare
        told = await Menu(alice, "causeway:access").choose("add", subject=f"jid:{friend}",
                                                           act="write", answer="deny")
        check(friend in told.note, f"the rule was added with {told.note!r}")
        told = await Menu(alice, "causeway:access").choose("test", who=friend, act="write")
        check("deny" in told.note and "rule 1" in told.note, f"the test says {told.note!r}")
        identifier = bob.say(alice.boundjid.bare, "let me in")
        condition, _ = await bob.error(identifier)
        await alice.nothing(lambda s: s.name == "message" and s["body"] == "let me in",
                            "message of somebody who may not write")

        menu = Menu(alice, "causeway:access")
        form = await menu.start()
        check(any(friend in text for text in form.texts), f"the list shows {form.texts}")
        form = await menu.next(action="remove")
        (chosen, sentence), = form.options("number")
        check(friend in sentence, f"the rule to remove is {sentence!r}")
        await menu.complete(number=chosen)
        bob.say(alice.boundjid.bare, "and now")
        await alice.message("and now", friend)
        return f"refused with {condition}"

    async def case_a_mistake_is_explained_and_mended(self):
        """A step that is wrong leaves the form open, as does one step back."""
        alice, bob = await self._pair()
        menu = Menu(alice, "causeway:access")
        await menu.start()
        await menu.next(action="add")
        refused = await menu.complete(subject="jid:a@b@c", act="write", answer="deny")
        check(refused.error and refused.error[1], f"no reason for {refused.error}")
        refused = await menu.complete(subject="anyone", act="see", answer="allow")
        check(refused.error and refused.error[1], f"no reason for {refused.error}")
        form = await menu.back()
        check(form.fields["action"], f"one step back is {form.fields}")
        await menu.next(action="add")
        await menu.complete(subject=f"jid:{bob.boundjid.bare}", act="see", answer="nothing")
        await bob.presence(alice.boundjid.full, "unavailable")

        menu = Menu(alice, "causeway:access")
        await menu.start()
        told = await menu.cancel()
        check(told.status == "canceled", f"after the cancelling: {told.status}")

    async def case_what_is_held_is_accepted(self):
        alice = await self.a.user(self.fresh("alice"), plugins=PLUGINS)
        bob = await self.a.user(self.fresh("bob"))
        await Menu(alice, "causeway:access").choose("add", subject="subscription:none",
                                                    act="write", answer="hold")
        bob.say(alice.boundjid.bare, "we have not met")
        await bob.barrier()
        await alice.nothing(lambda s: s.name == "message" and s["body"] == "we have not met",
                            "message that is held")

        async def listed():
            # It waits in the store, which bob's next answer does not wait for.
            menu = Menu(alice, "causeway:requests")
            form = await menu.start()
            return (menu, form) if "number" in form.fields else None
        menu, form = await until(listed, "message among what is held")
        held = [value for value, label in form.options("number") if bob.boundjid.bare in label]
        check(len(held) == 1, f"held: {form.options('number')}")
        await menu.complete(number=held[0], action="accept")
        await alice.message("we have not met", bob.boundjid.bare)

    async def case_a_view_is_made_and_seen(self):
        alice, bob = await self._pair()
        alice.show(status="in the garden")
        await bob.presence(alice.boundjid.full, "available", "in the garden")
        await Menu(alice, "causeway:views").choose("set", name="office", extent="all",
                                                   show="dnd", status="at work")
        menu = Menu(alice, "causeway:access")
        await menu.start()
        form = await menu.next(action="add")
        check("office" in dict(form.options("answer")), f"answers: {form.options('answer')}")
        await menu.complete(subject=f"jid:{bob.boundjid.bare}", act="see", answer="office")
        seen = await bob.presence(alice.boundjid.full, "available", "at work")
        check(seen["show"] == "dnd", f"bob is shown {seen}")
        told = await Menu(alice, "causeway:access").choose("test", who=bob.boundjid.bare,
                                                           act="see")
        check("office" in told.note, f"the test says {told.note!r}")
        alice.show(status="still in the garden")
        await alice.barrier()
        await bob.nothing(lambda s: s.name == "presence" and "garden" in s["status"],
                          "status behind the view")


class Answer:
    """What a step was answered: a form, a note, or an error as (condition, text)."""

    def __init__(self, iq):
        self.error = None
        if iq["type"] == "error":
            self.error = (iq["error"]["condition"], iq["error"]["text"])
            return
        command = iq["command"]
        self.status = command["status"]
        self.session = command["sessionid"]
        self.note = " ".join(text for _, text in command["notes"])
        self.fields = {}
        self.texts = []
        if command.xml.find("{jabber:x:data}x") is None:
            return
        for name, field in command["form"].get_fields().items():
            self.fields[name] = field
        self.texts = [element.text or "" for element in
                      command.xml.findall("{jabber:x:data}x/{jabber:x:data}field[@type='fixed']"
                                          "/{jabber:x:data}value")]

    def options(self, field):
        """[(value, label)]"""
        return [(option["value"], option["label"]) for option in self.fields[field]["options"]]


class Menu:
    """One run of a command of the own account, step by step, as the plugin drives it."""

    def __init__(self, client, node):
        self.client = client
        self.plugin = client["xep_0050"]
        self.node = node
        self.answer = None
        self.session = {"next": self._answered, "error": self._answered}

    def _answered(self, iq, session):
        if not self.answer.done():
            self.answer.set_result(iq)

    async def _step(self, what, act):
        self.answer = asyncio.get_running_loop().create_future()
        act()
        try:
            iq = await asyncio.wait_for(self.answer, STEP_SECONDS)
        except asyncio.TimeoutError:
            raise LabTimeout(f"{self.node} does not answer \"{what}\"") from None
        return Answer(iq)

    async def start(self):
        return await self._step("start", lambda: self.plugin.start_command(
            self.client.boundjid.bare, self.node, self.session))

    def _fill(self, values):
        form = self.client["xep_0004"].make_form(ftype="submit")
        for name, value in values.items():
            form.add_field(var=name, value=value)
        self.session["payload"] = [form]

    async def next(self, **values):
        self._fill(values)
        return await self._step("next", lambda: self.plugin.continue_command(self.session))

    async def back(self):
        self.session["payload"] = None
        return await self._step("prev", lambda: self.plugin.continue_command(self.session,
                                                                             "prev"))

    async def complete(self, **values):
        self._fill(values)
        return await self._step("complete", lambda: self.plugin.complete_command(self.session))

    async def cancel(self):
        self.session["payload"] = None
        return await self._step("cancel", lambda: self.plugin.cancel_command(self.session))

    async def choose(self, action, **values):
        """The menu's first form, then the action's own; it must be done then."""
        await self.start()
        form = await self.next(action=action)
        check(set(values) <= set(form.fields), f"the form has {list(form.fields)}")
        told = await self.complete(**values)
        check(not told.error and told.status == "completed",
              f"{action} {values}: {told.error or told.status}")
        return told
