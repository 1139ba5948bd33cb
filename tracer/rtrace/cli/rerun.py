"""``rtrace rerun``: run stale or chosen runs of a trace again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import fill_standard_streams, read_patterns
from rtrace.cli.terminal.speaking import say, warn
from rtrace.errors import UsageError
from rtrace.operations.staleness.rerunning import DEFAULT
from rtrace.printable import count, shell_word


@click.command(
    cls=RtraceCommand,
    needs="run the runs of a trace again",
    statuses={
        "0": "all ended as they had, or nothing is stale",
        "1": "a run did not end as it had; none was started after it",
    },
    examples=("rtrace rerun --stale", "rtrace rerun run1", "rtrace rerun -d fresh --stale study"),
)
@click.option("--stale", is_flag=True, help="Those that `rtrace status` calls stale; DIR has the trace.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="With --stale: leave out files that match, as `rtrace status` does.",
)
@click.option(
    "-d",
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=f"The trace directory to write.  [default: {DEFAULT}, beside the trace]",
)
@click.option("-y", "--yes", is_flag=True, help="Run them although they were not recorded here by you.")
@click.argument("words", metavar="[RUN...|DIR]", nargs=-1)
def command(
    words: tuple[str, ...], *, stale: bool, ignore: tuple[bytes, ...], directory: Path | None, yes: bool
) -> None:
    """Run runs of a trace again as they were recorded, in their order, with all that need them.

    The words of each command, its folder and its environment are those of the trace; it reads and writes the files that
    are there now. All are traced into a new trace directory under their names; the trace that they come from stays as
    it is. When a run does not end as it had, none is started after it.

    With --stale, DIR is the folder that has the trace; else RUN are runs of the trace in this folder.
    """
    from rtrace.operations.staleness.rerunning import plan_rerun, refuse_foreign, rerun
    from rtrace.operations.staleness.status import find_status

    fill_standard_streams()
    if stale and len(words) > 1:
        raise UsageError("with --stale one folder is named, and no runs")
    if not stale and not words:
        raise UsageError("name runs, or use --stale; `rtrace status` lists them")
    place = Path(words[0]) if stale and words else Path()
    chosen = set(words)
    if stale:
        chosen = {run.run for run in find_status(place, ignore).runs if run.staleness == "stale"}
        if not chosen:
            say("nothing is stale")
            return
    runs = plan_rerun(place, chosen)
    if not yes:
        refuse_foreign(runs)
    target = directory or place / DEFAULT
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already; remove it, or name another directory with -d")
    target = target.absolute()
    done = rerun(runs, target, warn)
    for one in done:
        was = "" if one.as_recorded else f", was {'not seen' if one.was is None else one.was}"
        say(f"{one.run}: exit status {one.status}{was}")
    left = len(runs) - len(done)
    if left:
        warn(f"{count(left, 'run')} not started after it")
    word = shell_word(target)
    say(f"the trace is in {target}; `rtrace status {word}` and `rtrace pack -d {word}` take it")
    sys.exit(int(not all(one.as_recorded for one in done)))
