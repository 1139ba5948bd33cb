"""The command ``python -m rtrace_unpackers.conformance``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from rtrace.errors import RtraceError
from rtrace.printable import printable
from rtrace.replay.registry import load_unpacker
from rtrace_unpackers.conformance.judging import CHECKS, choose, judge
from rtrace_unpackers.conformance.model import Judged


def main(arguments: Sequence[str]) -> int:
    """Check the unpacker that is named; return 0 when it keeps every promise, 1 when it breaks one."""
    parser = argparse.ArgumentParser(
        prog="python -m rtrace_unpackers.conformance",
        description="Check whether an unpacker keeps what its protocol promises: it exits with 0, or with 1.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the unpacker, as `rtrace unpack` knows it")
    parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="this check only; may be repeated")
    parser.add_argument("--json", action="store_true", help="answer with a JSON document")
    parser.add_argument("--list", action="store_true", help="print the checks, and check nothing")
    given = parser.parse_args(arguments)
    if given.list:
        for check in CHECKS:
            print(f"{check.name:16} {check.sentence}")
        return 0
    if given.name is None:
        parser.error("name an unpacker")
    try:
        tell = (lambda _judged: None) if given.json else show
        found = judge(load_unpacker(given.name), choose(given.only), tell)
    except RtraceError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return error.exit_status
    broken = sum(judged.ending == "FAILED" for judged in found)
    if given.json:
        checks = [
            {"name": one.check.name, "promise": one.check.sentence, "ending": one.ending.lower(), "why": one.why}
            for one in found
        ]
        print(json.dumps({"unpacker": given.name, "broken": broken, "checks": checks}, indent=2))
    else:
        skipped = sum(judged.ending == "skipped" for judged in found)
        print(f"{given.name}: {len(found) - broken - skipped} of {len(found)} ok, {broken} failed, {skipped} skipped")
    return 1 if broken else 0


def show(judged: Judged) -> None:
    """Print a line of a check."""
    why = f" ({printable(os.fsencode(judged.why))})" if judged.why else ""
    print(f"{judged.ending:7} {judged.check.name:16} {judged.check.sentence}{why}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
