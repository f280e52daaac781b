#!/usr/bin/python3
"""Are messages lost, doubled, reordered or left without an outcome, whatever breaks?

    tests/loss/run.py                        # 2,000 messages, 3 kills, 20 cuts
    tests/loss/run.py --messages 100000 --kills 20 --cuts 1000 --seed 1 2 3 4 5

Two Causeways of two domains, with archives, on disk, in namespaces of their own. Pairs of clients
that resume their sessions (XEP-0198) send each other numbered messages, half of the pairs within
one domain, half across the two. Meanwhile either server is killed with SIGKILL and started again,
connections of clients and between servers are reset, clients come back from another network while
the server still takes their old connection for whole, servers are stopped for a while, and, where
--full says so, cannot write to their disks for a while. When all of that is over and every message
has an outcome, or nothing happens any more, each is judged:

    lost         acknowledged to its sender, and neither read nor refused
    duplicated   read more than once by the same client, over all of its connections
    error, too   read, and an error for it as well
    reordered    read after a later one of the same sender
    unknown      its sender has neither an acknowledgement nor an error
    left over    read, and handed out once more to a new session when all was acknowledged
    not resumed  sessions that the server did not let go on
    wrong        acknowledgements of more than was sent, logins refused

Exit status 0 only if all of these are 0. The last line is "N passed, N failed", a test for each
seed. A seed chooses the faults and the moments of them, not what the machine does meanwhile.
"""

import argparse
import asyncio
import logging
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, f"{ROOT}/tests/interop"]

from lab import Lab, LabError, LabTimeout, enter_command, namespace_problem, until  # noqa: E402
from lab.process import die_with_parent  # noqa: E402
from lab.server import password_of  # noqa: E402

from client import Client  # noqa: E402
from faults import Faults, can_reset  # noqa: E402
from flow import Flow, Reader  # noqa: E402
from judge import Verdict  # noqa: E402

# Writing to a connection that has just been reset is what happens here.
logging.getLogger("asyncio").setLevel(logging.ERROR)

DOMAINS = ("a.test", "b.test")
SETTINGS = {
    # What waits for a server that was killed is not to wait much longer than the server.
    "limits": {"remote_retry_min_seconds": 1, "remote_retry_max_seconds": 1,
               "offline_messages": 100_000},
    "log": {"level": "info"},
}
# Rows of the store that are done with are erased with a later commit.
ERASED_SECONDS = 10
STOP_SECONDS = 60


def parser_of_all(about, **defaults):
    """What every kind of run can be told; `defaults` are those of that kind."""
    parser = argparse.ArgumentParser(description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one run for each")
    parser.add_argument("--messages", type=int, default=2000, help="in all (%(default)s)")
    parser.add_argument("--kills", type=int, help="of a server, or of Prosody (%(default)s)")
    parser.add_argument("--cuts", type=int, default=20,
                        help="of connections, some of them between servers (%(default)s)")
    parser.add_argument("--stop", type=int, default=1,
                        help="times that one that is killed is stopped and goes on (%(default)s)")
    parser.add_argument("--pairs", type=int, default=8, help="of clients (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=5,
                        help="messages of one client that wait for their acknowledgement")
    parser.add_argument("--patience", type=float,
                        help="seconds without anything after which it is judged (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of each Causeway (%(default)s)")
    parser.add_argument("--build", default=f"{ROOT}/build", help="where Causeway was built")
    parser.add_argument("--keep", metavar="DIRECTORY",
                        help="leave the servers' files and the journal there")
    parser.add_argument("--debug", action="store_true", help="Causeway logs everything")
    parser.add_argument("--worker", metavar="DIRECTORY", help=argparse.SUPPRESS)
    parser.set_defaults(**defaults)
    return parser


def parse_arguments():
    parser = parser_of_all(__doc__, kills=3, patience=45)
    parser.add_argument("--full", type=int, default=0,
                        help="times that a server's disk takes nothing for a while (%(default)s)")
    parser.add_argument("--only", choices=("local", "across"), help="pairs within a domain alone, "
                        "or across the two")
    return parser.parse_args()


def main(arguments, kind):
    """A run of that kind, a subclass of Run, for each seed."""
    if arguments.worker:
        return asyncio.run(kind(arguments, arguments.seed[0]).run())
    problem = namespace_problem()
    if problem:
        sys.exit(problem)
    passed = failed = 0
    for seed in arguments.seed:
        status = run_in_namespaces(seed, arguments.keep)
        passed += status == 0
        failed += status != 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def run_in_namespaces(seed, keep):
    scratch = tempfile.mkdtemp(prefix="causeway-loss-", dir=keep)
    # The seed that comes last counts.
    command = [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:], "--seed", str(seed),
               "--worker", scratch]
    child = subprocess.Popen(enter_command(command), stdin=subprocess.DEVNULL,
                             start_new_session=True, preexec_fn=die_with_parent)
    try:
        return child.wait()
    finally:
        # Its namespaces, with all processes in them, end with it.
        child.kill()
        child.wait()
        if keep:
            print(f"left in {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)


class Run:
    """One seed's run, in namespaces of its own."""

    # Else a flow sends only what it is allowed to by and by.
    sends_at_once = True

    def __init__(self, arguments, seed):
        self.arguments = arguments
        self.seed = seed
        self.began = time.monotonic()
        self.changes = 0
        self.sent = 0
        self.clients = []
        self.flows = []
        self.faults = None
        self._journal_file = open(f"{arguments.worker}/journal", "w",  # pylint: disable=R1732
                                  encoding="utf-8", buffering=1)
        self.lab = Lab(f"{arguments.worker}/lab", os.path.abspath(arguments.build))
        self.servers = self._describe_servers()

    def _describe_servers(self):
        return [self._describe_causeway(domain) for domain in DOMAINS]

    def _describe_causeway(self, domain, **options):
        settings = {name: dict(values) for name, values in SETTINGS.items()}
        settings["server"] = {"threads": self.arguments.threads}
        if self.arguments.debug:
            settings["log"]["level"] = "debug"
        return self.lab.server("causeway", domain, settings=settings, **options)

    def journal(self, text):
        self._journal_file.write(f"{time.monotonic() - self.began:9.3f} {text}\n")

    async def run(self):
        this = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
        try:
            await self._look_whether_possible()
            await self._set_up()
            await self._exchange()
            left_over = await self._look_for_left_over()
        except LabError as error:
            print(f"FAILED loss, seed {self.seed}: {error}\n{self.lab.logs(10)}", flush=True)
            return 1
        finally:
            await self._tear_down()
        verdict = self._judge(left_over)
        self._report(verdict)
        return 0 if verdict.good() else 1

    async def _look_whether_possible(self):
        if self.arguments.cuts and not await can_reset():
            raise LabError("this kernel lets nobody reset connections (ss -K): use --cuts 0")

    def _judge(self, left_over):
        return Verdict(self.flows, self.clients, left_over)

    async def _set_up(self):
        await self.lab.start()
        context = ssl.create_default_context(cafile=self.lab.authority.trust)
        count = self.arguments.messages
        kinds = self._kinds_of_pairs()
        pairs = self.arguments.pairs
        for pair in range(pairs):
            ends = [await self._client(self.servers[end], f"{name}{pair}", context)
                    for name, end in zip("xy", kinds[pair % len(kinds)])]
            for direction, (one, other) in enumerate((ends, ends[::-1])):
                number = 2 * pair + direction
                share = count * (number + 1) // (2 * pairs) - count * number // (2 * pairs)
                flow = Flow(f"{one.user}-{other.user}", one, other, share,
                            self.arguments.in_flight, self.began, self._sent_or_read)
                flow.allowed = share if self.sends_at_once else 0
                self.flows.append(flow)
        reader = Reader(self.flows)
        for client, flow in zip(self.clients, self.flows):
            client.on_message = reader.take
            client.on_change = flow.pump
        for client in self.clients:
            client.start()
        for client in self.clients:
            await until(client.up.is_set, f"login of {client.jid}", 60,
                        lambda client=client: client.refused)
        await asyncio.gather(*(client.ping() for client in self.clients))

    def _kinds_of_pairs(self):
        """The servers of both ends, by their numbers."""
        kinds = [(0, 0), (0, 1), (1, 1), (1, 0)]
        if self.arguments.only:
            kinds = [kind for kind in kinds
                     if (kind[0] != kind[1]) == (self.arguments.only == "across")]
        return kinds

    async def _client(self, server, user, context):
        await server.add_user(user)
        client = Client(server, f"{user}@{server.domain}/loss", password_of(user), context,
                        self.journal)
        self.clients.append(client)
        return client

    def _sent_or_read(self):
        self.changes += 1
        if self.faults:
            self.faults.sent(sum(len(flow.fates) for flow in self.flows),
                             sum(len(flow.fates) for flow in self.flows if flow.across))

    async def _exchange(self):
        """Until everything has its outcome, or nothing happens any more."""
        self.faults = self._plan_faults()
        for flow in self.flows:
            if flow.across:
                flow.waits = self.faults.across_waits
            flow.pump()
        await self._until_quiet(lambda: self.faults.over() and all(
            flow.over() for flow in self.flows))
        # What a server would send again is sent to those who come back once more.
        for client in self.clients:
            client.reset()
        await self._until_quiet(lambda: all(client.up.is_set() for client in self.clients))
        await self._answered(client.ping() for client in self.clients)

    def _plan_faults(self):
        """If messages go across, every fourth cut is one of the link between the servers."""
        arguments = self.arguments
        links = arguments.cuts // 4 if any(flow.across for flow in self.flows) else 0
        counts = {"kill": arguments.kills, "cut": arguments.cuts - links, "link": links,
                  "stop": arguments.stop, "full": arguments.full}
        across = [flow for flow in self.flows if flow.across]

        def on_link():
            for flow in across:
                flow.pump()
        return Faults(self.servers, self.clients, arguments.messages,
                      sum(flow.count for flow in across), self.seed, counts, self.journal, on_link)

    async def _until_quiet(self, condition):
        while True:
            before = self.changes
            try:
                await until(condition, "outcome", self.arguments.patience)
                return
            except LabTimeout:
                for client in self.clients:
                    client.check()
                if self.changes == before:
                    self.journal("nothing happens any more")
                    return

    async def _answered(self, pings):
        """What is not answered is seen by the judge as what it lacks."""
        await asyncio.wait([asyncio.ensure_future(ping) for ping in pings],
                           timeout=self.arguments.patience)

    async def _look_for_left_over(self):
        """Everybody leaves in order and comes back in a new session, which must get nothing."""
        await asyncio.gather(*(client.close() for client in self.clients))
        left_over = []
        ours = [client for client in self.clients if client.server.kind == "causeway"]

        async def nothing_waits():
            rows = [await client.server.ctl("user", "show", client.bare) for client in ours]
            return sum(row["offline_stanzas"] for row in rows) == 0
        try:
            await until(nothing_waits, "end of what waits for clients", ERASED_SECONDS)
        except LabTimeout:
            self.journal("messages still wait for clients that have everything")
        again = [client.in_a_new_session("later", left_over.append) for client in ours]
        for client in again:
            client.start()
        # The second answer comes behind what the first presence brought.
        for _ in range(2):
            await self._answered(client.ping() for client in again)
        await asyncio.gather(*(client.close() for client in again))
        return len(left_over)

    async def _tear_down(self):
        if self.faults:
            await self.faults.stop()
        for client in self.clients:
            await client.cancel()
        await asyncio.wait_for(self.lab.stop(keep=self.arguments.keep is not None), STOP_SECONDS)
        self._journal_file.close()

    def _report(self, verdict):
        done = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.done.items()))
        seconds = time.monotonic() - self.began
        print(f"seed {self.seed}: {done or 'no faults'}; "
              f"{sum(client.connections for client in self.clients)} connections, "
              f"{sum(client.resumed for client in self.clients)} resumed; {seconds:.0f} s")
        print(verdict, flush=True)
        if not verdict.good():
            print(f"FAILED loss, seed {self.seed}", flush=True)


if __name__ == "__main__":
    sys.exit(main(parse_arguments(), Run))
