"""``rtrace check``: whether a bundle is intact, and the one that is meant."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.answers.looking import answer_check
from rtrace.answers.words import IDENTITY_PREFIX
from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import JSON
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.check import check_bundle


@click.command(cls=RtraceCommand)
@JSON
@click.option("--identity", metavar="sha256:DIGEST", help="The identity that it must have, as `rtrace pack` told it.")
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, as_json: bool, identity: str | None) -> None:
    """Check that BUNDLE is intact: read every byte and compare digests; run nothing.

    Tells the bundle's identity, or the first range of bytes that is damaged.
    """
    checked = check_bundle(bundle)
    problem = checked.problem
    wanted = None if identity is None else identity.removeprefix(IDENTITY_PREFIX)
    another = problem is None and wanted is not None and wanted != checked.identity
    if another:
        problem = f"{bundle} is intact, but its identity is {IDENTITY_PREFIX}{checked.identity}, not {identity}"
    if as_json:
        give_json(answer_check(checked, problem, another=another))
    elif problem is not None:
        where = "" if checked.first is None else f" (bytes {checked.first} to {checked.last})"
        show(f"{problem}{where}")
    else:
        show(f"{bundle} is intact")
        show(f"identity: {IDENTITY_PREFIX}{checked.identity}")
        if checked.note is not None:
            show(checked.note)
        for sentence in checked.incomplete:
            show(f"{MARK}: {sentence}")
    sys.exit(0 if problem is None else 1)
