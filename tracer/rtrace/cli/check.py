"""``rtrace check``: tell whether a bundle is whole, and the one that is meant."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import JSON
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.check import check_bundle

PREFIX = "sha256:"


@click.command(cls=RtraceCommand)
@JSON
@click.option("--identity", metavar="sha256:DIGEST", help="The identity that it must have, as `rtrace pack` told it.")
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, as_json: bool, identity: str | None) -> None:
    """Read all of BUNDLE and compare every byte with its digests; replay nothing.

    Tells the bundle's identity, and the first range of bytes that is damaged. Exits with 0 when the bundle is whole
    (and is the one that --identity means), and with 1 otherwise.
    """
    checked = check_bundle(bundle)
    problem = checked.problem
    if problem is None and identity is not None and identity.removeprefix(PREFIX) != checked.identity:
        problem = f"{bundle} is whole, and another bundle than the one with the identity {identity}"
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
        show(f"{bundle} is whole; its identity is {PREFIX}{checked.identity}")
        if checked.note is not None:
            show(checked.note)
        for sentence in checked.incomplete:
            show(f"{MARK}: {sentence}")
    sys.exit(0 if problem is None else 1)
