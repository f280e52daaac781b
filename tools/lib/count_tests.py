"""Counts what a `meson test` run did: prints "PASSED FAILED" from its testlog.json.

A program built with doctest counts as its test cases, any other as one. Whatever else is
wrong with a program (a crash, a timeout, a sanitizer's report) counts as one failure more.
"""

import json
import re
import sys

# [doctest] test cases:  12 |  12 passed | 0 failed | 0 skipped
DOCTEST = re.compile(r"^\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed",
                     re.MULTILINE)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
GOOD_RESULTS = ("OK", "EXPECTEDFAIL")


def count(test):
    """(passed, failed) of one line of the log."""
    good = test["result"] in GOOD_RESULTS
    if test["result"] == "SKIP":
        return 0, 0
    output = COLOURS.sub("", (test.get("stdout") or "") + (test.get("stderr") or ""))
    summaries = DOCTEST.findall(output)
    if not summaries:
        return int(good), int(not good)
    passed = sum(int(summary[0]) for summary in summaries)
    failed = sum(int(summary[1]) for summary in summaries)
    return passed, failed or int(not good)


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            one, other = count(json.loads(line))
            passed += one
            failed += other
    print(passed, failed)


if __name__ == "__main__":
    main()
