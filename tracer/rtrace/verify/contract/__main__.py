"""The command ``python -m rtrace.verify.contract``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from rtrace.plugins import find_plugins, load
from rtrace.printable import printable
from rtrace.verify.contract.checks import CHECKS, Samples, judge
from rtrace.verify.judging.judging import GROUP


def main(arguments: Sequence[str]) -> int:
    """Check the comparator that is named; return 0 when it keeps every promise, 1 when it breaks one."""
    parser = argparse.ArgumentParser(
        prog="python -m rtrace.verify.contract",
        description="Check whether a comparator keeps what its protocol promises: it exits with 0, or with 1.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"an entry point of {GROUP}, or MODULE:ATTRIBUTE")
    for option, what in (("--equal", "say the same with other bytes"), ("--different", "differ in what they say")):
        parser.add_argument(
            option,
            nargs=2,
            action="append",
            default=[],
            metavar=("ONE", "OTHER"),
            help=f"two files that {what}; repeatable",
        )
    parser.add_argument("--list", action="store_true", help="print the checks, and check nothing")
    given = parser.parse_args(arguments)
    if given.list:
        for check in CHECKS:
            print(f"{check.name:10} {check.sentence}")
        return 0
    if given.name is None:
        parser.error("name a comparator")
    address = find_plugins(GROUP).get(given.name, given.name)
    try:
        kind = load(address)
    except (ImportError, AttributeError, ValueError) as error:
        known = ", ".join(find_plugins(GROUP)) or "none"
        parser.error(f"there is no comparator {printable(os.fsencode(given.name))} ({error}); installed: {known}")
    samples = Samples(make_pairs(given.equal), make_pairs(given.different))
    broken = skipped = 0
    for judged in judge(kind, samples):
        why = f" ({printable(os.fsencode(judged.why))})" if judged.why else ""
        print(f"{judged.ending:7} {judged.check.name:10} {judged.check.sentence}{why}", flush=True)
        broken += judged.ending == "FAILED"
        skipped += judged.ending == "skipped"
    print(f"{given.name}: {len(CHECKS) - broken - skipped} of {len(CHECKS)} ok, {broken} failed, {skipped} skipped")
    return 1 if broken else 0


def make_pairs(given: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return pairs of files as they were given."""
    return tuple((one, other) for one, other in given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
