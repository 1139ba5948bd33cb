"""Where a check works: an unpacker, a folder of its own, targets in it, and what replays in them printed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO

from rtrace.bundle.entry import Entry
from rtrace.errors import RtraceError
from rtrace.files.removing import remove_below
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Run
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import Cautious, Outcome, Streams, Target, Unpacker
from rtrace_unpackers.conformance.bundles import make_run, make_sample
from rtrace_unpackers.conformance.hostile import make_plain
from rtrace_unpackers.conformance.model import CannotTellError, expect


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay."""

    outcome: Outcome
    stdout: bytes
    stderr: bytes

    @property
    def told(self) -> str:
        """How it ended, for a sentence."""
        said = (self.stdout + self.stderr)[-300:].decode("utf-8", "backslashreplace").strip()
        return f"status {self.outcome.exit_status}" + (f", {said!r}" if said else "")


class Bench:
    """An unpacker under test."""

    def __init__(self, unpacker: Unpacker, folder: Path) -> None:
        self.unpacker = unpacker
        self.folder = folder
        self.canary = folder / "canary"
        self.canary.write_bytes(b"a file of the machine\n")
        self.sample = folder / "sample" / "sample.rpz"
        self.entries: tuple[Entry, ...] = ()
        self._number = 0

    def make_sample(self) -> None:
        """Make the bundle that most checks are about. Raises TargetError where this machine has no programs for it."""
        maker = make_sample(self.sample.parent, self.canary)
        self.entries = maker.entries
        maker.write(self.sample.name)

    @cached_property
    def target(self) -> Target:
        """A target that several checks share: they put back what they change."""
        return self.make(self.make_folder())

    def write_other(self) -> Path:
        """Return a bundle of which no target is made."""
        return make_plain(self.make_folder() / "other").write("other.rpz")

    def make_folder(self) -> Path:
        """Return a new folder that is empty."""
        self._number += 1
        folder = self.folder / f"place-{self._number}"
        folder.mkdir()
        return folder

    def make(self, folder: Path) -> Target:
        """Unpack the sample into a folder, as `target` there."""
        path = folder / "target"
        self.unpacker.unpack(self.sample, path)
        return self.unpacker.open(path)

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Target]:
        """Yield a target of one check's own."""
        folder = self.make_folder()
        target = self.make(folder)
        try:
            yield target
        finally:
            if target.path.exists():
                target.destroy()

    def close(self) -> None:
        """Remove what the suite made in any place."""
        with contextlib.suppress(RtraceError):
            if "target" in self.__dict__:
                self.target.destroy()

    def replay(
        self,
        run: Run | bytes,
        stdin: bytes | IO[bytes] = b"",
        *,
        target: Target | None = None,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
        joined: bool = False,
    ) -> Replayed:
        """Replay a run, or a script, with files for its streams."""
        run = make_run(run) if isinstance(run, bytes) else run
        with contextlib.ExitStack() as stack:
            given, out, err = (stack.enter_context(tempfile.TemporaryFile(dir=self.folder)) for _ in range(3))
            if isinstance(stdin, bytes):
                given.write(stdin)
                given.seek(0)
            source = given if isinstance(stdin, bytes) else stdin
            streams = Streams(source.fileno(), out.fileno(), out.fileno() if joined else err.fileno())
            outcome = (target or self.target).run(run, streams=streams, limits=limits, grants=grants)
            for file in (out, err):
                file.seek(0)
            return Replayed(outcome, out.read(), err.read())

    def ask(self, script: bytes, **changes: object) -> bytes:
        """Return what a script prints that has to succeed; the run may be changed."""
        done = self.replay(replace(make_run(script), **changes))  # type: ignore[arg-type]
        expect(done.outcome.exit_status == 0, f"a replay of `sh -c '{script.decode()}'` ended with {done.told}")
        return done.stdout

    def demand_isolation(self) -> None:
        """Raise CannotTellError where the target itself says that it does not isolate."""
        caution = self.target.caution() if isinstance(self.target, Cautious) else None
        if caution is not None:
            raise CannotTellError(caution)


def list_names(folder: Path) -> list[str]:
    """Return what is in a folder, in order."""
    return sorted(os.listdir(folder))


@contextlib.contextmanager
def made_folder() -> Iterator[Path]:
    """Yield a folder that nobody else can enter, and remove it in the end, whatever is in it."""
    path = Path(tempfile.mkdtemp(prefix="rtrace-conformance-"))
    try:
        yield path
    finally:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            remove_below(descriptor)
        finally:
            os.close(descriptor)
        os.rmdir(path)
