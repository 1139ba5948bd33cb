"""``rtrace verify``: replay a bundle in isolation and compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from rtrace.cli.options import FETCH, FROM, JSON, UNPACKER, progress, tell_cleaned
from rtrace.elsewhere import Sources
from rtrace.targets import load_unpacker
from rtrace.verification import verify_bundle
from rtrace.workspaces import temporary


@click.command()
@UNPACKER
@JSON
@FETCH
@FROM
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, unpacker_name: str, as_json: bool, fetch: bool, folders: tuple[Path, ...]) -> None:
    """Replay every run of BUNDLE in a throw-away target and compare what comes out with the original run.

    No network (but for --fetch, before the replay), no file of this machine. Prints a line for the exit status and for
    each output: same, different, missing or extra. Exits with 0 when everything is the same, and with 1 otherwise.
    """
    unpacker = load_unpacker(unpacker_name)
    tell_cleaned()
    with temporary("verify") as workspace:
        sources = Sources(folders, fetch)
        report = verify_bundle(bundle, unpacker, workspace, progress=progress(), sources=sources)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        for line in report.lines:
            click.echo(f"{line.verdict:9}  {line.text}")
        click.echo(report.summary)
    sys.exit(0 if report.same else 1)
