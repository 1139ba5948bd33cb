"""``rtrace reset``: bring back the packed state of a target."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.targets import answer_reset
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import BUNDLE, FETCH, FROM, JSON
from rtrace.cli.options.completing import complete_targets
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say
from rtrace.elsewhere.sources import Sources
from rtrace.operations.exchange.resetting import reset


@click.command(cls=RtraceCommand, examples=("rtrace reset target",))
@JSON
@BUNDLE
@FETCH
@FROM
@click.argument("target", type=click.Path(path_type=Path), shell_complete=complete_targets)
def command(target: Path, *, as_json: bool, named: Path | None, fetch: bool, folders: tuple[Path, ...]) -> None:
    """Bring TARGET back to the state in which `rtrace unpack` left it: uploads and all that runs wrote are gone.

    If this is killed, TARGET has the old state or the packed one, and the next command puts the rest in order.
    """
    reset(target, named, Sources(folders, fetch), say, progress())
    if as_json:
        give_json(answer_reset(target))
    else:
        say(f"{target} has the packed state again")
