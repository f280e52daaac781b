"""The main job, told step by step: two domains that have never heard of each other.

Run by tools/demo, which has installed and built what is needed. Everything lives in one
directory and on addresses of 127.0.0.0/8 of its own; the machine's resolver is not touched.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/tests/interop")

from lab import Lab, LabError, until  # noqa: E402
from lab.server import C2S_PORT, C2S_TLS_PORT, password_of  # noqa: E402

DNS_PORT = 5300
# The third number of the addresses: a check does not disturb a demo that was left running.
NET, CHECK_NET = 66, 67
DOMAINS = ("island.test", "mainland.test")
GUEST = "guest"


def say(text=""):
    print(text, flush=True)


def title(text):
    say(f"\n== {text}")


def tell(who, text):
    say(f"   {who:<22} {text}")


class Demo:
    def __init__(self, build, directory, net):
        self.build = build
        self.directory = directory
        self.pids = f"{directory}/pids"
        if len(f"{directory}/{DOMAINS[1]}/causeway.sock") > 100:
            raise LabError(f"{directory} is too long a path for a Unix socket; "
                           "give a shorter one with --directory")
        self.lab = Lab(directory, build, net, DNS_PORT, outlives=True)
        os.chmod(directory, 0o700)
        settings = {"log": {"level": "info"}}
        self.island, self.mainland = (
            self.lab.server("causeway", domain, transport="both", settings=settings)
            for domain in DOMAINS)

    async def run(self):
        try:
            await self._start_dns()
            await self._start_servers()
            await self._story()
        finally:
            # Also when it failed: what was started can then be stopped.
            self._write_pids()
            await self.lab.close_clients()

    def _write_pids(self):
        processes = [self.lab.dns.process] + [server.process for server in self.lab.servers]
        alive = [process.pid for process in processes if process and process.alive]
        with open(self.pids, "w", encoding="utf-8") as file:
            file.write("".join(f"{pid}\n" for pid in alive))

    async def _start_dns(self):
        title(f"A DNS server on {self.lab.dns.server} knows these two domains, and no others")
        await self.lab.dns.start()
        for server in self.lab.servers:
            tell(server.domain, f"_xmpps-server and _xmpp-server SRV: xmpp.{server.domain}, "
                                f"{server.address}")

    async def _start_servers(self):
        title("Two Causeway processes, one for each domain; neither is told of the other")
        await self.lab.start_servers(*self.lab.servers)
        for server in self.lab.servers:
            tell(server.domain, f"process {server.process.pid}, {server.directory}/causeway.toml")

    async def _story(self):
        title("Alice on the island writes to Bob on the mainland for the first time")
        await self.island.add_user("alice")
        await self.mainland.add_user("bob")
        alice = await self.island.login("alice", resource="cottage")
        bob = await self.mainland.login("bob", resource="office")
        for client in (alice, bob):
            await client.become_available()
            tell(client.boundjid.full, f"logged in with {client['feature_mechanisms'].mech.name} "
                                       f"over {client.socket.version()}")
        me, you = alice.boundjid, bob.boundjid
        alice.show("subscribe", you.bare, status="May I see when you are there?")
        request = await bob.presence(me.bare, "subscribe")
        tell(me.bare, f"asks {you.bare} to be a contact")
        tell(you.bare, f"gets the request: \"{request['status']}\"")
        bob.show("subscribed", me.bare)
        await alice.presence(you.bare, "subscribed")
        tell(you.bare, "approves it")
        await alice.presence(you.full, "available")
        tell(me.bare, f"sees {you.full} available")
        bob.show("subscribe", me.bare)
        await alice.presence(you.bare, "subscribe")
        alice.show("subscribed", you.bare)
        await bob.presence(me.full, "available")
        tell(you.bare, f"asks in return, is approved, and sees {me.full} available")
        bob.show(status="reading")
        await alice.presence(you.full, "available", "reading")
        tell(me.bare, f"sees the status of {you.bare}: \"reading\"")
        for one, other, text in ((alice, bob, "Is there a way across?"),
                                 (bob, alice, "There is now: one straight causeway."),
                                 (alice, bob, "Then I come over at low tide.")):
            one.say(other.boundjid.bare, text)
            await other.message(text, one.boundjid.full)
            tell(one.boundjid.bare, f"writes: {text}")
        bob.show("unavailable")
        await alice.presence(you.full, "unavailable")
        tell(me.bare, f"sees {you.bare} leave")

        title("How the two servers found and trusted each other (causewayctl peer list)")
        for server in self.lab.servers:
            document = await server.ctl("peer", "list")
            if not document:
                raise LabError(f"{server.name} lists no peer although messages went across")
            status, text = await server.ctl_text("peer", "list")
            say(f"{server.domain}:")
            say(textwrap.indent(text.rstrip(), "   ") if status == 0 else json.dumps(document))

    async def invite(self):
        """What is left running, and what to do with it."""
        title("Both servers and the DNS server go on running. Join them with your own client")
        for server in self.lab.servers:
            await server.add_user(GUEST)
            tell(f"{GUEST}@{server.domain}",
                 f"password \"{password_of(GUEST)}\", server {server.address}, port {C2S_PORT} "
                 f"(STARTTLS) or {C2S_TLS_PORT} (direct TLS)")
        say(f"""
   The authority to trust:  {self.lab.authority.trust}
   With profanity (apt install profanity), for one:
      profanity
      /connect {GUEST}@{DOMAINS[0]} server {self.island.address} port {C2S_PORT} tls force
      /tls allow        (when it shows the certificate: the authority is this demo's own)
      /msg {GUEST}@{DOMAINS[1]} hello

   See what happens, with {self.build}/tools/causewayctl:""")
        ctl = f"{self.build}/tools/causewayctl --socket"
        for server, verb in ((self.island, "status"), (self.island, "session list"),
                             (self.island, f"roster show alice@{DOMAINS[0]}"),
                             (self.mainland, "peer list"),
                             (self.mainland, f"peer show {DOMAINS[0]}"),
                             (self.mainland, "queue list")):
            say(f"      {ctl} {server.socket} {verb}")
        say(f"""   Their logs: {self.directory}/*/causeway.log

   Stop it all and remove {self.directory}:
      {ROOT}/tools/demo stop{self._options()}""")

    def _options(self):
        """What tools/demo stop must be given to find this directory."""
        usual = f"{ROOT}/build/demo"
        return "" if self.directory == usual else f" --directory {self.directory}"


def stop(directory):
    """End what an earlier demo left in this directory; returns how many processes."""
    try:
        with open(f"{directory}/pids", encoding="utf-8") as file:
            pids = [int(line) for line in file]
    except FileNotFoundError:
        return 0
    # A number may meanwhile belong to somebody else: ours name the directory.
    ours = [pid for pid in pids if directory in _command_line(pid)]
    asyncio.run(_end(ours, directory))
    os.unlink(f"{directory}/pids")
    return len(ours)


async def _end(pids, directory):
    def left():
        return [pid for pid in pids if directory in _command_line(pid)]
    for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        for pid in left():
            # Each leads a process group of its own.
            os.killpg(pid, number)
        try:
            await until(lambda: not left(), "end of the demo's processes", seconds)
            return
        except LabError:
            continue
    raise LabError(f"processes {left()} do not end")


def _command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", nargs="?", choices=("start", "stop"), default="start")
    parser.add_argument("--check", action="store_true", help="run to the end, stop everything")
    parser.add_argument("--build", default=f"{ROOT}/build")
    parser.add_argument("--directory", help="where everything is kept (default: BUILD/demo)")
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    directory = os.path.abspath(arguments.directory or
                                f"{build}/demo" + ("-check" if arguments.check else ""))
    try:
        if arguments.verb == "stop":
            ended = stop(directory)
            shutil.rmtree(directory, ignore_errors=True)
            say(f"stopped {ended} processes" if ended else "no demo is running")
            return 0
        stop(directory)
        shutil.rmtree(directory, ignore_errors=True)
        return asyncio.run(_play(build, directory, arguments.check))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


async def _play(build, directory, check):
    demo = Demo(build, directory, CHECK_NET if check else NET)
    failed = True
    try:
        await demo.run()
        failed = False
    finally:
        if check or failed:
            await demo.lab.stop(keep=failed)
    if check:
        say("\nThe demo ran to its end; everything is stopped again.")
    else:
        await demo.invite()
    return 0


if __name__ == "__main__":
    sys.exit(main())
