"""``rtrace audit``: look for secrets in a bundle before it is given away."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import JSON
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.operations.audit import audit_bundle


@click.command(cls=RtraceCommand)
@JSON
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, as_json: bool) -> None:
    """Look for passwords, keys, tokens and cookies in BUNDLE; change nothing.

    Looks at the arguments and variables of every program that ran, and at the text files that no package owns. Tells
    the place and the kind of what it finds, never the value. Exits with 0 when nothing was found, and with 1 otherwise.
    """
    tell_cleaned()
    findings = audit_bundle(bundle, progress())
    if as_json:
        give_json({"found": [asdict(finding) for finding in findings]})
    elif findings:
        for finding in findings:
            show(f"{finding.place}: {finding.what} ({finding.rule})")
        show(f"{bundle} holds what looks like secrets, in {len(findings)} places")
    else:
        show(f"nothing that looks like a secret was found in {bundle}")
    sys.exit(1 if findings else 0)
