"""A sweep: what was not replayed yet is, in parallel; then all rows are gathered."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace import interrupts
from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.files.workspaces import THROW_AWAY, temporary, temporary_folder
from rtrace.interrupts import Interrupted, keep_rest, shielded
from rtrace.operations.machine.leftovers import clean_folder
from rtrace.operations.sweeping.children import Children, command_of
from rtrace.operations.sweeping.folder import TABLE_FILE, SweepFolder
from rtrace.operations.sweeping.gathering import Gathering, Manner
from rtrace.printable import count
from rtrace.replay.choosing import choose_unpacker, tell_caution
from rtrace.replay.protocol import Cacher
from rtrace.sweep.table import Line, make_table, write_csv

if TYPE_CHECKING:
    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.sweep.combinations import Combination


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of a sweep: a line for each combination, how many were there before, and the signal that ended it."""

    lines: tuple[Line, ...]
    before: int
    interrupted: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether all programs succeeded and left all their outputs."""
        return all(line.row.is_good for line in self.lines)


def carry_out(sweep: Sweep, folder: SweepFolder, manner: Manner, give: Callable[[Swept], None]) -> Swept:
    """Replay what was not replayed yet, and write the table; ``give`` is handed the rows, of an interrupted one too.

    A replay that fails is a row, and no error. Raises UsageError, TargetError and BundleError for what keeps all from
    being replayed, and Interrupted, when nothing runs any more.
    """
    gathering = Gathering(sweep, folder, manner)
    with folder.opened(sweep):
        clean_folder(folder.path)
        manner.say(announce(gathering))
        gathering.read_done()
        if gathering.before:
            before = f"{gathering.before} of {len(sweep.combinations)}"
            manner.say(f"{before} were replayed before, and are taken from {folder.path}")
        todo = gathering.todo
        try:
            if todo:
                run_all(gathering, todo)
        except Interrupted as interrupt:
            gathering.take_late()
            finish(gathering, give, interrupt.number)
            done = f"{len(gathering.rows)} of {len(sweep.combinations)}"
            keep_rest(f"no replay goes on; {done} are done and in {folder.path}, and the same command does the rest")
            raise
        return finish(gathering, give, None)


def announce(gathering: Gathering) -> str:
    """Return what is about to be done, in a sentence."""
    sweep, manner = gathering.sweep, gathering.manner
    what = count(len(sweep.combinations), "combination")
    at_a_time = min(manner.jobs or 1, len(sweep.combinations))
    where = "with Slurm" if manner.on == "slurm" else f"{count(at_a_time, 'replay')} at a time"
    return f"sweeping {', '.join(axis.text for axis in sweep.axes)}: {what} into {gathering.folder.path}, {where}"


def run_all(gathering: Gathering, todo: Sequence[Combination]) -> None:
    """Replay combinations here or with Slurm, until each has a row."""
    if gathering.manner.on == "slurm":
        from rtrace.operations.sweeping.slurm import run_with_slurm

        run_with_slurm(gathering, todo)
    else:
        warm_up(gathering)
        run_here(gathering, todo)


def finish(gathering: Gathering, give: Callable[[Swept], None], interrupted: int | None) -> Swept:
    """Write the table, and hand the rows on."""
    swept = Swept(gathering.list_lines(), gathering.before, interrupted)
    gathering.folder.write(TABLE_FILE, write_csv(make_table(gathering.sweep.axes, swept.lines)))
    give(swept)
    return swept


def warm_up(gathering: Gathering) -> None:
    """Unpack the bundle once before all replays want it at a time, where that is kept; say what each is not kept from.

    Raises TargetError, BundleError, ElsewhereError.
    """
    sweep, manner = gathering.sweep, gathering.manner
    chosen = choose_unpacker(sweep.unpacker)
    if chosen.told is not None:
        manner.say(chosen.told)
    if not isinstance(chosen.unpacker, Cacher):
        return
    with temporary("run") as workspace:
        made = chosen.unpacker.unpack(
            sweep.bundle,
            workspace / THROW_AWAY,
            progress=manner.progress,
            sources=sweep.settings.sources,
            throw_away=True,
        )
        for sentence in made.incomplete:
            manner.warn(sentence)
        target = chosen.unpacker.open(made.target)
        try:
            tell_caution(target, manner.warn)
        finally:
            with shielded():
                target.destroy()


def run_here(gathering: Gathering, todo: Sequence[Combination]) -> None:
    """Replay combinations in processes of this machine, so many at a time."""
    jobs, pending = gathering.manner.jobs or 1, list(reversed(todo))
    were_killed = False
    try:
        with Children(lambda one: command_of(gathering.manner.write_arguments(one))) as children:
            while pending or len(children):
                while pending and len(children) < jobs:
                    start(children, pending.pop())
                ended = children.wait()
                debug(__name__, "%s ended with %d", ended.combination.name, ended.returncode)
                were_killed = were_killed or ended.returncode < 0
                gathering.take(ended.combination, tell_lost(ended.returncode, ended.said))
    finally:
        if were_killed or interrupts.raised() is not None:
            for place in (temporary_folder(), gathering.folder.path):
                clean_folder(place)


def start(children: Children, combination: Combination) -> None:
    """Start the replay of a combination. Raises TargetError."""
    try:
        children.start(combination)
    except OSError as error:
        raise TargetError(
            f"cannot start a process for {combination.name}: {error.strerror}; try fewer at a time with --jobs"
        ) from None


def tell_lost(returncode: int, said: str) -> str:
    """Return why a process left no row."""
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return f"the process of rtrace that replayed it was ended by {name}"
    return said or f"the process of rtrace that replayed it ended with status {returncode} and said nothing"
