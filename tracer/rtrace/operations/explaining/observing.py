"""Replay all runs of a bundle once more, frozen or as they are, and keep what is needed to compare it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rtrace import interrupts
from rtrace.bundle.entry import Entry, Result
from rtrace.elsewhere.sources import Sources
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, RtraceError
from rtrace.files.workspaces import THROW_AWAY
from rtrace.freezing.model import Cause, Freeze
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.replay.changing import change_environment
from rtrace.replay.frozen import choose_freeze, start, tell_unpinned
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Outcome, Snapshot, Streams, Target, Unpacker
from rtrace.replay.streams import collecting
from rtrace.verify.causes.observation import Observation, Subject

MOST = 1 << 20
"""Bytes of a result that is kept."""
MOST_NAMES = 1 << 20
"""Bytes of names that are read."""
OTHER_VALUE = b"replaced"
"""As long as `rtrace.privacy.redacting.REDACTED`, so that nothing lies elsewhere in memory."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is replayed, again and again: the runs, and what they wrote; ``masked`` are variables that lost their value.

    ``wanted`` are the subjects whose contents are kept.
    """

    bundle: Path
    unpacker: Unpacker
    workspace: Path
    runs: tuple[Run, ...]
    results: Mapping[str, tuple[Result, ...]]
    entries: tuple[Entry, ...]
    sources: Sources
    limits: Limits
    grants: Grants
    masked: Collection[bytes] = ()

    def find_unpinned(self) -> str | None:
        """Return what the target cannot pin."""
        with ExitStack() as stack:
            return tell_unpinned(self.make_target(self.make_folder(), stack))

    def make_folder(self) -> Path:
        """Return a new folder."""
        return Path(tempfile.mkdtemp(dir=self.workspace))

    def make_target(self, folder: Path, stack: ExitStack) -> Target:
        """Unpack the bundle; the stack destroys the target."""
        made = self.unpacker.unpack(self.bundle, folder / THROW_AWAY, sources=self.sources, throw_away=True)
        target = self.unpacker.open(made.target)

        def destroy() -> None:
            with interrupts.shielded():
                target.destroy()

        stack.callback(destroy)
        return target

    def observe(self, wanted: Collection[Subject], varied: tuple[Cause, int] | None, *, frozen: bool) -> Observation:
        """Replay all runs; ``varied`` is the cause that is not as usual, and how. Raises TargetError."""
        folder = self.make_folder()
        values: dict[Subject, object] = {}
        contents: dict[Subject, Path] = {}
        cut = False
        with ExitStack() as stack:
            target = self.make_target(folder, stack)
            null = os.open(os.devnull, os.O_RDWR)
            stack.callback(os.close, null)
            told, names = tempfile.mkstemp(dir=folder)
            stack.callback(os.close, told)
            for run in self.runs:
                kept = folder / f"{len(values)}.streams"
                kept.mkdir()
                with collecting(run, Streams(null, null, null), kept) as collection:
                    changed, freeze = self.freeze(run, varied) if frozen else (run, None)
                    outcome = self.replay(target, changed, freeze, collection.streams, told)
                values[Subject(run.id, None, None)] = outcome.exit_status
                cut = cut or outcome.reached is not None
                for name, stream in collection.found.items():
                    values[Subject(run.id, None, name)] = (stream.size, stream.sha256)
                    if stream.path is not None and stream.size <= MOST:
                        contents[Subject(run.id, None, name)] = stream.path
                snapshot = target.inspect([result.path for result in self.results[run.id]], self.entries)
                values |= tell_files(run, self.results[run.id], snapshot)
                contents |= fetch(target, [one for one in wanted if one.run == run.id and one.path], snapshot, kept)
            with open(names, "rb") as file:
                made = frozenset(file.read(MOST_NAMES).split(b"\n"))
        return Observation(values, contents, made, cut)

    def freeze(self, run: Run, varied: tuple[Cause, int] | None) -> tuple[Run, Freeze]:
        """Return how a run is frozen, and the run with other values of variables where these are varied."""
        freeze = choose_freeze(run)
        if varied is None:
            return run, freeze
        if varied[0] == "environment":
            environ = change_environment(run.environ, ((name, OTHER_VALUE) for name in self.masked))
            run = replace(run, environ=environ)
        return run, replace(freeze, varied=varied[0], variant=varied[1])

    def replay(self, target: Target, run: Run, freeze: Freeze | None, streams: Streams, told: int) -> Outcome:
        """Replay a run; a program that cannot be started has the status that a shell gives it."""
        try:
            with interrupts.ending_at_once():
                return start(target, run, freeze, streams=streams, limits=self.limits, grants=self.grants, told=told)
        except (CommandNotFoundError, CommandNotExecutableError) as error:
            return Outcome(run.id, error.exit_status, None)


def tell_files(run: Run, results: Collection[Result], snapshot: Snapshot) -> dict[Subject, object]:
    """Return what is at each path that a run wrote; where nothing is, what is new in its folder."""
    values: dict[Subject, object] = {}
    for result in results:
        found = snapshot.found.get(result.path)
        if found is None or found.type is None:
            folder = result.path.rpartition(b"/")[0] + b"/"
            values[Subject(run.id, result.path, None)] = tuple(
                path for path in snapshot.extra if path.startswith(folder) and b"/" not in path[len(folder) :]
            )
        else:
            values[Subject(run.id, result.path, None)] = (found.type, found.size, found.sha256, found.target)
    return values


def fetch(target: Target, wanted: Collection[Subject], snapshot: Snapshot, folder: Path) -> dict[Subject, Path]:
    """Copy the contents of small files out of a target."""
    contents: dict[Subject, Path] = {}
    for subject in wanted:
        found = snapshot.found.get(subject.path or b"")
        if found is None or found.sha256 is None or found.size is None or found.size > MOST:
            continue
        path = folder / str(len(contents))
        with suppress(RtraceError, OSError), path.open("wb") as file:
            target.fetch(subject.path or b"", file)
            contents[subject] = path
    return contents
