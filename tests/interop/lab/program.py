"""A client program as a child process: made with somebody's library, it reports what happens to
it as one JSON object a line."""

import asyncio
import json
import os
import signal

from .namespace import mount_namespace_command
from .process import die_with_parent, tail
from .waiting import LabError, LabTimeout

PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "programs")
# Node.js and Python take seconds to load a library where the machine has much to do.
DEADLINE_SECONDS = 60.0


class Program:
    """One run of one program, in a directory of its own. `library` is what it is made with.

    Its name service is the laboratory's. Reports are kept in order; `report` takes the first
    that matches, waiting if need be."""

    def __init__(self, lab, name, library):
        self.lab = lab
        self.library = library
        self.directory = f"{lab.directory}/program-{name}"
        self.reports = []
        self._child = None
        self._reader = None
        self._news = asyncio.Event()
        os.makedirs(self.directory)
        lab.cleanups.append(self.kill)

    async def start(self, command, output=None, **environment):
        """`output` makes a report of each line of output that is not JSON."""
        with open(f"{self.directory}/resolv.conf", "w", encoding="utf-8") as file:
            file.write(f"nameserver {self.lab.dns.address}\n")
        command = mount_namespace_command(f"{self.directory}/resolv.conf", command)
        with open(f"{self.directory}/stderr", "ab") as errors:
            self._child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=errors, cwd=self.directory, env=dict(os.environ, **environment),
                start_new_session=True, preexec_fn=die_with_parent, limit=1 << 22)
        self._reader = asyncio.ensure_future(self._read(output or _report))

    async def _read(self, parse):
        try:
            async for line in self._child.stdout:
                self.reports.append(parse(line))
                self._news.set()
        finally:
            await self._child.wait()
            self._news.set()

    async def report(self, event, deadline=DEADLINE_SECONDS, **fields):
        """Take the first report of this event with these fields; a report "failed", or the end
        of the program, raises."""
        wanted = {"event": event, **fields}
        return await self.take(lambda report: wanted.items() <= report.items(), wanted, deadline)

    async def take(self, match, what, deadline=DEADLINE_SECONDS):
        """Take the first report for which `match` is true."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while True:
            for index, report in enumerate(self.reports):
                if match(report):
                    return self.reports.pop(index)
            # Not set by the program's end alone: what it said before that has been read.
            self._news.clear()
            failures = [r for r in self.reports
                        if isinstance(r, dict) and r.get("event") == "failed"]
            if failures or self._reader.done():
                raise LabError(f"{self.library} failed waiting for {what}: {self.describe()}")
            try:
                await asyncio.wait_for(self._news.wait(), end - loop.time())
            except asyncio.TimeoutError:
                raise LabTimeout(f"{self.library} reported no {what} within {deadline:g} s; "
                                 f"it reported {self.describe()}") from None

    def describe(self):
        return (f"{self.reports[-8:] or 'nothing'}\n{tail(f'{self.directory}/stderr', 12)}")

    def write(self, line):
        """A line for its standard input; None closes it."""
        if line is None:
            self._child.stdin.close()
        else:
            self._child.stdin.write(line.encode() + b"\n")

    async def end(self, deadline=10):
        """Wait for the program's own end; its exit status."""
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), deadline)
        except asyncio.TimeoutError:
            raise LabTimeout(f"no end of {self.library}'s program within {deadline:g} s: "
                             f"{self.describe()}") from None
        return self._child.returncode

    async def kill(self):
        if self._child and self._child.returncode is None:
            # With the processes that it has started.
            os.killpg(self._child.pid, signal.SIGKILL)
        if self._reader:
            await asyncio.gather(self._reader, return_exceptions=True)


def _report(line):
    """A report, or what else a library printed."""
    try:
        return json.loads(line)
    except ValueError:
        return {"event": "output", "text": line.decode("utf-8", "replace").rstrip()}
