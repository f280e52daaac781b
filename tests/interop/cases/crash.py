"""kill -9 while numbered messages flow: what the sender's stream acknowledged is not lost.

A sender with stream management sends numbers as fast as the server acknowledges them; at a
moment drawn from the seed a server is killed, started again, and the sender goes on. In the
end each acknowledged number must have arrived. A number may arrive again only where it can
be recognised: with an id that the server gave it before.
"""

import os
import random
import signal
import threading

from lab import LabTimeout
from suite import Group, check, deadline

IN_FLIGHT = 200
# From the number that the seed chose to the shot, so that it falls at any point of the work.
LONGEST_DELAY_SECONDS = 0.05
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
LIMIT_SECONDS = 3600
STALL_SECONDS = 60
STRAGGLER_SECONDS = 20


class Crash(Group):
    name = "crash"
    weight = 4

    async def set_up(self):
        self.a = self.causeway("a.test")
        self.b = self.causeway("b.test")

    @deadline(LIMIT_SECONDS)
    async def case_local(self):
        return await self._rounds(self.a, self.a, self.a)

    @deadline(LIMIT_SECONDS)
    async def case_s2s_killing_the_senders_server(self):
        return await self._rounds(self.a, self.b, self.a)

    @deadline(LIMIT_SECONDS)
    async def case_s2s_killing_the_recipients_server(self):
        return await self._rounds(self.a, self.b, self.b)

    async def _rounds(self, home, away, victim):
        tally = Tally()
        draw = random.Random(self.options.get("seed", 1))
        total = self.options.get("kill_messages", 400)
        for number in range(self.options.get("kill_rounds", 2)):
            kill_at = draw.randint(total // 10, total * 9 // 10)
            await Round(self, home, away, victim, str(number), total, kill_at,
                        draw.uniform(0, LONGEST_DELAY_SECONDS)).run(tally)
        return str(tally)


class Tally:
    def __init__(self):
        self.rounds = self.sent = self.acked = self.arrived = self.again = 0

    def __str__(self):
        return (f"{self.rounds} kills, {self.sent} sent, {self.acked} acknowledged, "
                f"{self.arrived} arrived, {self.again} again with the same id")


class Round:
    """One kill in a burst of messages, from a fresh pair of accounts to the account of what arrived."""

    def __init__(self, group, home, away, victim, label, total, kill_at, delay):
        self.home, self.away, self.victim = home, away, victim
        self.label, self.total = label, total
        self.kill_at, self.delay = kill_at, delay
        self.sender = group.fresh("sender")
        self.recipient = group.fresh("recipient")
        self.acked = set()
        self.seen = {}
        self.again = 0
        self.twice = []

    async def run(self, tally):
        await self.home.add_user(self.sender)
        await self.away.add_user(self.recipient)
        recipient = await self._login_recipient()
        sender = await self.home.login(self.sender, stream_management=True)
        await self._send(sender, 0, self.kill_at)
        next_number = await self._send_until_killed(sender, self.kill_at)
        if self.victim is self.away:
            await recipient.lost()
        if self.victim is self.home:
            await sender.lost()
            self._note_acks(sender)
        await self.victim.start()
        if self.victim is self.away:
            recipient = await self._login_recipient()
        if self.victim is self.home:
            sender = await self.home.login(self.sender, stream_management=True)
        else:
            await self.home.ctl("peer", "retry", self.away.domain)
        await self._send(sender, next_number, self.total)
        sender.say(f"{self.recipient}@{self.away.domain}", "end")
        await sender.barrier()
        sender["xep_0198"].request_ack()
        await sender.until(lambda: any(stanza["body"] == "end" for stanza in sender.acked
                                       if stanza.name == "message"),
                           "acknowledgement of everything", STALL_SECONDS)
        self._note_acks(sender)
        await recipient.message("end", deadline=STALL_SECONDS)
        await self._wait_for_stragglers(recipient)
        self._judge(tally)
        await self.home.lab.close_clients()

    async def _login_recipient(self):
        client = await self.away.login(self.recipient, stream_management=True)
        client.collector = self._collect
        await client.become_available()
        return client

    async def _send(self, sender, first, stop, alive=lambda: True):
        """Send the numbers from `first` up to `stop`, not too far ahead of the server, as long
        as it is `alive`; returns the next number."""
        acked = len(sender.acked)
        for number in range(first, stop):
            sender.say(f"{self.recipient}@{self.away.domain}", str(number),
                       identifier=str(number))
            wanted = acked + number - first - IN_FLIGHT
            await sender.until(lambda: len(sender.acked) >= wanted or not alive(),
                               f"acknowledgement of {wanted} stanzas", STALL_SECONDS)
            if not alive():
                return number + 1
        return stop

    async def _send_until_killed(self, sender, first):
        """A thread of its own fires the shot, wherever server and client then are."""
        shot = threading.Timer(self.delay, os.killpg, (self.victim.process.pid, signal.SIGKILL))
        shot.start()
        number = await self._send(sender, first, self.total,
                                  lambda: self.victim.process.alive and not sender.gone)
        # Where all was sent before, it is killed while the last of it is on its way.
        shot.join()
        await self.victim.kill()
        return number

    def _note_acks(self, sender):
        self.acked.update(int(stanza["id"]) for stanza in sender.acked
                          if stanza.name == "message" and stanza["id"].isdigit())

    def _collect(self, stanza):
        """Takes numbers out of what arrives, at whichever of the recipient's clients."""
        if stanza.name != "message" or not stanza["body"].isdigit():
            return False
        number = int(stanza["body"])
        ids = {element.get("id") for element in stanza.xml.iter(STANZA_ID)}
        if number not in self.seen:
            self.seen[number] = ids
        elif ids & self.seen[number]:
            self.again += 1
        else:
            self.twice.append(number)
        return True

    async def _wait_for_stragglers(self, recipient):
        """What is missing after the end may still wait in a queue for its next attempt."""
        try:
            await recipient.until(lambda: not self.acked - set(self.seen), "missing number",
                                  STRAGGLER_SECONDS)
        except LabTimeout:
            pass  # _judge says what is missing

    def _judge(self, tally):
        lost = sorted(self.acked - set(self.seen))
        check(not lost, f"round {self.label}, killed at {self.kill_at}: {len(lost)} acknowledged "
                        f"messages lost, the first of them {lost[:5]}")
        check(not self.twice, f"round {self.label}: {len(self.twice)} messages came twice under "
                              f"different ids, the first of them {self.twice[:5]}")
        tally.rounds += 1
        tally.sent += self.total
        tally.acked += len(self.acked)
        tally.arrived += len(self.seen)
        tally.again += self.again
