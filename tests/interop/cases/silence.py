"""A cable is pulled: nothing is refused and nothing ends, and it is noticed all the same."""

import asyncio
import time

from lab import until
from lab.cable import Cable
from suite import Group, check, deadline

CLIENT_ADDRESS = "127.0.0.1"
CLIENT_SECONDS = 90
LINK_SECONDS = 60
# From the end of a connection until causewayctl shows it.
MARGIN_SECONDS = 5


class Silence(Group):
    name = "silence"
    weight = 4

    async def set_up(self):
        self.a = self.causeway("a.test")
        self.b = self.causeway("b.test")
        self.c = self.lab.server("prosody", "c.test")

    async def _links(self, domain):
        links = (await self.a.ctl("peer", "list")) or []
        return {link["direction"] for link in links
                if link["domain"] == domain and link["state"] == "established"}

    async def _noticed(self, cables, gone, seconds, meanwhile=None):
        """Pulls the cables; how long it took until `gone`."""
        for cable in cables:
            await cable.pull()
        start = time.monotonic()
        try:
            async def look():
                if meanwhile:
                    meanwhile()
                await asyncio.sleep(1)
                return await gone()
            await until(look, "notice of the pulled cable", deadline=seconds + MARGIN_SECONDS)
        finally:
            for cable in cables:
                await cable.plug_in()
        return time.monotonic() - start

    @deadline(CLIENT_SECONDS + 60)
    async def case_client_without_stream_management(self):
        """It is sent nothing, and has never answered anything."""
        name = self.fresh("alice")
        alice = await self.a.user(name)
        await alice.become_available()

        async def gone():
            return not await self.a.ctl("session", "list", f"{name}@a.test")
        took = await self._noticed([Cable(CLIENT_ADDRESS, self.a.address)], gone, CLIENT_SECONDS)
        check(took <= CLIENT_SECONDS + MARGIN_SECONDS, f"noticed after {took:.0f} s")

    async def _linked(self, peer):
        alice = await self.a.user(self.fresh("alice"))
        bob = await peer.user(self.fresh("bob"))
        alice.say(bob.boundjid.bare, "there")
        await bob.message("there", alice.boundjid.full)
        bob.say(alice.boundjid.bare, "and back")
        await alice.message("and back", bob.boundjid.full)

        async def both():
            return await self._links(peer.domain) == {"inbound", "outbound"}
        await until(both, "streams in both directions")
        return alice, bob

    async def _link_is_noticed(self, peer, meanwhile=None):
        async def gone():
            return not await self._links(peer.domain)
        cables = [Cable(self.a.address, peer.address)]
        if peer is self.c:  # it does not choose the address that it connects from
            cables.append(Cable(self.a.address, CLIENT_ADDRESS))
        took = await self._noticed(cables, gone, LINK_SECONDS, meanwhile)
        check(took <= LINK_SECONDS + MARGIN_SECONDS, f"noticed after {took:.0f} s")

    @deadline(LINK_SECONDS + 60)
    async def case_idle_link(self):
        await self._linked(self.b)
        await self._link_is_noticed(self.b)

    @deadline(LINK_SECONDS + 60)
    async def case_idle_link_with_prosody(self):
        await self._linked(self.c)
        await self._link_is_noticed(self.c)

    @deadline(LINK_SECONDS + 90)
    async def case_link_in_use(self):
        """And what was sent meanwhile arrives when the cable is back."""
        alice, bob = await self._linked(self.b)
        sent = []

        def say():
            if len(sent) < 10:
                alice.say(bob.boundjid.bare, f"number {len(sent)}")
                sent.append(len(sent))
        await self._link_is_noticed(self.b, say)
        await self.a.ctl("peer", "retry", "b.test")
        for number in sent:
            stanza = await bob.message(sender=alice.boundjid.full)
            check(stanza["body"] == f"number {number}",
                  f"in the place of {number} came {stanza['body']}")
