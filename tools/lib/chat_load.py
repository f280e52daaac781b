"""One Causeway server, started under a tool that watches it, with a chat load on it.

Used by tools/bench-allocations, bench-syscalls and bench-threads, and its servers by other bench-*;
it builds on the laboratory of tests/interop and the servers of tools/bench_peers.
"""

import json
import os
import re
import shutil
import signal
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{ROOT}/tools", f"{ROOT}/tests/interop"]

from lab import Lab, LabError  # noqa: E402
from lab.causeway import Causeway  # noqa: E402
from lab.process import run, until  # noqa: E402
from bench_peers.servers import BenchCauseway, PASSWORD  # noqa: E402

DEADLINE = 900


class Watched(BenchCauseway):
    """The server with `wrapper` (a list of words) before its command, not pinned to a core."""

    def __init__(self, *arguments, wrapper=(), threads=1, **options):
        super().__init__(*arguments, **options)
        self.wrapper = list(wrapper)
        self.threads = threads

    def configure(self):
        super().configure()
        path = f"{self.directory}/causeway.toml"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^threads = \d+$", f"threads = {self.threads}", text))

    def command(self):
        arguments, environment = Causeway.command(self)
        return [*self.wrapper, *arguments], environment

    async def stop(self):
        """In order. A tool that runs the server as a child does not pass the signal on."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(child) for child in file.read().split()]
        for child in children:
            os.kill(child, signal.SIGTERM)
        if children:
            await until(lambda: not self.process.alive, f"end of {self.name}", 20)
        return await super().stop()


class AsShipped(Watched):
    """With what is on by default: archives, streams that outlive a restart.

    Its accounts' passwords are hashed once: logins cost the server the same, and whoever makes and
    uses the accounts is spared."""

    iterations = 1

    def configure(self):
        super().configure()
        path = f"{self.directory}/causeway.toml"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("[archive]\nenabled = false\n", "")
                       .replace("kept_streams_per_account = 0\n", ""))


async def chat(build, arguments, *, pairs, wrapper=(), threads=1, load_wrapper=(), started=None,
               ended=None, read=None):
    """Runs causeway-bench with `arguments` against a fresh server.

    `started(server)` and `ended(server)` are called around the load, `read(server)` once the server
    has stopped. Returns the load's JSON document and what `read` returns."""
    directory = tempfile.mkdtemp(prefix="causeway-load.")
    lab = Lab(directory, build, net=68, dns_port=5300)
    try:
        server = Watched(lab, {"a.test": "normal"}, lab.address(), "certificate",
                         wrapper=[word.format(directory=directory) for word in wrapper],
                         threads=threads)
        lab.servers.append(server)
        await lab.start()
        await server.ensure_accounts(2 * pairs)
        if started:
            started(server)
        status, out, err = await run(
            [*load_wrapper, f"{build}/tools/causeway-bench", "chat", "--pairs", str(pairs),
             *arguments, "--json", "--password", PASSWORD, "--ca", lab.authority.trust,
             "--address", server.address, "--domain", server.domain,
             "--server-pid", str(server.process.pid)], deadline=DEADLINE)
        if status != 0:
            raise LabError(err.strip() or f"causeway-bench ended with status {status}")
        if ended:
            ended(server)
        await server.stop()
        return json.loads(out), read(server) if read else None
    finally:
        await lab.stop(keep=True)
        shutil.rmtree(directory, ignore_errors=True)


def add_options(parser, messages):
    """The options that the counting tools share."""
    parser.add_argument("--messages", type=int, default=messages, help="default %(default)s")
    parser.add_argument("--build", default=f"{ROOT}/build",
                        help="directory Causeway was built in (default %(default)s)")
