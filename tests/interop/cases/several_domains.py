"""One Causeway that serves several domains under one certificate, and what its peers make of it: where a
peer allows it, all of them share one stream (XEP-0220 §2.6.1), and otherwise each has its own."""

from suite import Group, check

SERVED = ("one.test", "two.test", "three.test")
PEERS = {"causeway": "b.test", "prosody": "p.test", "ejabberd": "e.test"}


class SeveralDomains(Group):
    """Peers that verify certificates, and would also use dialback."""

    name = "several-domains"
    profile = "normal"
    weight = 2

    async def set_up(self):
        self.a = self.causeway(dict.fromkeys(SERVED, self.profile), policy="dialback")
        self.a.one_certificate = True
        self.peers = {
            kind: self.causeway(domain, policy="dialback", profile=self.profile)
            if kind == "causeway" else
            self.lab.server(kind, domain, policy="dialback", profile=self.profile)
            for kind, domain in PEERS.items()}

    def cases(self):
        return [(f"causeway-{kind}/messages", self._bind(kind)) for kind in PEERS] + [
            ("causeway-causeway/one-stream", self.one_stream)]

    def _bind(self, kind):
        async def case():
            return await self.messages(self.peers[kind])
        return case

    async def messages(self, peer):
        """Everybody hears everybody, whoever's stream it goes by; also after it was closed."""
        bob = await peer.user(self.fresh("bob"))
        people = [await self.a.user(self.fresh("alice"), domain=domain) for domain in SERVED]
        for turn in ("first", "second"):
            for person in people:
                person.say(bob.boundjid.bare, f"{turn} of {person.boundjid.domain}")
                await bob.message(f"{turn} of {person.boundjid.domain}", person.boundjid.full)
                bob.say(person.boundjid.bare, f"{turn} answer")
                await person.message(f"{turn} answer", bob.boundjid.full)
            if turn == "first" and self.a.kind == "causeway":
                await self.a.ctl("peer", "close", peer.domain)

    async def one_stream(self):
        """The peer sees one connection for all three."""
        if self.a.kind != "causeway":
            return
        peer = self.peers["causeway"]
        bob = await peer.user(self.fresh("bob"))
        for domain in SERVED:
            alice = await self.a.user(self.fresh("alice"), domain=domain)
            alice.say(bob.boundjid.bare, "here")
            await bob.message("here", alice.boundjid.full)
        rows = [row for row in await peer.ctl("peer", "list")
                if row["direction"] == "inbound" and row["domain"] in SERVED
                and row["target"] != "our own stream"]
        check(len(rows) == len(SERVED), f"{len(rows)} pairs: {rows}")
        check(len({row["address"] for row in rows}) == 1, f"several connections: {rows}")


class SeveralDomainsByDialback(SeveralDomains):
    """Nobody vouches for any certificate."""

    name = "several-domains-dialback"
    profile = "self-signed"
