"""Cables that can be pulled: packets between two addresses are dropped, without a word to either
side. Everything runs in a network namespace of the group's own (see namespace.py)."""

from .process import run
from .waiting import LabError

# The kernel asks the rules in this order; its own table of local addresses comes first.
PULLED, LOCAL = "5", "10"


async def _rule(*arguments):
    status, _, err = await run(["ip", "rule", *arguments], None, 10)
    if status != 0:
        raise LabError(f"ip rule {' '.join(arguments)}: {err.strip()}")


class Cable:
    def __init__(self, one, other):
        self.ends = ((one, other), (other, one))

    async def pull(self):
        status, rules, _ = await run(["ip", "rule", "list", "pref", "0"], None, 10)
        if status == 0 and rules.strip():
            await _rule("add", "pref", LOCAL, "lookup", "local")
            await _rule("del", "pref", "0")
        for source, target in self.ends:
            await _rule("add", "pref", PULLED, "from", source, "to", target, "blackhole")

    async def plug_in(self):
        for source, target in self.ends:
            await _rule("del", "pref", PULLED, "from", source, "to", target, "blackhole")
