"""Certificates that must be refused, and unusual ones that must not, where the policy is
"certificate": judged when Causeway connects and when it is connected to."""

from suite import Group, check

PING = "{urn:xmpp:ping}ping"
# Where the blame may be put: not found, not in time, or plainly refused.
CONDITIONS = {"remote-server-not-found", "remote-server-timeout", "policy-violation",
              "not-authorized", "forbidden", "service-unavailable"}
BAD = ("expired", "wrong-name", "self-signed")
GOOD = ("server-only", "srv-id")


class Judgement(Group):
    """The peers themselves are tolerant (they would use dialback), so that it is Causeway
    who has to refuse."""

    name = "judgement"
    weight = 3

    async def set_up(self):
        self.a = self.causeway("a.test")
        self.peers = {
            "prosody": self.lab.server("prosody", _hosts("prosody"), policy="dialback"),
            "causeway": self.causeway(_hosts("causeway"), policy="dialback"),
        }
        self.strict = self.lab.server("prosody", "strict.test")
        self.expired = self.causeway("old.test", profile="expired")

    def cases(self):
        result = []
        for kind in ("prosody", "causeway"):
            for domain, profile in _hosts(kind).items():
                if profile in BAD:
                    result += [(f"{profile}/refused-when-calling-{kind}",
                                self._bind(self.outgoing_refused, kind, domain)),
                               (f"{profile}/refused-when-{kind}-calls",
                                self._bind(self.incoming_refused, kind, domain))]
                else:
                    result.append((f"{profile}/accepted-of-{kind}",
                                   self._bind(self.accepted, kind, domain)))
        result.append(("expired/own-certificate-refused-by-prosody", self.own_certificate))
        return result

    def _bind(self, method, kind, domain):
        async def case():
            return await method(self.peers[kind], domain)
        return case

    async def outgoing_refused(self, peer, domain):
        """The message ends in one error whose text names the certificate."""
        alice = await self.a.user(self.fresh("alice"))
        bob = await peer.user(self.fresh("bob"), domain=domain)
        identifier = alice.say(bob.boundjid.bare, "secret")
        condition, text = await alice.error(identifier)
        check(condition in CONDITIONS, f"condition {condition}")
        check("certificate" in text.lower(), f"the text does not say why: {text!r}")
        answer = await alice.request("get", domain, PING)
        check(answer.xml.get("type") == "error", f"a ping came through: {answer}")
        await alice.nothing(lambda s: s.xml.get("id") == identifier, "second error")
        await bob.nothing(lambda s: s.name == "message", "message")
        return text

    async def incoming_refused(self, peer, domain):
        """Nothing from such a server is accepted."""
        alice = await self.a.user(self.fresh("alice"))
        bob = await peer.user(self.fresh("bob"), domain=domain)
        identifier = bob.say(alice.boundjid.bare, "let me in")
        condition, _ = await bob.error(identifier, deadline=45)
        check(condition in CONDITIONS, f"condition {condition}")
        await alice.nothing(lambda s: s.name == "message", "message")

    async def accepted(self, peer, domain):
        alice = await self.a.user(self.fresh("alice"))
        bob = await peer.user(self.fresh("bob"), domain=domain)
        bob.say(alice.boundjid.bare, "let me in")
        await alice.message("let me in", bob.boundjid.full)
        alice.say(bob.boundjid.bare, "welcome")
        await bob.message("welcome", alice.boundjid.full)

    async def own_certificate(self):
        """The other side refuses ours: the sender learns that it is about the certificate or,
        where the peer does not say, at least that the peer cannot be used."""
        old = await self.expired.user(self.fresh("old"))
        bob = await self.strict.user(self.fresh("bob"))
        identifier = old.say(bob.boundjid.bare, "it was valid once")
        condition, text = await old.error(identifier, deadline=45)
        check(condition in CONDITIONS, f"condition {condition}")
        check(text, "the error has no text")
        await bob.nothing(lambda s: s.name == "message", "message")
        return text


def _hosts(kind):
    """Domain -> certificate profile, one of each."""
    return {f"{profile}.{kind}.test": profile for profile in (*BAD, *GOOD)}
