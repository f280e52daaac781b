"""A run: servers started, rows measured in rounds, results kept with the reasons of failures."""

import json
import resource
import sys

from lab import Lab, LabError
from lab.process import run as run_command
from lab.server import S2S_PORT

from .rows import replaced
from .servers import KINDS, PASSWORD, version_of

LOAD_CORE = "1"
ROW_SECONDS = 900
BUSY = 0.9


class Run:
    """One run of some rows on some kinds of server, in a laboratory of its own."""

    def __init__(self, directory, build, kinds, rows, rounds, quick, modules):
        self.lab = Lab(directory, build)
        self.kinds = kinds
        self.rows = rows
        self.rounds = rounds
        self.quick = quick
        self.modules = modules
        self.servers = {}
        self.values = {row.name: {kind: [] for kind in kinds} for row in rows}
        self.details = {row.name: {kind: [] for kind in kinds} for row in rows}
        self.versions = {}
        self.notes = []
        self.failures = []

    async def measure(self):
        """Everything; servers are stopped again whatever happens."""
        try:
            await self._start()
            for number in range(1, self.rounds + 1):
                for row in self.rows:
                    for kind in self.kinds:
                        await self._measure(number, row, kind)
        finally:
            await self.lab.stop(keep=True)

    def report(self):
        """All there is, for a JSON file."""
        return {"versions": self.versions, "rounds": self.rounds, "quick": self.quick,
                "modules": self.modules,
                "values": self.values, "details": self.details, "notes": self.notes,
                "failures": self.failures}

    async def _start(self):
        sides = ("a", "b") if any(row.two_domains for row in self.rows) else ("a",)
        for kind in self.kinds:
            self.servers[kind] = [self._describe(kind, f"{side}.{kind}.test") for side in sides]
        _say(f"starting {', '.join(self.kinds)}")
        await self.lab.start()
        for kind in self.kinds:
            self.versions[kind] = await version_of(self.servers[kind][0])

    def _describe(self, kind, domain):
        server = KINDS[kind](self.lab, {domain: "normal"}, self.lab.address(), "certificate")
        server.modules = self.modules
        self.lab.servers.append(server)
        self.lab.dns.host(f"xmpp.{domain}", server.address)
        self.lab.dns.service(domain, f"xmpp.{domain}", S2S_PORT)
        return server

    async def _measure(self, number, row, kind):
        servers = self.servers[kind] if row.two_domains else self.servers[kind][:1]
        label = f"round {number}/{self.rounds}, {row.name}, {kind}"
        try:
            accounts = row.quick_accounts if self.quick and row.quick_accounts else row.accounts
            for server in servers:
                if not server.process.alive:
                    await server.start()
                await server.ensure_accounts(accounts)
            await self._freshen(row, servers)
            result = await self._load(row, servers)
            # What thousands of sessions leave in memory would burden the rows that follow.
            await self._freshen(row, servers)
        except LabError as error:
            self.failures.append(f"{label}: {error}")
            _say(f"{label}: FAILED: {error}")
            return
        value = row.value(result)
        self.values[row.name][kind].append(value)
        self.details[row.name][kind].append(result)
        busy = result.get("load_utilisation", 0)
        if busy > BUSY:
            self.notes.append(f"{label}: the load generator itself was busy {busy:.0%}")
        _say(f"{label}: {value:.4g} {row.unit}")

    async def _freshen(self, row, servers):
        for server in servers if row.fresh else ():
            await server.stop()
            await server.start()

    async def _load(self, row, servers):
        load = replaced(row.load, row.quick) if self.quick else list(row.load)
        arguments = ["taskset", "-c", LOAD_CORE, f"{self.lab.build}/tools/causeway-bench", *load,
                     "--json", "--password", PASSWORD, "--ca", self.lab.authority.trust,
                     "--address", servers[0].address, "--domain", servers[0].domain]
        if row.two_domains:
            arguments += ["--peer-address", servers[1].address,
                          "--peer-domain", servers[1].domain]
        for server in servers:
            server.process.must_live()
            arguments += ["--server-pid", str(server.process.pid)]
        status, out, err = await run_command(arguments, deadline=ROW_SECONDS)
        if status != 0:
            raise LabError(err.strip() or f"causeway-bench ended with status {status}")
        return json.loads(out)


def _say(text):
    print(text, file=sys.stderr, flush=True)


def raise_descriptor_limit():
    """As many descriptors as this user may have, for the servers and the load to inherit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
