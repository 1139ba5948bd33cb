"""``rtrace verify``: replay a bundle in isolation and compare."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.cli.limit_options import limited
from rtrace.cli.options import FETCH, FROM, JSON, UNPACKER, fill_standard_streams
from rtrace.cli.progress_bar import progress
from rtrace.cli.replay_output import shown_output
from rtrace.cli.speaking import give_json, say, show
from rtrace.cli.tidying import tell_cleaned
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
    fill_standard_streams()
    unpacker = load_unpacker(unpacker_name)
    tell_cleaned()
    with temporary("verify") as workspace, shown_output() as shown:
        report = verify_bundle(
            bundle,
            unpacker,
            workspace,
            progress=progress(),
            shown=shown,
            sources=Sources(folders, fetch),
            limits=limits,
            allowed=allowed,
        )
    for note in report.notes:
        say(note)
    if as_json:
        give_json(report.to_json())
    else:
        for line in report.lines:
            show(f"{line.verdict:9}  {line.text}")
        show(report.summary)
    sys.exit(report.exit_status)
