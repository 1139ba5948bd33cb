"""``rtrace drift``: what a project declares, against what a run of it used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.answers.declared import answer_drift
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.speaking import give_json, say, show, warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.printable import count

if TYPE_CHECKING:
    from rtrace.operations.declared.drift import DriftReport
    from rtrace.operations.declared.pinning import Pinned

KINDS = ("undeclared", "unused", "version")
_COLUMNS = tuple(map(Column, ("DRIFT", "KIND", "PACKAGE", "DECLARED", "USED", "FILE")))
_UNKNOWN = 3


@click.command(
    cls=RtraceCommand,
    statuses={
        "0": "what is declared is what was used",
        "1": "something is undeclared, unused, or of another version",
        "3": "it cannot be judged: no packages are known, or nothing is declared",
    },
    examples=(
        "rtrace drift",
        "rtrace drift bundle.rpz --project study --ignore unused",
        "rtrace drift --write requirements.txt",
    ),
)
@JSON
@click.option(
    "--project",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Read the declarations of this folder.",
)
@click.option(
    "--ignore", "ignored", type=click.Choice(KINDS), multiple=True, help="Show such a drift, and do not count it."
)
@click.option(
    "--write",
    "wanted",
    metavar="FORMAT|FILE",
    help="Pin what was used: requirements, pylock, environment, renv, apt, or a file that is called so.",
)
@click.option("--force", is_flag=True, help="Let --write replace a file.")
@click.argument("place", type=click.Path(path_type=Path), default=Path(), metavar="[DIR|BUNDLE]")
def command(
    place: Path,
    *,
    as_json: bool,
    project: Path | None,
    ignored: tuple[str, ...],
    wanted: str | None,
    force: bool,
) -> None:
    """Compare the packages that the project declares with those that the traced runs used.

    Reads requirements.txt, pyproject.toml, uv.lock, poetry.lock, pylock.toml, environment.yml, renv.lock, DESCRIPTION,
    package.json and its lock, Dockerfiles and lists for apt in DIR, where .rtrace is, or in BUNDLE. What a declared
    package needs itself is declared with it.
    """
    from rtrace.operations.declared.drift import find_drift, open_subject

    with open_subject(place, project) as subject:
        report = find_drift(subject)
    pinned = write(report, wanted, project or (place if place.is_dir() else Path()), force=force)
    drifted = None if report.unknown is not None else not report.is_clean(ignored)
    if as_json:
        give_json(answer_drift(report, pinned, drifted=drifted))
    else:
        tell(report, pinned, drifted=drifted)
    sys.exit(_UNKNOWN if drifted is None else int(drifted))


def write(report: DriftReport, wanted: str | None, folder: Path, *, force: bool) -> Pinned | None:
    """Pin what was used, if that is asked for."""
    if wanted is None:
        return None
    from rtrace.operations.declared.pinning import write_pins

    return write_pins(report, wanted, folder, force=force)


def tell(report: DriftReport, pinned: Pinned | None, *, drifted: bool | None) -> None:
    """Show the drift, a line for each package, and what it comes to."""
    for problem in report.drift.problems:
        warn(problem)
    findings = report.drift.findings
    show_table(
        _COLUMNS,
        lambda: (
            (one.kind, one.ecosystem, one.name, one.declared or "-", one.used or "-", one.source or "-")
            for one in findings
        ),
    )
    compared = f"{count(report.drift.compared, 'package')} used, {count(len(report.drift.files), 'file')} compared"
    if drifted is None:
        show(f"; {compared}", verdict=f"cannot be judged: {report.unknown}", color="yellow")
    elif drifted:
        show(f"; {compared}", verdict=f"{count(len(findings), 'package')} drifted", color="red")
    else:
        show(f"; {compared}", verdict="no drift" if not findings else "no drift that counts", color="green")
    if pinned is not None:
        for loss in pinned.losses:
            warn(loss)
        say(f"wrote {pinned.path}")
