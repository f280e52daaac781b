"""Client programs made with npm's XMPP libraries: the libraries are installed once into a cache
directory, outside the project."""

import hashlib
import os
import shutil
import subprocess
import tempfile

from .program import PROGRAMS, Program

INSTALL_SECONDS = 300


def cache_directory():
    """One for each content of the lock file."""
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        home = os.path.expanduser("~")
        base = f"{home}/.cache" if os.access(home, os.W_OK) else tempfile.gettempdir()
    with open(f"{PROGRAMS}/package-lock.json", "rb") as file:
        version = hashlib.sha256(file.read()).hexdigest()[:16]
    return f"{base}/causeway-tests/npm-{version}"


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
            shutil.copy(f"{PROGRAMS}/{name}", directory)
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


class NodeProgram(Program):
    """A script of programs/, which finds the installed libraries beside itself."""

    async def run(self, script, *arguments):
        for name in os.listdir(PROGRAMS):
            if name.endswith(".mjs"):
                shutil.copy(f"{PROGRAMS}/{name}", self.directory)
        os.symlink(f"{cache_directory()}/node_modules", f"{self.directory}/node_modules")
        await self.start(["node", "--preserve-symlinks", script, *arguments],
                         NODE_EXTRA_CA_CERTS=self.lab.authority.trust)
