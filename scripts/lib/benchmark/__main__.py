"""Run the benchmark: every tool takes its turn in every round, so that a busy minute hits all of them."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmark import (
    attribution,
    first_line,
    history,
    hostile,
    kill_scenarios,
    killed_commands,
    killing,
    packing,
    recording,
    replaying,
    report,
    scaling,
    torture,
    verifying,
    web,
)
from benchmark.rep24 import REP24
from benchmark.tools import BARE, Measurement, Tool, find_tools
from benchmark.workloads import WORKLOADS, Workload

ROWS = (*WORKLOADS, *REP24)
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line of scripts/bench, behind the path of the checkout."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("checkout", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, metavar="N", help="turns that each tool takes (default: 5)")
    parser.add_argument("--only", action="append", choices=names, metavar="ROW", help=f"rows: {', '.join(names)}")
    parser.add_argument("--group", choices=GROUPS, help="the rows of one group (default: all)")
    parser.add_argument("--heavy", action="store_true", help="with the rows whose packages are large: latex, blast")
    parser.add_argument(
        "--tools", default="bare,floor,rtrace,strace,reprozip,care,cde", help="columns (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one round: does it all run?")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="for one run of one tool")
    others = parser.add_argument_group(
        "instead of the tables", "Exit status 1 when one run of --kill, --kills or --torture failed."
    )
    others.add_argument("--scaling", action="store_true", help="time and memory of rtrace: many calls, many paths")
    others.add_argument("--packing", action="store_true", help="packing and unpacking beside tar and zstd")
    others.add_argument("--replaying", action="store_true", help="what it takes to verify the sample experiments")
    others.add_argument("--first-line", action="store_true", help="from `rtrace run BUNDLE` to what it prints first")
    others.add_argument("--verifying", action="store_true", help="verifying 300,000 files, and outputs of 2 GB")
    others.add_argument("--history", action="store_true", help="how fast a history of 10,000 runs answers")
    others.add_argument("--recording", action="store_true", help="what the record of a run costs at its end")
    others.add_argument("--hostile", action="store_true", help="what hostile bundles of 2, 20 and 200 MB cost a reader")
    others.add_argument("--web", action="store_true", help="the pages of `rtrace web`, with 10,000 runs")
    others.add_argument("--kill", type=int, metavar="N", help="kill the tracer of N busy runs, and read their traces")
    others.add_argument("--kills", type=int, metavar="N", help="kill every command at N moments: what is left?")
    others.add_argument("--torture", type=int, metavar="N", help="compare N random process trees with their traces")
    others.add_argument("--attribution", type=int, metavar="N", help="say whose N files of this machine are")
    others.add_argument(
        "--seed", type=int, default=1, help="of the moments of --kill and --kills; the first of --torture's trees"
    )
    arguments = parser.parse_args(argv)
    heavy = {row.name for row in ROWS if row.heavy}
    if not arguments.heavy and (wanted := heavy.intersection(arguments.only or ())):
        parser.error(f"{', '.join(sorted(wanted))}: add --heavy, which installs the packages for it")
    return arguments


def choose_rows(arguments: argparse.Namespace) -> list[Workload]:
    """Return the rows that the command line asks for, in their order, made smaller by --quick."""
    rows = [
        row
        for row in ROWS
        if (not arguments.only or row.name in arguments.only)
        and arguments.group in {None, row.group}
        and (arguments.heavy or not row.heavy)
    ]
    return [row.scaled(10) for row in rows] if arguments.quick else rows


def measure_row(
    row: Workload, tools: list[Tool], *, rounds: int, timeout: float, python: str, scratch: Path
) -> dict[str, list[Measurement]]:
    """Measure one row. The first run, bare and not counted, warms the caches; each round starts with another tool."""
    measurements: dict[str, list[Measurement]] = {tool.name: [] for tool in tools}
    folder = Path(tempfile.mkdtemp(prefix=f"row-{row.name}-", dir=scratch))
    cwd = folder / "work"

    def take_turn(tool: Tool) -> Measurement:
        shutil.rmtree(cwd / "out", ignore_errors=True)
        (cwd / "out").mkdir()
        return tool.measure(argv, cwd, folder / "scratch", timeout)

    try:
        cwd.mkdir()
        row.prepare(cwd, row.size)
        argv = row.argv(python)
        take_turn(BARE)
        for turn in range(rounds):
            shift = turn % len(tools)
            for tool in tools[shift:] + tools[:shift]:
                if any(measurement.failure for measurement in measurements[tool.name]):
                    continue
                measurement = take_turn(tool)
                measurements[tool.name].append(measurement)
                figure = measurement.failure or f"{measurement.seconds:.2f} s"
                print(f"{row.name}, round {turn + 1}, {tool.name}: {figure}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return measurements


def compare_tools(arguments: argparse.Namespace, machine: str, scratch: Path) -> None:
    """Measure the chosen rows and columns, and print the tables."""
    wanted = arguments.tools.split(",")
    found = {tool.name: tool for tool in find_tools(arguments.checkout)}
    if unknown := [name for name in wanted if name not in found]:
        sys.exit(f"scripts/bench: no such tool: {', '.join(unknown)}; there are {', '.join(found)}")
    tools = [found[name] for name in wanted]
    rows = choose_rows(arguments)
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    science = str(arguments.checkout / ".bench/science/bin/python")

    results: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        measured = measure_row(row, tools, rounds=rounds, timeout=arguments.timeout, python=science, scratch=scratch)
        results.update({(row.name, name): measurements for name, measurements in measured.items()})

    print(f"{machine}.\nMedians of {rounds} interleaved rounds; in brackets, times bare.\n")
    print("\n".join(f"- {tool.name}: {tool.describe()}" for tool in tools) + "\n")
    print(report.format_results(rows, tools, results))
    print_sections(
        report.format_parts(rows, results),
        report.format_means(rows, tools, results),
        report.format_failures(results),
    )


def print_sections(*sections: str) -> None:
    """Print those that have something to say, an empty line before each."""
    for section in sections:
        if section:
            print(f"\n{section}")


def choose_scales(*, quick: bool) -> Iterable[scaling.Scale]:
    """Return the rows of --scaling, a hundredth of them under --quick."""
    return [scale.scaled(100) for scale in scaling.SCALES] if quick else scaling.SCALES


def measure_costs(arguments: argparse.Namespace, machine: str, scratch: Path) -> bool:
    """Whether a figure of rtrace alone was asked for; each that was is measured and printed."""
    asked = False
    if arguments.scaling:
        scales = tuple(choose_scales(quick=arguments.quick))
        costs = scaling.run_scaling(find_tracer(arguments), scales, scratch)
        print(f"{machine}.\n\n{scaling.format_scaling(scales, costs)}")
        asked = True
    if arguments.packing:
        rtrace = arguments.checkout / ".venv/bin/rtrace"
        materials = [one.scaled(50) for one in packing.MATERIALS] if arguments.quick else packing.MATERIALS
        rounds = arguments.rounds or (1 if arguments.quick else 3)
        measured = packing.run_packing(rtrace, materials, scratch, rounds)
        print(f"{machine}.\nMedians of {rounds} interleaved rounds.\n\n{packing.format_packing(materials, measured)}")
        asked = True
    if arguments.replaying:
        rounds = arguments.rounds or (1 if arguments.quick else 5)
        replayed = replaying.run_replaying(arguments.checkout, scratch, rounds)
        print(f"{machine}.\nMedians of {rounds} interleaved rounds.\n\n{replaying.format_replaying(replayed)}")
        asked = True
    if arguments.first_line:
        rounds = arguments.rounds or (1 if arguments.quick else 5)
        libraries = arguments.checkout / ".bench/science"
        with tempfile.TemporaryDirectory(dir=scratch) as made:
            rtrace = arguments.checkout / ".venv/bin/rtrace"
            found = first_line.run_first_line(rtrace, libraries, Path(made), rounds)
        print(f"{machine}.\nMedians of {rounds} interleaved rounds.\n\n{first_line.format_first_line(*found)}")
        asked = True
    if arguments.verifying:
        rounds = arguments.rounds or (1 if arguments.quick else 3)
        files, megabytes = (3_000, 20) if arguments.quick else (300_000, 2_000)
        with tempfile.TemporaryDirectory(dir=scratch) as made:
            rtrace = arguments.checkout / ".venv/bin/rtrace"
            measured_rows = verifying.run_verifying(rtrace, Path(made), rounds, files, megabytes)
        print(f"{machine}.\nMedians of {rounds} rounds.\n\n{verifying.format_verifying(measured_rows)}")
        asked = True
    if arguments.history:
        with tempfile.TemporaryDirectory(dir=scratch) as made:
            print(f"{machine}.\n\n{history.measure_history(arguments.checkout, Path(made), quick=arguments.quick)}")
        asked = True
    if arguments.recording:
        rounds = arguments.rounds or (1 if arguments.quick else 10)
        with tempfile.TemporaryDirectory() as folder:  # in no repository
            print(f"{machine}.\n{recording.run_recording(arguments.checkout, rounds, Path(folder))}")
        asked = True
    if arguments.web:
        print(f"{machine}.\n")
        web.show(arguments.checkout, rounds=arguments.rounds or (1 if arguments.quick else 5), quick=arguments.quick)
        asked = True
    if arguments.hostile:
        rtrace = arguments.checkout / ".venv/bin/rtrace"
        sizes = hostile.SIZES[:1] if arguments.quick else hostile.SIZES
        print(
            f"{machine}.\n\n{hostile.format_hostile(hostile.run_hostile(rtrace, tuple(hostile.KINDS), sizes, scratch))}"
        )
        asked = True
    if arguments.attribution is not None:
        owned = attribution.measure_attribution(
            arguments.attribution, arguments.checkout / ".venv", arguments.rounds or 5
        )
        print(f"{machine}.\n\n{attribution.format_attribution(owned)}")
        asked = True
    return asked


def attack(arguments: argparse.Namespace, machine: str, scratch: Path) -> list[bool]:
    """Return whether all was well, for each kind of attack that was asked for; what it did is printed."""
    passed: list[bool] = []
    if arguments.kill is not None:
        kills = killing.run_killing(find_tracer(arguments), arguments.kill, scratch, arguments.seed)
        print(f"{machine}.\n\n{killing.format_killing(kills)}")
        passed.append(all(killed.passed for killed in kills))
    if arguments.kills is not None:
        killed = kill_scenarios.run_all_kills(
            (str(arguments.checkout / ".venv/bin/rtrace"),), arguments.kills, scratch, arguments.seed
        )
        print(f"{machine}.\n\n{killed_commands.format_kills(killed)}")
        passed.append(not any(kill.problems for kill in killed))
    if arguments.torture is not None:
        trees = torture.run_tortures(find_tracer(arguments), arguments.torture, torture.SIZE, scratch, arguments.seed)
        print(f"{machine}.\n\n{torture.format_tortures(trees, torture.SIZE)}")
        passed.append(not any(trees.values()))
    return passed


def find_tracer(arguments: argparse.Namespace) -> list[str]:
    """Return the command that traces what follows it."""
    return [str(arguments.checkout / ".venv/bin/rtrace"), "trace", "-q"]


def main() -> None:
    """Do what the command line asks for; exit status 1 when a killed or tortured run failed."""
    arguments = parse_arguments(sys.argv[1:])
    scratch = arguments.checkout / ".bench"
    scratch.mkdir(exist_ok=True)
    machine = report.describe_machine()
    asked = measure_costs(arguments, machine, scratch)
    passed = attack(arguments, machine, scratch)
    if not asked and not passed:
        compare_tools(arguments, machine, scratch)
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
