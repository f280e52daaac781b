"""Child processes that cannot outlive the laboratory, unless they are meant to.

Each child leads a process group of its own, which is signalled as a whole, and asks
the kernel for SIGKILL when its parent dies, so that even a killed run leaves nothing.
"""

import asyncio
import ctypes
import os
import signal
import subprocess

from .waiting import LabError, LabTimeout, until

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """To be called in a child before exec."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """One server process, its output in a log file.

    With `outlives` it goes on when this process ends, in a session of its own."""

    def __init__(self, name, arguments, log, environment=None, directory=None, outlives=False):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.log = log
        self.environment = environment
        self.directory = directory
        self.outlives = outlives
        self._child = None

    @property
    def alive(self):
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self):
        return self._child.pid

    @property
    def status(self):
        """Exit status, negative for a signal, None while running or never started."""
        return self._child.poll() if self._child else None

    def start(self):
        if self.alive:
            raise LabError(f"{self.name} runs already")
        environment = dict(os.environ)
        environment.update(self.environment or {})
        with open(self.log, "ab") as output:
            # A child that outlives us is not to keep our terminal's signals either.
            self._child = subprocess.Popen(  # pylint: disable=consider-using-with
                self.arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, cwd=self.directory, start_new_session=True,
                preexec_fn=None if self.outlives else die_with_parent)

    async def stop(self, grace=10.0):
        """SIGTERM, then SIGKILL after `grace` seconds; returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            await until(lambda: not self.alive, f"end of {self.name}", grace)
        except LabTimeout:
            pass  # it is killed next, and its status tells
        return await self.kill()

    async def kill(self):
        """SIGKILL to whatever is left of the process group; returns the exit status."""
        if not self._child:
            return None
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await until(lambda: not self.alive, f"end of the killed {self.name}")
        return self.status

    def signal(self, number):
        """To the process alone, not to its group."""
        if self.alive:
            self._child.send_signal(number)

    def must_live(self):
        """Raises with the end of the log if the process has ended."""
        if not self.alive:
            raise LabError(f"{self.name} ended with status {self.status}\n{self.tail(15)}")

    def tail(self, lines=30):
        return tail(self.log, lines)


def tail(path, lines):
    """The last lines of a log file, each indented, or an empty string."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 200 * lines))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join("      " + line[:400] for line in text.splitlines()[-lines:])


async def run(arguments, input_text=None, deadline=60.0):
    """Run a command to its end; returns (status, stdout, stderr) as text."""
    child = await asyncio.create_subprocess_exec(
        *[str(argument) for argument in arguments],
        stdin=asyncio.subprocess.PIPE if input_text is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True, preexec_fn=die_with_parent)
    try:
        data = input_text.encode() if input_text is not None else None
        out, err = await asyncio.wait_for(child.communicate(data), deadline)
    except asyncio.TimeoutError:
        os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        raise LabError(f"{arguments[0]} did not end within {deadline:g} s: "
                       f"{' '.join(map(str, arguments))}") from None
    return child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
