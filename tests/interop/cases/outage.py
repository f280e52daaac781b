"""Peers that stop and come back: what waits, waits in the store, in order, and arrives once."""

from lab import until
from lab.faults import refusing_address
from suite import Group, check, deadline

PING = "{urn:xmpp:ping}ping"
MESSAGES = 20
# From the peer's return to the next attempt that nobody asked for.
RETRY_SECONDS = 90


class Outage(Group):
    name = "outage"
    weight = 4

    async def set_up(self):
        self.a = self.causeway("a.test")
        self.peers = {
            "causeway": self.causeway("b.test"),
            "prosody": self.lab.server("prosody", "p.test"),
            "ejabberd": self.lab.server("ejabberd", "e.test"),
        }
        for peer in self.peers.values():
            self.lab.dns.host(f"away.{peer.domain}", refusing_address(self.lab))

    def cases(self):
        restarts = [(f"{kind}/restart", self._bind(self.restart, kind)) for kind in ("causeway", "prosody", "ejabberd")]
        return restarts + super().cases()

    def _bind(self, method, kind):
        async def case():
            return await method(self.peers[kind])
        return case

    async def _alice_and_bob(self, peer):
        """Both there, and the link up in both directions."""
        if not peer.process.alive:  # an earlier case failed half-way
            await peer.start()
            await self._publish_target(peer, f"xmpp.{peer.domain}")
        alice = await self.a.user(self.fresh("alice"))
        name = self.fresh("bob")
        bob = await peer.user(name)
        alice.say(bob.boundjid.bare, "before")
        await bob.message("before", alice.boundjid.full)
        # A peer that stops before it has answered what is behind the message would get it again.
        await alice.request("get", peer.domain, PING)
        return alice, bob, name

    async def _send_into_the_void(self, alice, peer, name, count):
        """Messages wait without an error; an iq gets its own, soon."""
        messages = [alice.say(f"{name}@{peer.domain}", f"waiting {number}")
                    for number in range(count)]
        answer = await alice.request("get", peer.domain, PING, deadline=45)
        check(answer.xml.get("type") == "error", f"a ping to a dead server: {answer}")
        await alice.nothing(lambda s: s.xml.get("id") in messages, "error for a waiting message")

    async def _keep_away(self, peer):
        """Point DNS at a dead address, so that the peer can start, and its users come back,
        before anything reaches it; returns once Causeway has seen that."""
        await self._publish_target(peer, f"away.{peer.domain}")

        async def tried_there():
            await self.a.ctl("peer", "retry", peer.domain)
            return "away." in str(await self.a.ctl("peer", "show", peer.domain))
        await until(tried_there, "attempt at the dead address")

    async def _let_in(self, peer):
        await self._publish_target(peer, f"xmpp.{peer.domain}")

        async def reached():
            await self.a.ctl("peer", "retry", peer.domain)
            links = (await self.a.ctl("peer", "show", peer.domain))["links"]
            return any((link["direction"], link["state"]) == ("outbound", "established")
                       for link in links)
        await until(reached, f"link to {peer.domain}")

    async def _publish_target(self, peer, target):
        self.lab.dns.remove(f"_xmpp-server._tcp.{peer.domain}")
        self.lab.dns.service(peer.domain, target)
        await self.lab.dns.publish()

    @staticmethod
    async def _arrive(alice_jid, bob, count):
        for number in range(count):
            stanza = await bob.message(sender=alice_jid)
            check(stanza["body"] == f"waiting {number}",
                  f"in the place of {number} came {stanza}")

    async def restart(self, peer):
        alice, bob, name = await self._alice_and_bob(peer)
        await peer.stop()
        await bob.lost()
        await self._send_into_the_void(alice, peer, name, MESSAGES)
        other = self.fresh("carol")
        alice.show("subscribe", f"{other}@{peer.domain}")
        await alice.barrier()
        await self._queue_has(peer.domain)
        await self._keep_away(peer)
        await peer.start()
        await peer.add_user(other)
        bob = await peer.login(name)
        await bob.become_available()
        carol = await peer.login(other)
        await carol.become_available()
        await self._let_in(peer)
        await self._arrive(alice.boundjid.full, bob, MESSAGES)
        await carol.presence(alice.boundjid.bare, "subscribe")
        alice.say(bob.boundjid.bare, "after")
        await bob.message("after", alice.boundjid.full)
        await bob.nothing(lambda s: s.name == "message", "message a second time")
        await until(lambda: self._queue_is_empty(peer.domain), "empty queue")

    @deadline(RETRY_SECONDS + 60)
    async def case_retried_without_being_told(self):
        peer = self.peers["prosody"]
        alice, _, name = await self._alice_and_bob(peer)
        await peer.kill()
        await self._send_into_the_void(alice, peer, name, 3)
        await peer.start()
        bob = await peer.login(name)
        await bob.become_available()
        # It may have been reached before he was there, and have kept them itself.
        for _ in range(3):
            await bob.message(sender=alice.boundjid.full, deadline=RETRY_SECONDS)

    async def case_queue_survives_own_restart(self):
        peer = self.peers["prosody"]
        alice, _, name = await self._alice_and_bob(peer)
        sender = alice.boundjid.full
        await peer.stop()
        await self._send_into_the_void(alice, peer, name, MESSAGES)
        status = await self.a.stop()
        check(status == 0, f"exit status {status} after SIGTERM")
        await alice.lost()
        await self.a.start()
        await self._queue_has(peer.domain)
        await self._keep_away(peer)
        await peer.start()
        bob = await peer.login(name)
        await bob.become_available()
        await self._let_in(peer)
        await self._arrive(sender, bob, MESSAGES)

    async def case_dropped_queue_never_arrives(self):
        """The admin gives a queue up: nothing of it arrives later, and new messages do."""
        peer = self.peers["prosody"]
        alice, _, name = await self._alice_and_bob(peer)
        await peer.stop()
        alice.say(f"{name}@{peer.domain}", "in vain")
        await until(lambda: self._queue_lists(peer.domain), f"{peer.domain} in the queue list")
        await self.a.ctl("queue", "drop", peer.domain)
        await until(lambda: self._queue_is_empty(peer.domain), "empty queue")
        await peer.start()
        bob = await peer.login(name)
        await bob.become_available()
        alice.say(f"{name}@{peer.domain}", "anew")
        await self.a.ctl("peer", "retry", peer.domain)
        stanza = await bob.message(sender=alice.boundjid.full)
        check(stanza["body"] == "anew", f"got {stanza['body']!r}")

    async def case_closed_link_is_opened_again(self):
        peer = self.peers["prosody"]
        alice, bob, _ = await self._alice_and_bob(peer)
        await self.a.ctl("peer", "close", peer.domain)
        alice.say(bob.boundjid.bare, "again")
        await bob.message("again", alice.boundjid.full)
        bob.say(alice.boundjid.bare, "still here")
        await alice.message("still here", bob.boundjid.full)

    async def case_presence_is_put_right_after_an_outage(self):
        """Presence is not queued; when the peer is back, it is asked for anew."""
        peer = self.peers["prosody"]
        alice, bob, name = await self._alice_and_bob(peer)
        alice.show("subscribe", bob.boundjid.bare)
        await bob.presence(alice.boundjid.bare, "subscribe")
        bob.show("subscribed", alice.boundjid.bare)
        await alice.presence(bob.boundjid.full, "available")
        await peer.stop()
        await bob.lost()
        await peer.start()
        bob = await peer.login(name)
        bob.show(status="back")
        await alice.presence(bob.boundjid.full, "available", "back", deadline=RETRY_SECONDS)

    async def _queue_lists(self, domain):
        return domain in str(await self.a.ctl("queue", "list"))

    async def _queue_has(self, domain):
        # The first attempt may still be under way, and what waits for it in memory.
        await until(lambda: self._queue_lists(domain), f"{domain} in the queue list")

    async def _queue_is_empty(self, domain):
        return not await self._queue_lists(domain)
