"""``rtrace run``: replay the runs of a target or of a bundle."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from rtrace import interrupts
from rtrace.cli.limit_options import limited
from rtrace.cli.options import FETCH, FROM, UNPACKER, fill_standard_streams
from rtrace.cli.progress_bar import progress
from rtrace.cli.speaking import say
from rtrace.cli.tidying import tell_cleaned
from rtrace.elsewhere import Sources
from rtrace.errors import UsageError
from rtrace.interrupts import shielded
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.targets import load_unpacker, open_target
from rtrace.unpacker import OWN_STREAMS, Streams, Target
from rtrace.workspaces import THROW_AWAY, temporary


@click.command()
@UNPACKER
@FETCH
@FROM
@limited
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("names", metavar="[RUN]...", nargs=-1)
def command(
    target: Path,
    names: tuple[str, ...],
    *,
    unpacker_name: str,
    fetch: bool,
    folders: tuple[Path, ...],
    limits: Limits,
    allowed: frozenset[str],
) -> None:
    """Replay the runs of TARGET: all of them in their order, or those that are named.

    TARGET is what `rtrace unpack` made, or a bundle, which is then replayed in a throw-away target (made by the
    unpacker of --unpacker). Exits with the status of the last run, or of the first one that fails; with 124 when the
    time of --timeout was up.
    """
    fill_standard_streams()
    with opened(target, unpacker_name, Sources(folders, fetch)) as replayable:
        for run in choose_runs(replayable.runs(), names, target):
            with standing_in(run) as streams:
                outcome = replayable.run(run, streams=streams, limits=limits, allowed=allowed)
            for note in outcome.notes:
                say(f"{run.id}: {note}")
            status = outcome.exit_status
            if status != 0 or interrupts.asked_to_end():
                break
    sys.exit(status)


@contextlib.contextmanager
def standing_in(run: Run) -> Iterator[Streams]:
    """Yield the caller's streams; where input was lost that no person typed, nobody is waited for to type it."""
    if not (run.lacks_input and os.isatty(0)):
        yield OWN_STREAMS
        return
    say(f"{run.id}: its standard input was not captured, and the replay reads none; it may be given with `< FILE`")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        yield Streams(stdin=null)
    finally:
        os.close(null)


@contextlib.contextmanager
def opened(path: Path, unpacker_name: str, sources: Sources) -> Iterator[Target]:
    """Open a target, or make a throw-away one of a bundle and destroy it afterwards."""
    if not path.is_file():
        yield open_target(path)
        return
    tell_cleaned()
    with temporary("run") as workspace:
        unpacker = load_unpacker(unpacker_name)
        made = unpacker.unpack(path, workspace / THROW_AWAY, progress=progress(), sources=sources).target
        target = unpacker.open(made)
        try:
            yield target
        finally:
            with shielded():
                target.destroy()


def choose_runs(runs: Sequence[Run], names: Sequence[str], target: Path) -> Sequence[Run]:
    """Return the runs that are named, all of them when none is; raise UsageError for one that is not there."""
    by_name = {run.id: run for run in runs}
    for name in names:
        if name not in by_name:
            raise UsageError(f"{target} has no run {name!r}; it has: {', '.join(by_name)}")
    return [by_name[name] for name in names] or runs
