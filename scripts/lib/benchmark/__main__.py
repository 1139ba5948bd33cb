"""Run the benchmark: every tool takes its turn in every round, so that a busy minute hits all of them."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmark import report
from benchmark.tools import BARE, Measurement, Tool, find_tools
from benchmark.workloads import WORKLOADS, Workload


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line of scripts/bench, behind the path of the checkout."""
    names = [row.name for row in WORKLOADS]
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("checkout", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, metavar="N", help="turns that each tool takes (default: 5)")
    parser.add_argument("--only", action="append", choices=names, metavar="ROW", help=f"rows: {', '.join(names)}")
    parser.add_argument("--tools", default="bare,rtrace,strace,reprozip", help="columns (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one round: does it all run?")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="for one run of one tool")
    return parser.parse_args(argv)


def measure_row(
    row: Workload, tools: list[Tool], *, rounds: int, timeout: float, python: str
) -> dict[str, list[Measurement]]:
    """Measure one row. The first run, bare and not counted, warms the caches; each round starts with another tool."""
    measurements: dict[str, list[Measurement]] = {tool.name: [] for tool in tools}
    folder = Path(tempfile.mkdtemp(prefix=f"rtrace-bench-{row.name}-"))
    try:
        cwd = folder / "work"
        cwd.mkdir()
        row.prepare(cwd, row.size)
        argv = row.argv(python)
        BARE.measure(argv, cwd, folder / "scratch", timeout)
        for turn in range(rounds):
            shift = turn % len(tools)
            for tool in tools[shift:] + tools[:shift]:
                if any(measurement.failure for measurement in measurements[tool.name]):
                    continue
                measurement = tool.measure(argv, cwd, folder / "scratch", timeout)
                measurements[tool.name].append(measurement)
                figure = measurement.failure or f"{measurement.seconds:.2f} s"
                print(f"{row.name}, round {turn + 1}, {tool.name}: {figure}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return measurements


def main() -> None:
    """Measure the chosen rows and columns, and print the report."""
    arguments = parse_arguments(sys.argv[1:])
    wanted = arguments.tools.split(",")
    found = {tool.name: tool for tool in find_tools(arguments.checkout)}
    if unknown := [name for name in wanted if name not in found]:
        sys.exit(f"scripts/bench: no such tool: {', '.join(unknown)}; there are {', '.join(found)}")
    tools = [found[name] for name in wanted]
    rows = [row for row in WORKLOADS if not arguments.only or row.name in arguments.only]
    if arguments.quick:
        rows = [row.scaled(10) for row in rows]
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    machine = report.describe_machine()
    science = str(arguments.checkout / ".bench/science/bin/python")

    results: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        measured = measure_row(row, tools, rounds=rounds, timeout=arguments.timeout, python=science)
        results.update({(row.name, name): measurements for name, measurements in measured.items()})

    print(f"{machine}.\nMedians of {rounds} interleaved rounds; in brackets, times bare.\n")
    print("\n".join(f"- {tool.name}: {tool.describe()}" for tool in tools) + "\n")
    print(report.format_results(rows, tools, results))
    for section in (report.format_parts(rows, results), report.format_failures(results)):
        if section:
            print(f"\n{section}")


if __name__ == "__main__":
    main()
