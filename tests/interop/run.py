#!/usr/bin/python3
"""Runs Causeway against real servers and clients; see README.md beside this file.

One line a case, then "N passed, N failed"; exit status 0 only if none failed.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

if not importlib.util.find_spec("slixmpp"):
    # Another Python than Debian's may come first on PATH.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    sys.exit("slixmpp is missing: run tools/install")

from cases import GROUPS  # noqa: E402
from lab import enter_command, namespace_problem  # noqa: E402
from lab.process import die_with_parent  # noqa: E402
from suite import run_group  # noqa: E402


# Failures that are run once more; beyond that it is not the machine.
MOST_AGAIN = 3


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="cases whose name contains NAME (or "
                        "matches it as a pattern with * and ?)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory")
    parser.add_argument("--verbose", action="store_true", help="say when servers are up")
    parser.add_argument("--logs", metavar="FILE", help="append the ends of the servers' logs at "
                        "each failure to FILE")
    parser.add_argument("--build", default=f"{ROOT}/build", help="where Causeway was built")
    parser.add_argument("--jobs", type=int, default=min(3, (os.cpu_count() or 1) + 1),
                        help="groups of cases run at once (default %(default)s)")
    parser.add_argument("--kill-rounds", type=int, default=2, help="kill -9 how often a case")
    parser.add_argument("--kill-messages", type=int, default=400, help="messages a round")
    parser.add_argument("--again", action="store_true", help="run what failed once more, alone: "
                        "on a loaded machine a program may be late that is right otherwise")
    parser.add_argument("--seed", type=int, default=1, help="of the moments to kill at")
    parser.add_argument("--stand-in", choices=("prosody", "ejabberd"), help="run this server in "
                        "Causeway's place, to see whether a case is right")
    parser.add_argument("--worker", nargs=2, metavar=("GROUP", "DIRECTORY"),
                        help=argparse.SUPPRESS)
    return parser.parse_args()


def group_options(arguments):
    return {"stand_in": arguments.stand_in, "kill_rounds": arguments.kill_rounds,
            "kill_messages": arguments.kill_messages, "seed": arguments.seed}


def main():
    arguments = parse_arguments()
    arguments.build = os.path.abspath(arguments.build)
    groups = [group_class(group_options(arguments)) for group_class in GROUPS]
    if arguments.worker:
        name, directory = arguments.worker
        group = next(group for group in groups if group.name == name)
        run_group(group, directory, arguments.build, arguments.only, arguments.keep)
        return 0
    groups = [group for group in groups if group.selected(arguments.only)]
    if arguments.list:
        for group in groups:
            print("\n".join(name for name, _ in group.selected(arguments.only)))
        return 0
    if not groups:
        sys.exit(f"no case matches {arguments.only}")
    problem = namespace_problem()
    if problem:
        sys.exit(problem)
    for group in groups:
        problem = group.prepare()
        if problem:
            # Its cases will fail and say so; the others can still be run.
            print(f"{group.name}: {problem}", flush=True)
    return asyncio.run(Master(arguments, groups).run())


class Master:
    """Starts a worker for each group in namespaces of its own and prints what they report."""

    def __init__(self, arguments, groups):
        self.arguments = arguments
        self.groups = sorted(groups, key=lambda group: -group.weight)
        self.passed = 0
        self.failed = 0
        self.scratch = tempfile.mkdtemp(prefix="causeway-interop-")
        self.children = set()
        self.failures = []

    async def run(self):
        loop = asyncio.get_running_loop()
        this = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, this.cancel)
        start = time.monotonic()
        places = asyncio.Semaphore(self.arguments.jobs)
        try:
            await asyncio.gather(*(self._run_group(group, places, self.arguments.only)
                                   for group in self.groups))
            if self.arguments.again and len(self.failures) <= MOST_AGAIN:
                await self._run_again()
        except asyncio.CancelledError:
            print("interrupted")
            self.failed += 1
        finally:
            for child in self.children:
                # Its namespaces, with all processes in them, end with it.
                child.kill()
            if self.arguments.keep:
                print(f"scratch directory: {self.scratch}")
            else:
                shutil.rmtree(self.scratch, ignore_errors=True)
        print(f"interop: {time.monotonic() - start:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0

    async def _run_again(self):
        """What fails a second time counts as failed."""
        alone = asyncio.Semaphore(1)
        for number, name in enumerate(list(self.failures)):
            group = next(group for group in self.groups if group.selected(name))
            print(f"once more: {name}", flush=True)
            self.failed -= 1
            await self._run_group(group, alone, name, f"-again-{number}")

    async def _run_group(self, group, places, only, attempt=""):
        async with places:
            expected = {name for name, _ in group.selected(only)}
            errors = f"{self.scratch}/{group.name}{attempt}.stderr"
            command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:],
                       *(["--only", only] if only else []),
                       "--worker", group.name, f"{self.scratch}/{group.name}{attempt}"]
            with open(errors, "wb") as stderr:
                child = await asyncio.create_subprocess_exec(
                    *enter_command(command), stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE, stderr=stderr, start_new_session=True,
                    preexec_fn=die_with_parent, limit=1 << 22)
            self.children.add(child)
            async for line in child.stdout:
                report = json.loads(line)
                expected.discard(report.get("case"))
                self._print(report)
            await child.wait()
            self.children.discard(child)
            with open(errors, encoding="utf-8", errors="replace") as stderr:
                complaint = stderr.read().strip()
            for name in sorted(expected):
                self._print({"case": name, "passed": False, "seconds": 0,
                             "reason": f"its group ended early (status {child.returncode}): "
                                       f"{complaint[-1500:]}"})
            if complaint and self.arguments.verbose:
                print(f"{group.name} says on stderr:\n{complaint[-3000:]}", flush=True)

    def _print(self, report):
        if "case" not in report:
            if self.arguments.verbose:
                print(f"       {report['note']}", flush=True)
            return
        self.passed += report["passed"]
        self.failed += not report["passed"]
        if not report["passed"]:
            self.failures.append(report["case"])
        note = f": {report['note']}" if report.get("note") else ""
        if report["passed"]:
            print(f"ok     {report['case']} ({report['seconds']:.1f} s){note}", flush=True)
            return
        print(f"FAILED {report['case']} ({report['seconds']:.1f} s): {report['reason']}", flush=True)
        if self.arguments.logs:
            with open(self.arguments.logs, "a", encoding="utf-8") as file:
                file.write(f"{report['case']}: {report['reason']}\n{report.get('logs', '')}\n")


if __name__ == "__main__":
    sys.exit(main())
