"""``rtrace audit``: look for secrets in a bundle before it is given away."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from rtrace.auditing import audit_bundle
from rtrace.cli.options import JSON, progress, tell_cleaned
from rtrace.printable import printable


@click.command()
@JSON
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, as_json: bool) -> None:
    """Look for passwords, keys, tokens and cookies in BUNDLE; change nothing.

    Looks at the arguments and variables of every program that ran, and at the text files that no package owns. Tells
    the place and the kind of what it finds, never the value. Exits with 0 when nothing was found, and with 1 otherwise.
    """
    tell_cleaned()
    findings = audit_bundle(bundle, progress())
    name = printable(os.fsencode(bundle))
    if as_json:
        click.echo(json.dumps({"found": [asdict(finding) for finding in findings]}, indent=2))
    elif findings:
        for finding in findings:
            click.echo(f"{finding.place}: {finding.what} ({finding.rule})")
        click.echo(f"{name} holds what looks like secrets, in {len(findings)} places")
    else:
        click.echo(f"nothing that looks like a secret was found in {name}")
    sys.exit(1 if findings else 0)
