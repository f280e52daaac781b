"""One stream between two servers carries both directions (XEP-0288)."""

from lab import until
from suite import Group, check

CLOSED_PORT = 5999
OUR_STREAM, ITS_STREAM = "our own stream", "its own stream"


class Bidirectional(Group):
    name = "bidirectional"
    weight = 3

    async def set_up(self):
        self.a = self.causeway("a.test")
        self.b = self.causeway("b.test")
        self.p = self.lab.server("prosody", "p.test")
        # Nobody outside can reach these two: they have to call.
        self.hidden = self.causeway("hidden.test", transport=None)
        self.q = self.lab.server("prosody", "q.test", transport=None)
        for server in (self.hidden, self.q):
            self.lab.dns.host(f"xmpp.{server.domain}", server.address)
            self.lab.dns.service(server.domain, f"xmpp.{server.domain}", CLOSED_PORT)
        for server in (self.p, self.q):
            server.further_modules = ("s2s_bidi",)

    async def _links(self, domain, server=None):
        """(direction, target) of what stands with that domain."""
        links = (await (server or self.a).ctl("peer", "list")) or []
        return {(link["direction"], link["target"]) for link in links
                if link["domain"] == domain and link["state"] == "established"}

    async def _talk(self, one, other):
        """Who is first has the stream opened."""
        one.say(other.boundjid.bare, "there")
        await other.message("there", one.boundjid.full)
        for number in range(20):
            other.say(one.boundjid.full, f"back {number}")
            one.say(other.boundjid.full, f"there {number}")
        for number in range(20):
            for reader, word, writer in ((one, "back", other), (other, "there", one)):
                stanza = await reader.message(sender=writer.boundjid.full)
                check(stanza["body"] == f"{word} {number}",
                      f"{stanza['body']!r} in the place of {word} {number}")

    async def _two(self, peer):
        async def none():
            # What was under way may open another one.
            if not await self._links(peer.domain):
                return True
            await self.a.ctl("peer", "close", peer.domain)
            return False
        await until(none, "end of the streams")
        return (await self.a.user(self.fresh("alice")), await peer.user(self.fresh("bob")))

    async def _opened_by_us(self, peer):
        alice, bob = await self._two(peer)
        await self._talk(alice, bob)
        links = await self._links(peer.domain)
        check(len(links) == 2 and ("inbound", OUR_STREAM) in links, f"the links are {links}")

    async def _opened_by_peer(self, peer):
        alice, bob = await self._two(peer)
        await self._talk(bob, alice)
        links = await self._links(peer.domain)
        check(links == {("inbound", ""), ("outbound", ITS_STREAM)}, f"the links are {links}")

    async def case_prosody_accepts(self):
        await self._opened_by_us(self.p)

    async def case_prosody_opens(self):
        await self._opened_by_peer(self.p)

    async def case_causeway_accepts(self):
        await self._opened_by_us(self.b)

    async def case_causeway_opens(self):
        await self._opened_by_peer(self.b)

    async def _unreachable(self, peer):
        """What waits for it comes when it calls, and what follows as well."""
        alice = await self.a.user(self.fresh("alice"))
        bob = await peer.user(self.fresh("bob"))
        for number in range(5):
            alice.say(bob.boundjid.bare, f"waits {number}")

        async def queued():
            queue = await self.a.ctl("queue", "list") or []
            return any(row["domain"] == peer.domain and row["stanzas"] == 5 for row in queue)
        await until(queued, "five messages in the queue")
        bob.say(alice.boundjid.full, "I call")
        await alice.message("I call", bob.boundjid.full)
        for number in range(5):
            stanza = await bob.message(sender=alice.boundjid.full)
            check(stanza["body"] == f"waits {number}",
                  f"{stanza['body']!r} in the place of waits {number}")
        await self._talk(alice, bob)
        links = await self._links(peer.domain)
        check(links == {("inbound", ""), ("outbound", ITS_STREAM)}, f"the links are {links}")

    async def case_prosody_that_cannot_be_reached(self):
        await self._unreachable(self.q)

    async def case_causeway_that_cannot_be_reached(self):
        await self._unreachable(self.hidden)
