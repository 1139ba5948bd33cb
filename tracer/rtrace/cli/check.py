"""``rtrace check``: whether a bundle is intact, and the one that is meant."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.answers.looking import answer_check
from rtrace.answers.words import IDENTITY_PREFIX
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.check import check_bundle


@click.command(
    cls=RtraceCommand,
    statuses={"0": "the bundle is intact, and the one that --identity means", "1": "it is not"},
    examples=("rtrace check bundle.rpz",),
)
@JSON
@click.option("--identity", metavar="sha256:DIGEST", help="The identity that it must have, as `rtrace pack` told.")
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
def command(bundle: Path, *, as_json: bool, identity: str | None) -> None:
    """Check that BUNDLE is intact; run nothing.

    Reads all of it, compares every byte with its digests, and shows the bundle's identity or the first range of bytes
    that is damaged. Whether its runs still give the same results is for `rtrace verify` to find out.
    """
    checked = check_bundle(bundle, progress())
    problem = checked.problem
    wanted = None if identity is None else identity.removeprefix(IDENTITY_PREFIX)
    another = problem is None and wanted is not None and wanted != checked.identity
    if another:
        own = IDENTITY_PREFIX + (checked.identity or "")
        problem = f"{bundle} is intact, but its identity is {own}, not {IDENTITY_PREFIX}{wanted}"
    if as_json:
        give_json(answer_check(checked, problem, another=another))
    elif problem is not None:
        where = "" if checked.first is None else f" (bytes {checked.first} to {checked.last})"
        show("", verdict=f"{problem}{where}", color="red")
    else:
        show(f"; identity: {IDENTITY_PREFIX}{checked.identity}", verdict=f"{bundle} is intact", color="green")
        if checked.note is not None:
            show(checked.note)
        for sentence in checked.incomplete:
            show(f"{MARK}: {sentence}")
    sys.exit(0 if problem is None else 1)
