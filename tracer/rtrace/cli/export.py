"""``rtrace convert``: from a bundle of rtrace's to one that ReproZip reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.printable import format_size

if TYPE_CHECKING:
    from rtrace.reprozip.writing.reprozip_writer import Written


@click.command(cls=RtraceCommand)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def command(bundle: Path, target: Path) -> None:
    """Write BUNDLE once more, as TARGET, in the format of ReproZip (version 2), which `reprounzip` unpacks and runs.

    Nothing is lost for rtrace, which reads TARGET as it reads BUNDLE. What ReproZip cannot know is told.
    """
    from rtrace.operations.export import convert

    tell_cleaned(target.parent)
    tell(convert(bundle, target, progress=progress()))


def tell(written: Written) -> None:
    """Say what was written, and what of it ReproZip will not know."""
    for loss in written.losses:
        warn(f"not for ReproZip: {loss.what}; {loss.advice}")
    size = format_size(written.target.stat().st_size)
    say(f"wrote {written.files} files into {written.target} ({size}), for ReproZip")
    say(f"its identity is sha256:{written.identity}")
