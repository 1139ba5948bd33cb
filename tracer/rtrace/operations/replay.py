"""`rtrace replay`: the runs of a target, or of a bundle in a temporary target, one after the other."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrace import interrupts
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources
from rtrace.errors import UsageError
from rtrace.files.workspaces import THROW_AWAY, temporary
from rtrace.interrupts import shielded
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.incompleteness import MARK
from rtrace.manifest.model import Run
from rtrace.opening import open_bundle
from rtrace.progress import SILENT, Progress
from rtrace.replay.choosing import choose_unpacker, tell_caution
from rtrace.replay.foreign import refuse_foreign
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.needs import add_needed, choose_runs
from rtrace.replay.protocol import OWN_STREAMS, Outcome, Streams, Target
from rtrace.replay.registry import open_target, read_unpacker

_PROGRAMS = (b"#!", b"\x7fELF")
"""What scripts and programs begin with."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How runs are replayed, and who is told: ``say`` of what is done, ``warn`` of what is not as it should be.

    ``note`` is given how each run ended, ``name`` which unpacker replays it.
    """

    limits: Limits = DEFAULT_LIMITS
    grants: Grants = NOTHING
    say: Callable[[str], None] = lambda _sentence: None
    warn: Callable[[str], None] = lambda _sentence: None
    progress: Progress = SILENT
    note: Callable[[Outcome], None] = lambda _outcome: None
    name: Callable[[str], None] = lambda _unpacker: None

    def replay(self, path: Path, names: Sequence[str], unpacker_name: str, sources: Sources) -> int:
        """Replay the runs of a target or a bundle that are named, or all; return the exit status of the last one.

        A run that fails is the last one. The runs have the standard streams of this process.
        Raises UsageError for a run that does not exist, BundleError and TargetError.
        """
        with contextlib.ExitStack() as stack, self.opened(path, unpacker_name, sources) as target:
            chosen = choose_runs(target.runs(), names, path)
            for run in self.plan_runs(target.runs(), chosen, path):
                given = self.standing_in(run) if run in chosen else nothing_given()
                streams = stack.enter_context(given)
                outcome = target.run(run, streams=streams, limits=self.limits, grants=self.grants)
                self.note(outcome)
                debug(__name__, "%s ended with %d", run.id, outcome.exit_status)
                for note in outcome.notes:
                    self.warn(f"{run.id}: {note}")
                status = outcome.exit_status
                if status != 0 or interrupts.asked_to_end():
                    break
        return status

    @contextlib.contextmanager
    def opened(self, path: Path, unpacker_name: str, sources: Sources) -> Iterator[Target]:
        """Open a target, or make a temporary one from a bundle and destroy it afterwards."""
        if not path.is_file():
            refuse_command(path)
            target = open_target(path)
            self.name(read_unpacker(path))
            refuse_foreign(target.runs(), self.grants)
            tell_caution(target, self.warn)
            yield target
            return
        refuse_program(path)
        with open_bundle(path) as opened:  # before anything is written
            refuse_foreign(opened.manifest.runs, self.grants)
        chosen = choose_unpacker(unpacker_name)
        self.name(chosen.name)
        if chosen.told is not None:
            self.say(chosen.told)
        with temporary("run") as workspace:
            unpacker = chosen.unpacker
            made = unpacker.unpack(
                path, workspace / THROW_AWAY, progress=self.progress, sources=sources, throw_away=True
            )
            for sentence in made.incomplete:
                self.warn(f"{MARK}: {sentence}")
            target = unpacker.open(made.target)
            tell_caution(target, self.warn)
            try:
                yield target
            finally:
                with shielded():
                    target.destroy()

    def plan_runs(self, runs: Sequence[Run], chosen: Sequence[Run], path: Path) -> Sequence[Run]:
        """Return the runs to replay: those of a bundle with the runs that they need, those of a target alone.

        Nobody knows which runs were replayed in a target, so the needed ones are only named there.
        """
        whole = add_needed(runs, chosen)
        more = ", ".join(run.id for run in whole if run not in chosen)
        if not more:
            return chosen
        if path.is_file():
            self.say(f"{more}: replayed first, as what was asked for uses files written there")
            return whole
        advice = f"name these runs, too, if they were not replayed in {path}"
        self.warn(f"what was asked for uses files that {more} wrote; {advice}")
        return chosen

    @contextlib.contextmanager
    def standing_in(self, run: Run) -> Iterator[Streams]:
        """Yield the caller's streams; without input that was lost and that no person typed, nobody is asked for it."""
        if not (run.lacks_input and os.isatty(0)):
            yield OWN_STREAMS
            return
        self.warn(f"{run.id}: its standard input was not captured, so the replay reads none; give it with `< FILE`")
        with null_device() as null:
            yield Streams(stdin=null)


def refuse_program(path: Path) -> None:
    """Raise UsageError for a program or a script: the person may want to record a run of it."""
    with contextlib.suppress(OSError), path.open("rb") as file:  # whoever opens it next tells why it cannot be read
        if os.access(path, os.X_OK) and file.read(4).startswith(_PROGRAMS):
            shown = path if path.is_absolute() else f"./{path}"
            raise UsageError(f"{path} is a program and not a bundle; to record a run of it: rtrace trace {shown}")


def refuse_command(path: Path) -> None:
    """Raise UsageError for the name of a command: the person may want to record a run of it."""
    if not os.path.lexists(path) and path.name == str(path) and shutil.which(path) is not None:
        raise UsageError(
            f"there is no target or bundle {path}; to record a run of the command: rtrace trace {path} ..."
        )


@contextlib.contextmanager
def nothing_given() -> Iterator[Streams]:
    """Yield the streams of a run that only another one needs: nothing to read, and what it prints is no result."""
    with null_device() as null:
        yield Streams(null, 2, 2)


@contextlib.contextmanager
def null_device() -> Iterator[int]:
    """Yield a descriptor at which nothing can be read."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
