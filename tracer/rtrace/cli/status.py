"""``rtrace status``: which runs would no longer give what was recorded."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON, read_patterns
from rtrace.cli.terminal.manner import Color, is_verbose
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.printable import count, printable

if TYPE_CHECKING:
    from rtrace.staleness.model import RunStatus, StatusReport

COLORS: dict[str, Color] = {"fresh": "green", "stale": "red", "unknown": "yellow"}
FIRST_REASONS = 3
_LONGEST_COMMAND = 60
_WIDTH = 9


@click.command(
    cls=RtraceCommand,
    needs="tell whether a run is stale",
    statuses={
        "0": "every run would find what it found: fresh",
        "1": "a run is stale",
        "3": "no run is stale, and of one it cannot be told",
    },
    examples=("rtrace status", "rtrace status --ignore '**/*.log' bundle.rpz"),
)
@JSON
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Leave out files that match, as `ignore:`.",
)
@click.argument("place", type=click.Path(path_type=Path), default=Path(), metavar="[DIR|BUNDLE]")
def command(place: Path, *, as_json: bool, ignore: tuple[bytes, ...]) -> None:
    """Compare what the traced runs found with this machine now, and tell which would no longer give their results.

    A run is stale if something that it read, ran or looked up is changed or gone; if something is there now that it
    looked for in vain, or that is new in a folder that it listed; if a package has another version; if an output was
    changed or removed since; and if it needs a run that is stale. Sizes and times are compared first, and a file is
    read only where they differ. Nothing is run.

    DIR is the folder that .rtrace is in, or a trace directory. A PATTERN is a glob pattern over absolute paths. With
    --verbose every reason is shown.
    """
    from rtrace.operations.staleness.status import find_status

    report = find_status(place, ignore)
    if as_json:
        from rtrace.answers.machine import answer_status

        give_json(answer_status(report))
    else:
        show_report(report)
    sys.exit(report.exit_status)


def show_report(report: StatusReport) -> None:
    """Write a line for each run, and what all together are."""
    for run in report.runs:
        blank = " " * (_WIDTH - len(run.staleness))
        show(f"{blank}{describe_run(run)}", verdict=run.staleness, color=COLORS[run.staleness])
    stale = sum(run.staleness == "stale" for run in report.runs)
    unknown = sum(run.staleness == "unknown" for run in report.runs)
    number = count(len(report.runs), "run")
    if stale:
        verdict = f"{stale} of {number} {'is' if stale == 1 else 'are'} stale"
    elif not report.runs:
        verdict = "there is no run to judge"
    elif unknown:
        verdict = f"{unknown} of {number} cannot be judged"
    else:
        verdict = "the run is fresh" if len(report.runs) == 1 else f"all {number} are fresh"
    hashed = f", {count(report.hashed, 'file')} read" if report.hashed else ""
    show(f" ({count(report.paths, 'path')} compared{hashed})", verdict=verdict, color=COLORS[report.staleness])


def describe_run(run: RunStatus) -> str:
    """Return a run with its command, and the first reasons."""
    command = " ".join(shlex.quote(printable(word)) for word in run.argv[:20])
    command = command if len(command) <= _LONGEST_COMMAND else f"{command[:_LONGEST_COMMAND]}..."
    most = len(run.reasons) if is_verbose() else FIRST_REASONS
    reasons = [reason.text for reason in run.reasons[:most]]
    more = len(run.reasons) - len(reasons)
    if more > 0:
        reasons.append(f"and {more} more")
    return f"{run.run} ({command})" + (f": {'; '.join(reasons)}" if reasons else "")
