"""Groups of cases: what a case is, how a group is run inside its laboratory."""

import asyncio
import fnmatch
import itertools
import json
import sys
import time
import traceback

from lab import Lab, LabError, within

SET_UP_SECONDS = 200
CASE_SECONDS = 180
STOP_SECONDS = 40


def deadline(seconds):
    """Give a case method more (or less) time than CASE_SECONDS."""
    def mark(method):
        method.deadline = seconds
        return method
    return mark


def check(condition, otherwise):
    """Fail the case with the reason `otherwise` unless `condition` holds."""
    if not condition:
        raise LabError(otherwise)


class Group:
    """Cases that share one laboratory, in their own namespaces. Subclasses describe their
    servers in set_up(); methods named case_* are cases, and cases() may list more."""

    name = "group"
    weight = 1  # how long it takes, roughly; the longest start first

    def __init__(self, options=None):
        self.options = options or {}
        self.lab = None
        self._numbers = itertools.count(1)

    @staticmethod
    def prepare():
        """What needs the machine's own network; None, or why it failed."""

    async def set_up(self):
        """Describe servers with self.causeway() and self.lab.server(); they are started next."""

    def cases(self):
        """[(name, coroutine function without arguments)]"""
        return [(name[len("case_"):].replace("_", "-"), getattr(self, name))
                for name in vars(type(self)) if name.startswith("case_")]

    def causeway(self, domains, **options):
        """The server under test, or the stand-in that shows whether a case itself is right."""
        kind = self.options.get("stand_in") or "causeway"
        if kind != "causeway":
            options.pop("settings", None)
            options.pop("domain_settings", None)
        return self.lab.server(kind, domains, **options)

    def fresh(self, stem):
        """A user name that no other case has."""
        return f"{stem}{next(self._numbers)}"

    def selected(self, pattern):
        return [(f"{self.name}/{name}", method) for name, method in self.cases()
                if matches(f"{self.name}/{name}", pattern)]


def matches(name, pattern):
    return not pattern or pattern in name or fnmatch.fnmatch(name, pattern)


def run_group(group, directory, build, pattern, keep):
    """Run the selected cases; prints one JSON object a line for the parent to read."""
    return asyncio.run(_run_group(group, directory, build, pattern, keep))


def _report(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def _run_group(group, directory, build, pattern, keep):
    cases = group.selected(pattern)
    start = time.monotonic()
    lab = group.lab = Lab(directory, build)
    try:
        try:
            await within(SET_UP_SECONDS, _set_up(group), "start of the servers")
        except Exception as error:  # any fault here is each case's failure
            reason, logs = f"set-up: {_reason(error)}", lab.logs(15)
            for name, _ in cases:
                _report(case=name, passed=False, seconds=0, reason=reason, logs=logs)
                reason, logs = "set-up failed, as said above", ""
            return
        _report(note=f"{group.name}: {len(lab.servers)} servers up in "
                     f"{time.monotonic() - start:.1f} s")
        for name, method in cases:
            await _run_case(lab, name, method)
    finally:
        await within(STOP_SECONDS, lab.stop(keep), "end of the servers")


async def _set_up(group):
    await group.set_up()
    await group.lab.start()


async def _run_case(lab, name, method):
    start = time.monotonic()
    note, reason, logs = None, None, ""
    try:
        note = await within(getattr(method, "deadline", CASE_SECONDS), method(), "end of the case")
    except Exception as error:  # whatever it is, the next case must still be run
        reason = _reason(error)
        logs = "".join(traceback.format_exception(error)) + lab.logs()
    await lab.close_clients()
    _report(case=name, passed=reason is None, seconds=time.monotonic() - start, reason=reason,
            note=note, logs=logs)


def _reason(error):
    """In one line: what is wrong, and where in which case it was found."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if "/cases/" in frame.filename]
    where = f" [{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}]" if frames else ""
    known = isinstance(error, LabError)
    return f"{error if known else f'{type(error).__name__}: {error}'}{where}"
