"""``rtrace run``: replay the runs of a target or of a bundle."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from rtrace import interrupts
from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.limit_options import limited
from rtrace.cli.terminal.options import FETCH, FROM, UNPACKER, fill_standard_streams
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.files.workspaces import THROW_AWAY, temporary
from rtrace.interrupts import shielded
from rtrace.limits import Limits
from rtrace.manifest.incompleteness import MARK
from rtrace.manifest.model import Run
from rtrace.replay.needs import add_needed, choose_runs
from rtrace.replay.protocol import OWN_STREAMS, Streams, Target
from rtrace.replay.registry import load_unpacker, open_target


@click.command(cls=RtraceCommand)
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
    unpacker of --unpacker). In a bundle, the runs whose files a named one needs are replayed before it; what they print
    goes to standard error. Exits with the status of the last run, or of the first one that fails; with 124 when the
    time of --timeout was up.
    """
    fill_standard_streams()
    with contextlib.ExitStack() as stack, opened(target, unpacker_name, Sources(folders, fetch)) as replayable:
        chosen = choose_runs(replayable.runs(), names, target)
        for run in plan_runs(replayable.runs(), chosen, target):
            given = standing_in(run) if run in chosen else nothing_given()
            streams = stack.enter_context(given)
            outcome = replayable.run(run, streams=streams, limits=limits, allowed=allowed)
            for note in outcome.notes:
                warn(f"{run.id}: {note}")
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
    warn(f"{run.id}: its standard input was not captured, and the replay reads none; it may be given with `< FILE`")
    with null_device() as null:
        yield Streams(stdin=null)


@contextlib.contextmanager
def nothing_given() -> Iterator[Streams]:
    """Yield the streams of a run that only another one needs: nothing to read, and what it prints is no result."""
    with null_device() as null:
        yield Streams(null, 2, 2)


@contextlib.contextmanager
def opened(path: Path, unpacker_name: str, sources: Sources) -> Iterator[Target]:
    """Open a target, or make a throw-away one of a bundle and destroy it afterwards."""
    if not path.is_file():
        yield open_target(path)
        return
    tell_cleaned()
    with temporary("run") as workspace:
        unpacker = load_unpacker(unpacker_name)
        made = unpacker.unpack(path, workspace / THROW_AWAY, progress=progress(), sources=sources)
        for sentence in made.incomplete:
            warn(f"{MARK}: {sentence}")
        target = unpacker.open(made.target)
        try:
            yield target
        finally:
            with shielded():
                target.destroy()


def plan_runs(runs: Sequence[Run], chosen: Sequence[Run], target: Path) -> Sequence[Run]:
    """Return the chosen runs of a bundle with those that they need; of a target, whose state nobody knows, tell these.

    Says which runs are more than were asked for.
    """
    whole = add_needed(runs, chosen)
    more = ", ".join(run.id for run in whole if run not in chosen)
    if not more:
        return chosen
    if target.is_file():
        say(f"{more}: replayed first, as what was asked for uses files written there")
        return whole
    warn(
        f"what was asked for uses files that {more} wrote; name these runs, too, if they were not replayed in {target}"
    )
    return chosen


@contextlib.contextmanager
def null_device() -> Iterator[int]:
    """Yield a descriptor at which nothing can be read."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
