"""``rtrace verify``: replay a bundle in isolation and compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import gettempdir

import click

from rtrace.cli.limit_options import limited
from rtrace.cli.options import FETCH, FROM, JSON, UNPACKER, progress, say, tell_cleaned
from rtrace.elsewhere import Sources
from rtrace.limits import Limits
from rtrace.targets import load_unpacker
from rtrace.verification import verify_bundle
from rtrace.workspaces import temporary


@click.command()
@UNPACKER
@JSON
@FETCH
@FROM
@limited
@click.argument("bundle", type=click.Path(path_type=Path))
def command(
    bundle: Path,
    *,
    unpacker_name: str,
    as_json: bool,
    fetch: bool,
    folders: tuple[Path, ...],
    limits: Limits,
    allowed: frozenset[str],
) -> None:
    """Replay every run of BUNDLE in a throw-away target and compare what comes out with the original run.

    No network (but for --fetch, before the replay), no file of this machine. Prints a line for the exit status and for
    each output: same, different, missing or extra. Exits with 0 when everything is the same, and with 1 otherwise;
    with 124 when the time of --timeout was up and with 3 when another limit ended a run, which is no verdict.
    """
    unpacker = load_unpacker(unpacker_name)
    tell_cleaned(Path(gettempdir()))
    with temporary("verify") as workspace:
        sources = Sources(folders, fetch)
        report = verify_bundle(
            bundle, unpacker, workspace, progress=progress(), sources=sources, limits=limits, allowed=allowed
        )
    for note in report.notes:
        say(note)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        for line in report.lines:
            click.echo(f"{line.verdict:9}  {line.text}")
        click.echo(report.summary)
    sys.exit(report.exit_status)
