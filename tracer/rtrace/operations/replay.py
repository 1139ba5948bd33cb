"""`rtrace replay`: the runs of a target, or of a bundle in a temporary target, one after the other."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace import interrupts
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources
from rtrace.errors import TargetError, UsageError
from rtrace.files.workspaces import THROW_AWAY, temporary
from rtrace.interrupts import shielded
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.incompleteness import MARK
from rtrace.manifest.model import Run
from rtrace.opening import open_bundle
from rtrace.operations.unpack import unpack
from rtrace.printable import shell_word
from rtrace.progress import SILENT, Progress
from rtrace.replay.changing import NO_CHANGES, Changes, change_run, refuse_several
from rtrace.replay.choosing import choose_unpacker, tell_caution
from rtrace.replay.foreign import refuse_foreign
from rtrace.replay.frozen import choose_freeze, start, tell_unpinned
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.needs import add_needed, choose_runs
from rtrace.replay.protocol import OWN_STREAMS, Outcome, Streams, Target, Unpacked, gather_notes
from rtrace.replay.registry import open_target, read_unpacker

if TYPE_CHECKING:
    from rtrace.operations.exchange.fetching import Fetched

FAILED = 125
"""The status of rtrace's own failures."""
_PROGRAMS = (b"#!", b"\x7fELF")
"""What scripts and programs begin with."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Files that are exchanged for one replay: ``inputs`` by name (None: standard input), ``outputs`` by name.

    ``everything`` is a folder for all outputs.
    """

    inputs: tuple[tuple[str, Path | None], ...] = ()
    outputs: tuple[tuple[str, Path], ...] = ()
    everything: Path | None = None


NO_EXCHANGE = Exchange()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay: its exit status, the outputs that were fetched, and the target that was made to stay."""

    status: int
    fetched: tuple[Fetched, ...] = ()
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """How runs are replayed, and who is told: ``say`` of what is done, ``warn`` of what is not as it should be.

    ``keep`` is the folder in which a bundle's target stays. ``streams`` are those of the runs that are named.
    ``begin`` is given each run before it, ``note`` how it ended, ``name`` which unpacker replays it.
    With ``freezes`` all is pinned that the target can pin.
    """

    limits: Limits = DEFAULT_LIMITS
    grants: Grants = NOTHING
    changes: Changes = NO_CHANGES
    exchange: Exchange = NO_EXCHANGE
    keep: Path | None = None
    streams: Streams = OWN_STREAMS
    say: Callable[[str], None] = lambda _sentence: None
    warn: Callable[[str], None] = lambda _sentence: None
    progress: Progress = SILENT
    begin: Callable[[Run], None] = lambda _run: None
    note: Callable[[Outcome], None] = lambda _outcome: None
    name: Callable[[str], None] = lambda _unpacker: None
    freezes: bool = False

    def replay(self, path: Path, names: Sequence[str], unpacker_name: str, sources: Sources) -> Replayed:
        """Replay the runs of a target or a bundle that are named, or all; the exit status is that of the last one.

        A run that fails is the last one. The runs have the standard streams of this process. Outputs are fetched
        whatever came of the runs; a missing one is a failure of ours where these succeeded.
        Raises UsageError for a run that does not exist, BundleError and TargetError.
        """
        refuse_written(self.exchange)
        with self.opened(path, unpacker_name, sources) as target:
            chosen = choose_runs(target.runs(), names, path)
            refuse_several(self.changes, chosen)
            if not chosen:
                raise UsageError(f"{path} holds no run to replay")
            self.tell_unpinned(target)
            bundle = self.find_bundle(path, target)
            with contextlib.ExitStack() as stack:
                status = self.replay_all(target, chosen, path, bundle, stack)
                fetched, complete = self.fetch(target, bundle)
        return Replayed(status if complete or status else FAILED, fetched, self.keep)

    def replay_all(
        self, target: Target, chosen: Sequence[Run], path: Path, bundle: Path | None, stack: contextlib.ExitStack
    ) -> int:
        """Replay runs and those that they need; return the status of the last one. What they are given is the stack's.

        Inputs are exchanged before the first run that was asked for: one that it needs may write them.
        """
        status, is_exchanged = 0, False
        outcomes: list[Outcome] = []
        stack.callback(self.tell_notes, outcomes)
        for run in self.plan_runs(target.runs(), chosen, path):
            is_chosen = run in chosen
            if is_chosen and not is_exchanged:
                is_exchanged = True
                self.exchange_inputs(target, bundle, stack, throw_away=path.is_file() and self.keep is None)
            streams = stack.enter_context(self.standing_in(run) if is_chosen else nothing_given(self.streams.stderr))
            changed = change_run(run, self.changes) if is_chosen else run
            freeze = choose_freeze(changed) if self.freezes else None
            self.begin(run)
            outcome = start(target, changed, freeze, streams=streams, limits=self.limits, grants=self.grants)
            self.note(outcome)
            debug(__name__, "%s ended with %d", run.id, outcome.exit_status)
            outcomes.append(outcome)
            status = outcome.exit_status
            if status != 0 or interrupts.asked_to_end():
                break
        return status

    def tell_notes(self, outcomes: Sequence[Outcome]) -> None:
        """Warn of what the replays noted, when all of them are over."""
        for note in gather_notes(outcomes):
            self.warn(note)

    def find_bundle(self, path: Path, target: Target) -> Path | None:
        """Return the bundle that files are exchanged by, None where there are none; what has no name is refused now."""
        if self.exchange == NO_EXCHANGE:
            return None
        from rtrace.operations.exchange import bundles, fetching, names

        bundle = path if path.is_file() else bundles.find_bundle(target.path, None)
        with open_bundle(bundle) as opened:
            for name, _ in self.exchange.inputs:
                names.find_file(opened, name)
            for name, _ in self.exchange.outputs:
                fetching.find_fetchable(opened, name)
        return bundle

    def exchange_inputs(
        self, target: Target, bundle: Path | None, stack: contextlib.ExitStack, *, throw_away: bool
    ) -> None:
        """Put files in the place of inputs, until the stack is closed. Raises UsageError and TargetError."""
        if bundle is not None and self.exchange.inputs:
            from rtrace.operations.exchange.replacing import replaced

            given = self.exchange.inputs
            stack.enter_context(replaced(target, bundle, given, throw_away=throw_away, say=self.say, warn=self.warn))

    def fetch(self, target: Target, bundle: Path | None) -> tuple[tuple[Fetched, ...], bool]:
        """Copy outputs out of a target; return those that were there, and whether all were. The others are told."""
        if bundle is None or not (self.exchange.outputs or self.exchange.everything):
            return (), True
        from rtrace.operations.exchange.fetching import fetch_outputs

        fetched: list[Fetched] = []
        missing: list[str] = []
        for one in self.exchange.outputs:
            try:
                fetched += fetch_outputs(target, [one], None, bundle=bundle)
            except TargetError as error:
                missing.append(str(error))
        everything = self.exchange.everything
        if everything is not None:
            fetched += fetch_outputs(target, [], everything, bundle=bundle, warn=missing.append)
        for sentence in missing:
            self.warn(sentence)
        return tuple(fetched), not missing

    @contextlib.contextmanager
    def opened(self, path: Path, unpacker_name: str, sources: Sources) -> Iterator[Target]:
        """Open a target, or make one from a bundle: a temporary one, which is destroyed, or one that stays."""
        if not path.is_file():
            refuse_command(path)
            if self.keep is not None:
                raise UsageError(f"{path} is a target already, and stays: leave out --keep")
            from rtrace.operations.exchange.settling import settle

            target = open_target(path)
            settle(target, self.say)
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
        if self.keep is not None:
            self.tell_incomplete(unpack(chosen.name, path, self.keep, progress=self.progress, sources=sources))
            self.say(f"unpacked into {self.keep}, which stays; `rtrace destroy {shell_word(self.keep)}` removes it")
            target = open_target(self.keep)
            tell_caution(target, self.warn)
            yield target
            return
        with temporary("run") as workspace:
            unpacker = chosen.unpacker
            made = unpacker.unpack(
                path, workspace / THROW_AWAY, progress=self.progress, sources=sources, throw_away=True
            )
            self.tell_incomplete(made)
            target = unpacker.open(made.target)
            tell_caution(target, self.warn)
            try:
                yield target
            finally:
                with shielded():
                    target.destroy()

    def tell_unpinned(self, target: Target) -> None:
        """Say what of a frozen replay is not pinned."""
        unpinned = tell_unpinned(target) if self.freezes else None
        if unpinned is not None:
            self.warn(unpinned)

    def tell_incomplete(self, made: Unpacked) -> None:
        """Warn of what a bundle lacks."""
        for sentence in made.incomplete:
            self.warn(f"{MARK}: {sentence}")

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
        """Yield the streams; without input that was lost and that no person typed, nobody is asked for it."""
        if not (run.lacks_input and os.isatty(self.streams.stdin)):
            yield self.streams
            return
        self.warn(f"{run.id}: its standard input was not captured, so the replay reads none; give it with `< FILE`")
        with null_device() as null:
            yield replace(self.streams, stdin=null)


def refuse_written(exchange: Exchange) -> None:
    """Raise UsageError for a file that an output would replace: it is said before a long replay, not after it."""
    for name, file in exchange.outputs:
        if os.path.lexists(file) and not file.is_dir():
            raise UsageError(f"{file} exists already: remove it, or name another file for {name}")
    folder = exchange.everything
    if folder is not None and os.path.lexists(folder) and not (folder.is_dir() and not os.listdir(folder)):
        raise UsageError(f"{folder} exists already, and is no empty folder: name another one for all outputs")


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
def nothing_given(stderr: int) -> Iterator[Streams]:
    """Yield the streams of a run that only another one needs: nothing to read, and what it prints is no result."""
    with null_device() as null:
        yield Streams(null, stderr, stderr)


@contextlib.contextmanager
def null_device() -> Iterator[int]:
    """Yield a descriptor at which nothing can be read."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
