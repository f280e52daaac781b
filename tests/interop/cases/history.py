"""One conversation on several devices of a stock client: what slixmpp is copied (XEP-0280), finds
in the archive (XEP-0313) and is given again after a cut and after a kill -9 of the server."""

from suite import Group, check

PLUGINS = ("xep_0030", "xep_0115", "xep_0199", "xep_0280", "xep_0313", "xep_0359")
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
ARCHIVE = "urn:xmpp:mam:2"
PAGE = 4


class History(Group):
    name = "history"

    async def set_up(self):
        self.a = self.causeway("a.test")

    async def _device(self, name, resource):
        client = await self.a.login(name, resource=resource, plugins=PLUGINS,
                                    stream_management=True)
        found = await client["xep_0030"].get_info(client.boundjid.domain)
        check("urn:xmpp:carbons:2" in found["disco_info"]["features"], f"features: {found}")
        found = await client["xep_0030"].get_info(client.boundjid.bare)
        check({ARCHIVE, f"{ARCHIVE}#extended"} <= set(found["disco_info"]["features"]),
              f"features of the account: {found}")
        await client["xep_0280"].enable()
        await client.become_available()
        return client

    async def case_two_devices(self):
        """Carbons, resumption after a cut and a crash, and the archive agree with one another."""
        alice = await self.a.user(self.fresh("alice"), plugins=PLUGINS, stream_management=True)
        name = self.fresh("bob")
        await self.a.add_user(name)
        laptop = await self._device(name, "laptop")
        phone = await self._device(name, "phone")
        talk = Talk(alice, laptop, phone)
        for number in range(3):
            await talk.heard(f"one {number}")
            await talk.answered(f"two {number}")

        phone.drop()
        await phone.lost()
        await talk.heard("while the phone is away", phone_sees=False)
        await talk.answered("still", phone_sees=False)
        await self._resume(phone)
        await talk.catch_up()
        await talk.heard("there again")

        await self.a.kill()
        for client in (alice, laptop, phone):
            await client.lost()
        await self.a.start()
        for client in (alice, phone, laptop):
            await self._resume(client)
        await talk.heard("after the crash")
        await talk.answered("and back")

        for client in (laptop, phone, await self._device(name, "tablet")):
            await self._judge_archive(client, talk.lines, talk.identifiers)
        await self._judge_archive(alice, talk.lines, None)
        return f"{len(talk.lines)} messages on four devices"

    @staticmethod
    async def _resume(client):
        # Debian's slixmpp counts what it forgets when it resumes.
        client["xep_0198"].unacked_queue.clear()
        await client.open()
        check(client.resumed.is_set(), f"{client.boundjid} was not resumed")

    async def _judge_archive(self, client, lines, identifiers):
        archive = client["xep_0313"]
        forwards = [message async for message in archive.iterate(rsm={"max": PAGE})]
        check([_line(message) for message in forwards] == lines,
              f"{client.boundjid} is told {[_line(message) for message in forwards]}")
        told = [message["mam_result"]["id"] for message in forwards]
        check(all(live in (None, kept) for live, kept in zip(identifiers or told, told)),
              f"the archive's ids are {told}, the live ones were {identifiers}")
        backwards = [message["mam_result"]["id"] async for message in
                     archive.iterate(reverse=True, rsm={"max": PAGE})]
        check(backwards == told[::-1], f"backwards the ids are {backwards}")
        data = (await archive.get_archive_metadata())["mam_metadata"]
        check([data["start"]["id"], data["end"]["id"]] == [told[0], told[-1]],
              f"metadata: {data}")
        fields = await archive.get_fields()
        check({"with", "start", "end", "before-id", "after-id", "ids"}
              <= set(fields.get_fields()), f"fields of a query: {fields}")


class Talk:
    """Alice and a laptop, with a phone that is copied; remembers what was said, and the ids."""

    def __init__(self, alice, laptop, phone):
        self.alice, self.laptop, self.phone = alice, laptop, phone
        self.lines = []
        self.identifiers = []
        self._missed = []

    async def heard(self, text, phone_sees=True):
        self.alice.say(self.laptop.boundjid.full, text)
        await self.expect_heard(text, phone_sees)

    async def expect_heard(self, text, phone_sees=True):
        stanza = await self.laptop.message(text, self.alice.boundjid.full)
        identifier = self._note(text, stanza.xml)
        await self._copied("carbon_received", text, identifier, phone_sees)

    async def answered(self, text, phone_sees=True):
        self.laptop.say(self.alice.boundjid.full, text)
        await self.alice.message(text, self.laptop.boundjid.full)
        self._note(text, None)
        await self._copied("carbon_sent", text, None, phone_sees)

    def _note(self, text, xml):
        self.lines.append(text)
        self.identifiers.append(None if xml is None else _identifier(xml, self.phone))
        return self.identifiers[-1]

    async def _copied(self, kind, text, identifier, phone_sees):
        if not phone_sees:
            self._missed.append((kind, text, identifier, len(self.lines) - 1))
            return
        await self._take_copy(kind, text, identifier, len(self.lines) - 1)

    async def _take_copy(self, kind, text, identifier, index):
        def matches(stanza):
            return (stanza.name == "message" and stanza["from"] == self.phone.boundjid.bare
                    and stanza.xml.find(f"{{urn:xmpp:carbons:2}}{kind[7:]}") is not None)
        copy = await self.phone.expect(matches, f"copy of {text!r}")
        inner = copy[kind]
        check(inner["body"] == text, f"the copy is of {inner['body']!r}, not of {text!r}")
        told = _identifier(inner.xml, self.phone)
        check(identifier in (None, told), f"the copy's id is {told}, the message's {identifier}")
        self.identifiers[index] = told

    async def catch_up(self):
        """The copies that waited come, in order, once."""
        for missed in self._missed:
            await self._take_copy(*missed)
        self._missed = []


def _identifier(xml, owner):
    return next((element.get("id") for element in xml.findall(STANZA_ID)
                 if element.get("by") == owner.boundjid.bare), None)


def _line(message):
    return message["mam_result"]["forwarded"]["stanza"]["body"]
