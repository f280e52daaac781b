"""A terminal, for a client that has only a screen: tmux draws it, keys are typed into it."""

import os
import shlex

from .namespace import mount_namespace_command
from .process import run
from .waiting import LabError, until

COLUMNS, LINES = 160, 50
SCREEN_SECONDS = 60.0


class Terminal:
    """One program on one screen, in a directory of its own, with the laboratory's name service."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.directory = f"{lab.directory}/terminal-{name}"
        self.runs = False
        os.makedirs(self.directory)
        lab.cleanups.append(self.kill)

    async def start(self, command, environment):
        with open(f"{self.directory}/resolv.conf", "w", encoding="utf-8") as file:
            file.write(f"nameserver {self.lab.dns.address}\n")
        variables = [f"{key}={value}" for key, value in environment.items()]
        command = mount_namespace_command(f"{self.directory}/resolv.conf",
                                          ["env", *variables, *command])
        self.runs = True
        await self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS),
                         "-y", str(LINES), "-c", self.directory, shlex.join(command))

    async def type(self, line):
        """A line and the return key."""
        await self._tmux("send-keys", "-l", line)
        await self._tmux("send-keys", "Enter")

    async def screen(self):
        """What the screen shows; empty once the program has ended."""
        status, out, _ = await self._run("capture-pane", "-p")
        return out if status == 0 else ""

    async def see(self, *texts, deadline=SCREEN_SECONDS):
        """Wait until all of these stand on the screen; returns it."""
        return await self.see_either(texts, deadline=deadline)

    async def see_either(self, *groups, deadline=SCREEN_SECONDS):
        """Wait until all texts of one of these groups stand on the screen; returns it."""
        last = ""

        async def seen():
            nonlocal last
            last = await self.screen()
            return any(all(text in last for text in texts) for texts in groups)
        wanted = " or ".join(" and ".join(map(repr, texts)) for texts in groups)
        await until(seen, f"{wanted} on {self.name}'s screen", deadline,
                    lambda: "\n" + "\n".join(line for line in last.splitlines() if line.strip()))
        return last

    async def ended(self, deadline=SCREEN_SECONDS):
        """Wait until the program has ended by itself."""
        async def gone():
            return (await self._run("has-session"))[0] != 0
        await until(gone, f"end of {self.name}", deadline)
        self.runs = False

    async def kill(self):
        if self.runs:
            await self._run("kill-server")
            self.runs = False

    async def _tmux(self, *arguments):
        status, out, err = await self._run(*arguments)
        if status != 0:
            raise LabError(f"tmux {arguments[0]}: {out}{err}")

    async def _run(self, *arguments):
        return await run(["tmux", "-u", "-S", f"{self.directory}/tmux", *arguments])
