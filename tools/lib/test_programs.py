"""Prints what to build for some suites: the ninja targets of their test programs.

    test_programs.py BUILD-DIRECTORY SUITE...

Sanitizer builds need the tests alone, and not the rest of the tree with them.
"""

import json
import os
import subprocess
import sys


def main():
    directory, suites = os.path.realpath(sys.argv[1]), set(sys.argv[2:])
    tests = json.loads(subprocess.run(["meson", "introspect", "--tests", directory], check=True,
                                      capture_output=True, text=True).stdout)
    targets = json.loads(subprocess.run(["meson", "introspect", "--targets", directory],
                                        check=True, capture_output=True, text=True).stdout)
    files = {target["id"]: target["filename"] for target in targets}
    wanted = set()
    for test in tests:
        # Meson gives suites as project:suite.
        if suites & {suite.rsplit(":", 1)[-1] for suite in test["suite"]}:
            wanted.update(test["cmd"])
            for dependency in test["depends"]:
                wanted.update(files.get(dependency, []))
    prefix = directory + os.sep
    print(" ".join(sorted(path[len(prefix):] for path in wanted if path.startswith(prefix)
                          and os.path.realpath(path) not in (directory,))))


if __name__ == "__main__":
    main()
