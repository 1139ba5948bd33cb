"""``rtrace destroy``: remove a target without a trace."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.cli.speaking import say
from rtrace.interrupts import shielded
from rtrace.targets import open_target


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
def command(target: Path) -> None:
    """Remove TARGET, a folder that `rtrace unpack` made, with all that belongs to it (mounts, containers, images)."""
    with shielded():  # half a target could be neither used nor removed
        open_target(target).destroy()
    say(f"removed {target}")
