"""``rtrace audit``: look for secrets in a bundle before it is given away."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.answers.looking import answer_audit
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.operations.audit import audit_bundle
from rtrace.printable import count, plural


@click.command(
    cls=RtraceCommand,
    statuses={"0": "nothing that looks like a secret was found", "1": "something was found"},
    examples=("rtrace audit bundle.rpz",),
)
@JSON
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
def command(bundle: Path, *, as_json: bool) -> None:
    """Look for passwords, keys, tokens and cookies in BUNDLE; change nothing.

    Looks at the arguments and variables of every program that ran, and at the text files that no package owns. Shows
    the place and the kind of what it finds, never the value.
    """
    tell_cleaned()
    findings = audit_bundle(bundle, progress())
    if as_json:
        give_json(answer_audit(findings))
    elif findings:
        for finding in findings:
            show(f"{finding.place}: {finding.what} ({finding.rule})")
        number = len(findings)
        sentence = f"{count(number, 'place')} in {bundle} {plural(number, 'looks', 'look')} like a secret"
        show("", verdict=sentence, color="red")
    else:
        show("", verdict=f"nothing that looks like a secret was found in {bundle}", color="green")
    sys.exit(1 if findings else 0)
