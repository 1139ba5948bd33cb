"""``rtrace check``: whether a bundle is intact, and the one that is meant."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.completing import complete_bundles
from rtrace.cli.terminal.options import JSON
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.check import check_bundle

PREFIX = "sha256:"


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
    checked = check_bundle(bundle)
    problem = checked.problem
    if problem is None and identity is not None and identity.removeprefix(PREFIX) != checked.identity:
        asked = PREFIX + identity.removeprefix(PREFIX)
        problem = f"{bundle} is intact, but its identity is {PREFIX}{checked.identity}, not {asked}"
    if as_json:
        answer = {
            "whole": checked.problem is None,
            "identity": None if checked.identity is None else PREFIX + checked.identity,
            "problem": problem,
            "first": checked.first,
            "last": checked.last,
            **({} if checked.note is None else {"note": checked.note}),
            **({"incomplete": list(checked.incomplete)} if checked.incomplete else {}),
        }
        give_json(answer)
    elif problem is not None:
        where = "" if checked.first is None else f" (bytes {checked.first} to {checked.last})"
        show(f"{problem}{where}")
    else:
        show(f"{bundle} is intact; identity: {PREFIX}{checked.identity}")
        if checked.note is not None:
            show(checked.note)
        for sentence in checked.incomplete:
            show(f"{MARK}: {sentence}")
    sys.exit(0 if problem is None else 1)
