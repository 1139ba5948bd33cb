"""``rtrace unpack``: from a bundle to a target."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import FETCH, FROM
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.errors import TargetError
from rtrace.manifest.incompleteness import MARK
from rtrace.replay.registry import load_unpacker


@click.command(cls=RtraceCommand)
@click.option("-n", "--dry-run", is_flag=True, help="Tell what would be done; write nothing.")
@FETCH
@FROM
@click.argument("unpacker_name", metavar="UNPACKER")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path), required=False)
def command(
    unpacker_name: str, bundle: Path, target: Path | None, *, dry_run: bool, fetch: bool, folders: tuple[Path, ...]
) -> None:
    """Make TARGET from BUNDLE with UNPACKER (chroot or docker).

    TARGET is a folder that does not exist yet [default: the bundle's name without its ending].
    """
    unpacker = load_unpacker(unpacker_name)
    if target is None:
        target = Path(bundle.name).with_suffix("")
        if target == Path(bundle.name):
            target = Path(f"{bundle.name}.target")
    if os.path.lexists(target):
        raise TargetError(f"{target} exists already; name another folder, or remove it with `rtrace destroy {target}`")
    if dry_run:
        for line in unpacker.plan(bundle, target):
            show(line)
        return
    tell_cleaned(target.absolute().parent)
    unpacked = unpacker.unpack(bundle, target, progress=progress(), sources=Sources(folders, fetch))
    for sentence in unpacked.incomplete:
        warn(f"{MARK}: {sentence}")
    for note in unpacked.notes:
        say(note)
    say(f"unpacked into {target}; `rtrace run {target}` replays it, `rtrace destroy {target}` removes it")
