"""How a server is found: SRV fallback, dead targets of every sort, IPv6, no SRV at all,
and names that lead nowhere. Causeway connects; Prosody is at the other end."""

from lab import until
from lab.faults import (hanging_up_listener, reciting_listener, refusing_address, silent_listener,
                        swallowing_listener)
from lab.server import S2S_PORT, S2S_TLS_PORT
from suite import Group, check, deadline

PING = "{urn:xmpp:ping}ping"
DIRECT = "_xmpps-server._tcp"
# A target may hold the connection up until its own timeout; the next one must then be tried.
SLOW_SECONDS = 60
HEADER = ("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
          "id='s' version='1.0'>")
FEATURES = ("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
            "</stream:features>")


class Discovery(Group):
    name = "discovery"
    weight = 4

    async def set_up(self):
        self.a = self.causeway("a.test")
        # One host for each way to be found; all are the same server.
        hosts = ["refused.test", "hangs-up.test", "silent.test", "swallowed.test", "six.test",
                 "plain.test", "alias.test", "direct-dead.test", "late.test", "broken.test",
                 "both.test"]
        self.p = self.lab.server("prosody", {host: "normal" for host in hosts}, transport=None,
                                 addresses=["::1"])
        self.dns = self.lab.dns
        self.dns.host("alive.test", self.p.address)
        self.dns.host("alive6.test", "::1")
        self.dns.zone("broken.test", servable=False)
        self.contacted = await hanging_up_listener(self.lab, S2S_PORT)
        for domain, dead in (
                ("refused.test", refusing_address(self.lab)),
                ("hangs-up.test", self.contacted.address),
                ("silent.test", await silent_listener(self.lab, S2S_PORT)),
                ("swallowed.test", await swallowing_listener(self.lab, S2S_PORT))):
            self.dns.host(f"dead.{domain}", dead)
            self.dns.service(domain, f"dead.{domain}", priority=1)
            self.dns.service(domain, "alive.test", priority=2)
        self.dns.service("six.test", "alive6.test")
        self.dns.host("plain.test", self.p.address)
        self.dns.add("alias.test", "CNAME", "second-alias.test.")
        self.dns.add("second-alias.test", "CNAME", "alive.test.")
        self.dns.host("dead.direct-dead.test", refusing_address(self.lab))
        self.dns.service("direct-dead.test", "dead.direct-dead.test", S2S_TLS_PORT, DIRECT)
        self.dns.service("direct-dead.test", "alive.test")
        # An address of each family, the IPv6 one dead.
        self.dns.host("half.test", "fd00:77::1", self.p.address)
        self.dns.service("both.test", "half.test")
        self.dns.service("off.test", ".")
        self.dns.host("target.twice.test",
                      await reciting_listener(self.lab, S2S_PORT, HEADER + 2 * FEATURES))
        self.dns.service("twice.test", "target.twice.test")

    async def _both_ways(self, host, seconds=30):
        alice = await self.a.user(self.fresh("alice"))
        bob = await self.p.user(self.fresh("bob"), domain=host)
        alice.say(bob.boundjid.bare, "found you")
        await bob.message("found you", alice.boundjid.full, deadline=seconds)
        bob.say(alice.boundjid.full, "me too")
        await alice.message("me too", bob.boundjid.full)

    async def case_refused_first_target(self):
        await self._both_ways("refused.test")

    async def case_lowest_priority_number_is_tried_first(self):
        await self._both_ways("hangs-up.test")
        check(self.contacted.connections > 0, "the first target was never tried")

    @deadline(SLOW_SECONDS + 30)
    async def case_silent_first_target(self):
        await self._both_ways("silent.test", SLOW_SECONDS)

    @deadline(SLOW_SECONDS + 30)
    async def case_swallowed_first_target(self):
        await self._both_ways("swallowed.test", SLOW_SECONDS)

    async def case_ipv6_only(self):
        await self._both_ways("six.test")

    async def case_dead_ipv6_beside_ipv4(self):
        await self._both_ways("both.test")

    async def case_no_srv(self):
        await self._both_ways("plain.test")

    async def case_alias_chain_without_srv(self):
        await self._both_ways("alias.test")

    async def case_dead_direct_tls_target(self):
        await self._both_ways("direct-dead.test")

    async def case_a_domain_is_looked_at(self):
        """What the administrator is told of each step, and of each target that is not there."""
        status, text = await self.a.ctl_text("check", "refused.test")
        check(status == 0, text)
        for line in ("srv dead.refused.test:5269: STARTTLS, priority 1",
                     "connection dead.refused.test:5269", "features alive.test:5269: SASL EXTERNAL"):
            check(line in text, text)
        found = await self.a.ctl("check", "direct-dead.test")
        failed = [(row["step"], row["target"]) for row in found["findings"]
                  if row["verdict"] == "failure"]
        check(failed == [("connection", f"dead.direct-dead.test:{S2S_TLS_PORT}")], found)
        check(found["reachable"], found)
        # Its own domain, from outside.
        itself = await self.a.ctl("check", "a.test")
        check(itself["reachable"] and itself["fault"] is None, itself)
        steps = [row["step"] for row in itself["findings"] if row["target"]]
        check(steps[-5:] == ["address", "connection", "tls", "certificate", "features"], itself)
        for domain, reason in (("nowhere.test", "no such domain"), ("off.test", "no federation"),
                               ("twice.test", "tls target.twice.test:5269: it sent its features")):
            status, text = await self.a.ctl_text("check", domain)
            check(status == 1 and reason in text, text)

    async def _nowhere(self, domain):
        """Message, iq and subscription each get one error at once, with a cause in it."""
        alice = await self.a.user(self.fresh("alice"))
        message = alice.say(f"bob@{domain}", "anybody")
        condition, text = await alice.error(message)
        check(condition == "remote-server-not-found", f"message: {condition}")
        check(text, "the error has no text")
        answer = await alice.request("get", domain, PING)
        check(answer["error"]["condition"] == "remote-server-not-found", f"iq: {answer}")
        check(answer["error"]["text"], "the iq error has no text")
        subscription = alice.show("subscribe", f"bob@{domain}")
        condition, _ = await alice.error(subscription)
        check(condition == "remote-server-not-found", f"subscription: {condition}")
        await alice.nothing(lambda s: s.xml.get("id") in (message, subscription), "second error")

    async def case_unknown_domain(self):
        await self._nowhere("nowhere.test")

    async def case_unknown_top_level_domain(self):
        await self._nowhere("server.nowhere")

    async def case_target_dot(self):
        await self._nowhere("off.test")

    async def case_unknown_domain_that_appears(self):
        """A negative answer is believed for its time and no longer."""
        alice = await self.a.user(self.fresh("alice"))
        bob = await self.p.user(self.fresh("bob"), domain="late.test")
        await alice.error(alice.say(bob.boundjid.bare, "too early"))
        self.dns.service("late.test", "alive.test")
        await self.dns.publish()

        async def answers():
            reply = await alice.request("get", "late.test", PING)
            return reply.xml.get("type") == "result"
        await until(answers, "answer from late.test", 30)
        alice.say(bob.boundjid.bare, "there you are")
        await bob.message("there you are")

    async def case_failing_dns_is_waited_out(self):
        """SERVFAIL is temporary: an iq gets its error, a message waits until DNS answers."""
        alice = await self.a.user(self.fresh("alice"))
        bob = await self.p.user(self.fresh("bob"), domain="broken.test")
        messages = [alice.say(bob.boundjid.bare, f"waiting {number}") for number in range(3)]
        answer = await alice.request("get", "broken.test", PING, deadline=SLOW_SECONDS)
        check(answer.xml.get("type") == "error", f"a ping into nowhere: {answer}")
        check(answer["error"]["condition"] == "remote-server-timeout",
              f"iq: {answer['error']['condition']}")
        await alice.nothing(lambda s: s.xml.get("id") in messages, "error for a message")
        self.dns.zone("broken.test", servable=True)
        self.dns.service("broken.test", "alive.test")
        await self.dns.publish()
        await self.a.ctl("peer", "retry", "broken.test")
        for number in range(3):
            stanza = await bob.message(sender=alice.boundjid.full)
            check(stanza["body"] == f"waiting {number}", f"{stanza['body']!r} for {number}")
