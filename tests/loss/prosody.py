#!/usr/bin/python3
"""Are messages to and from a Prosody lost or doubled by our side, whatever breaks?

    tests/loss/prosody.py                    # 2,000 messages, 5 kills, 20 cuts
    tests/loss/prosody.py --messages 5000 --kills 10 --cuts 50 --seed 1 2 3

Causeway as a.test and Prosody as b.test, with stream management (XEP-0198) between them, on disk,
in namespaces of their own. Pairs of clients, one at either server, send each other numbered
messages. Meanwhile Prosody is killed with SIGKILL and started again, streams between the servers
are reset, some in the middle of an element, some after one side was heard no more for a while, and
connections of Causeway's clients as well, which resume. Prosody's clients log in again after each
kill and send again what was not acknowledged to them.

Prosody keeps what its streams have under way in memory alone and resumes none between servers, so
it forgets. A witness on the wire between the two, and causewayctl trace, tell whose doing each
message is. Ours, and all of these have to be 0:

    lost         acknowledged by our server, to our client or to Prosody, and neither read nor
                 refused; and Prosody has not acknowledged it
    again        sent to Prosody once more though our server knew that it had been acknowledged
    doubled      came from Prosody once, and was read twice
    error, too   read, and an error of ours for it as well
    reordered    sent to Prosody, or shown to our client, behind a later one that came later
    unknown      its sender has neither an acknowledgement nor an error
    left over    read by our client, and handed out once more to a new session
    not resumed  sessions that our server did not let go on
    wrong        acknowledgements of more than was sent, logins refused, what is not XML

Not ours:

    forgotten    acknowledged by Prosody, to our server or to its client, and never seen again
    bounced      an error that Prosody made up for its client (recipient-unavailable, mostly)
    and read     one of those, for a message that was read
    sent twice   passed twice, the first time without an acknowledgement
    shown        read twice, having been sent twice
    by itself    read twice, having been sent to Prosody once
    disordered   read after a later one of the same sender, which is how it was sent
    our kill     sent to Prosody again after a kill of Causeway, which had not stored that it was
                 acknowledged (--own-kills)

Exit status 0 only if all that is ours is 0. The last line is "N passed, N failed", a test for each
seed. A seed chooses the faults and the moments of them, not what the machine does meanwhile.
"""

import asyncio
import contextlib
import json
import random
import sys
import time

from run import Run, main, parser_of_all  # run.py makes the laboratory known

from lab import LabTimeout, until
from lab.process import Process

from attribution import Attribution
from faults import LONGEST_DELAY_SECONDS, THERE_SECONDS, Faults
from flow import key_in
from witness import Witness

# Where nobody has anything to send there may be no stream.
STREAMS_SECONDS = 10
# Less than this share of what was sent says nothing.
ENOUGH = 0.5


def parse_arguments():
    parser = parser_of_all(__doc__, kills=5, patience=10)
    parser.add_argument("--own-kills", type=int, default=0, help="of Causeway (%(default)s)")
    parser.add_argument("--rate", type=float, default=100,
                        help="messages in a second, of all clients together (%(default)s)")
    parser.add_argument("--bidirectional", action="store_true",
                        help="Prosody has mod_s2s_bidi: one stream carries both directions")
    parser.add_argument("--resend", action="store_true",
                        help="Prosody sends again what a stream lost (smacks_s2s_resend)")
    return parser.parse_args()


class ProsodyRun(Run):
    sends_at_once = False

    def __init__(self, arguments, seed):
        super().__init__(arguments, seed)
        self.witness = Witness(self.lab, self.servers, key_in, self.clock, self.journal)
        self.trace = Trace(self.servers[0], "b.test", f"{arguments.worker}/trace", self.began)

        self._pacing = None

    def clock(self):
        return time.monotonic() - self.began

    def _describe_servers(self):
        ours = self._describe_causeway("a.test", transport=None)
        theirs = self.lab.server("prosody", "b.test", transport=None)
        if self.arguments.bidirectional:
            theirs.further_modules = ("s2s_bidi",)
        if self.arguments.resend:
            theirs.further_options = "smacks_s2s_resend = true\n"
        return [ours, theirs]

    async def _look_whether_possible(self):
        """The witness cuts by itself."""

    def _kinds_of_pairs(self):
        return [(0, 1)]

    async def _set_up(self):
        await self.witness.start()
        await super()._set_up()
        self.trace.start()
        # What was acknowledged to a session stands in its record; one that has none yet, in its
        # first second, is not resumed after a kill.
        for client in self.clients:
            client.ask()
            await until(lambda client=client: not client.unacknowledged,
                        f"acknowledgement for {client.jid}", THERE_SECONDS)
        self._pacing = asyncio.create_task(self._pace())

    async def _pace(self):
        """Prosody acknowledges at once, and all would be sent before the first fault is over."""
        dice = random.Random(self.seed)
        waiting = list(self.flows)
        while waiting:
            await asyncio.sleep(self.arguments.in_flight / self.arguments.rate)
            flow = dice.choice(waiting)
            flow.allowed = min(flow.count, flow.allowed + self.arguments.in_flight)
            flow.pump()
            if flow.allowed == flow.count:
                waiting.remove(flow)

    async def _tear_down(self):
        if self._pacing:
            self._pacing.cancel()
        await super()._tear_down()

    def _plan_faults(self):
        return ProsodyFaults(self)

    def _judge(self, left_over):
        if self.trace.lost():
            # What it lacks the witness knows, but for the last moments of a stream.
            print(f"the trace left {self.trace.lost()} lines out, which it tells no slow reader")
        verdict = Attribution(self.flows, self.clients, left_over, "a.test", self.witness,
                              self.trace.confirmed(), self.faults.own_kills)
        with open(f"{self.arguments.worker}/stories", "w", encoding="utf-8") as file:
            file.writelines(f"{story}\n" for story in verdict.stories())
        return verdict

    def _report(self, verdict):
        super()._report(verdict)
        read = sum(bool(fate.seen_at) for flow in self.flows for fate in flow.fates)
        if read < ENOUGH * self.arguments.messages:
            print(f"only {read} were read: the machine is too slow for so much at once", flush=True)


class ProsodyFaults(Faults):
    """Kills of either server, and cuts by the witness."""

    def __init__(self, run):
        arguments = run.arguments
        self._ours, self._theirs = run.servers
        self._run = run
        self.own_kills = []
        links = arguments.cuts // 2
        super().__init__([self._theirs],
                         [client for client in run.clients if client.server is self._ours],
                         arguments.messages, arguments.messages, run.seed,
                         {"kill": arguments.kills, "own_kill": arguments.own_kills,
                          "cut": arguments.cuts - links, "link": links, "stop": arguments.stop},
                         run.journal)
        self._locks[self._ours.domain] = asyncio.Lock()

    async def _kill(self):
        await self._wait_for_streams()
        await self._kill_server(self._theirs)

    async def _wait_for_streams(self):
        """On a slow machine there would be nothing to break."""
        with contextlib.suppress(LabTimeout):
            await until(lambda: len(self._run.witness.who_may_send()) == 2,
                        "streams in both directions", STREAMS_SECONDS)

    async def _own_kill(self):
        await self._wait_for_streams()
        began = self._run.clock()
        await self._kill_server(self._ours)
        self.own_kills.append((began, self._run.clock()))
        self._run.trace.start()

    async def _cut_link(self):
        moment, which, share, seconds = (self._random.random() for _ in range(4))
        how = self._random.choice(("at once", "within", "hold"))
        forth = self._random.random() < 0.5
        witness = self._run.witness
        async with self._link_lock:
            await asyncio.sleep(moment * LONGEST_DELAY_SECONDS)
            streams = await until(lambda: witness.open, "stream between the servers",
                                  THERE_SECONDS)
            await witness.cut(streams[int(which * len(streams))], how, forth, share,
                              seconds * 2 * LONGEST_DELAY_SECONDS)
        self._count("cuts of streams")


class Trace:
    """What `causewayctl trace` tells of messages to a domain, over all lives of the server."""

    def __init__(self, server, domain, log, began):
        # The trace tells the time of day.
        self._epoch = time.time() - (time.monotonic() - began)
        self._log = log
        self._process = Process("trace", [f"{server.lab.build}/tools/causewayctl", "--socket",
                                          server.socket, "--json", "trace", domain], log)

    def start(self):
        """Again, whenever the server was started."""
        if not self._process.alive:
            self._process.start()

    def confirmed(self):
        """The id of each message that the other server was known to have, and when."""
        result = {}
        for row in self._rows():
            if row["stage"] == "to-server" and row["verdict"] == "confirmed":
                result.setdefault(row["id"], []).append(row["at"] / 1000 - self._epoch)
        return result

    def lost(self):
        """How many lines came faster than they were read."""
        return sum(row.get("lost") or 0 for row in self._rows())

    def _rows(self):
        with open(self._log, encoding="utf-8") as file:
            for line in file:
                # A server that is killed ends in the middle of a line, or with words for people.
                try:
                    yield json.loads(line)
                except ValueError:
                    continue


if __name__ == "__main__":
    sys.exit(main(parse_arguments(), ProsodyRun))
