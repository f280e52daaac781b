"""@xmpp/client from npm: installed once into a cache directory, run as a child process."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile

from .namespace import mount_namespace_command
from .process import die_with_parent, tail
from .waiting import LabError, within

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "xmppjs")
INSTALL_SECONDS = 300


def cache_directory():
    """Outside the project, one for each content of the lock file."""
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        home = os.path.expanduser("~")
        base = f"{home}/.cache" if os.access(home, os.W_OK) else tempfile.gettempdir()
    with open(f"{SOURCE}/package-lock.json", "rb") as file:
        version = hashlib.sha256(file.read()).hexdigest()[:16]
    return f"{base}/causeway-tests/xmppjs-{version}"


def install():
    """Needs npm and its registry the first time; None, or a sentence that says what failed."""
    target = cache_directory()
    if os.path.isdir(f"{target}/node_modules"):
        return None
    if not shutil.which("npm"):
        return "npm is not installed: run tools/install"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as directory:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(f"{SOURCE}/{name}", directory)
        try:
            done = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"npm ci did not end within {INSTALL_SECONDS} s"
        if done.returncode != 0:
            return f"npm ci failed: {done.stderr.strip()[-500:]}"
        os.makedirs(f"{directory}/done")
        os.chmod(f"{directory}/done", 0o755)
        for name in os.listdir(directory):
            if name != "done":
                os.rename(f"{directory}/{name}", f"{directory}/done/{name}")
        try:
            os.rename(f"{directory}/done", target)
        except OSError:
            if not os.path.isdir(f"{target}/node_modules"):
                raise
    return None


class NodeClient:
    """One run of xmppjs/client.mjs; its reports are read one after the other."""

    def __init__(self, lab, name):
        self.directory = f"{lab.directory}/node-{name}"
        self.lab = lab
        self._child = None
        lab.cleanups.append(self.kill)

    async def start(self, service, domain, username, password):
        os.makedirs(self.directory)
        shutil.copy(f"{SOURCE}/client.mjs", self.directory)
        os.symlink(f"{cache_directory()}/node_modules", f"{self.directory}/node_modules")
        with open(f"{self.directory}/resolv.conf", "w", encoding="utf-8") as file:
            file.write(f"nameserver {self.lab.dns.address}\n")
        options = json.dumps({"service": service, "domain": domain, "username": username,
                              "password": password})
        environment = dict(os.environ, NODE_EXTRA_CA_CERTS=self.lab.authority.trust)
        command = mount_namespace_command(
            f"{self.directory}/resolv.conf",
            ["node", "--preserve-symlinks", "client.mjs", options])
        with open(f"{self.directory}/stderr", "wb") as errors:
            self._child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=errors, cwd=self.directory, env=environment, start_new_session=True,
                preexec_fn=die_with_parent)

    async def report(self, event, deadline=20, **fields):
        """Read on to the report of this event with these fields; errors on the way raise."""
        async def read():
            while True:
                line = await self._child.stdout.readline()
                if not line:
                    raise LabError(f"node ended waiting for {event}:\n"
                                   f"{tail(self.directory + '/stderr', 10)}")
                report = json.loads(line)
                if report["event"] == event and fields.items() <= report.items():
                    return report
                if report["event"] == "failed":
                    raise LabError(f"@xmpp/client: {report['text']}")
        return await within(deadline, read(), f"{event} {fields or ''} from @xmpp/client")

    async def end(self):
        """Wait for the program's own end; its exit status."""
        return await within(10, self._child.wait(), "end of the node program")

    async def kill(self):
        if self._child and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()
