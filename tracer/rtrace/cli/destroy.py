"""``rtrace destroy``: remove a target without a trace."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.speaking import say
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.files.workspaces import is_removal_of
from rtrace.interrupts import shielded
from rtrace.replay.registry import open_target


@click.command(cls=RtraceCommand)
@click.argument("target", type=click.Path(path_type=Path))
def command(target: Path) -> None:
    """Remove TARGET, a folder that `rtrace unpack` made, with all that belongs to it (containers, images).

    When this was killed, call it again: it goes on.
    """
    gone = tell_cleaned(target.absolute().parent)
    if os.path.lexists(target) or not any(is_removal_of(path.name, target.name) for path in gone):
        with shielded():  # half a target could not be used
            open_target(target).destroy()
    say(f"removed {target}")
