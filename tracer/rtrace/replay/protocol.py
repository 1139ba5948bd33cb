"""What an unpacker is: the plug-in protocol behind the entry-point group ``rtrace.unpackers``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypeAlias, runtime_checkable

from rtrace.bundle.entry import Entry, Result
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.limits import DEFAULT_LIMITS, TIMED_OUT, Limits
from rtrace.manifest.model import Run
from rtrace.printable import name_some
from rtrace.progress import SILENT, Progress
from rtrace.replay.grants import NOTHING, Grants

ENTRY_POINT_GROUP = "rtrace.unpackers"
STATE_FILE = "rtrace-target.json"
"""In every target's folder: a JSON object whose ``unpacker`` names the unpacker that made it; the rest is its own."""
STATE_LIMIT = 1 << 20
"""The most bytes that such a file may have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one replayed run ended: its exit code, or the signal that ended it, as wait(2) tells.

    ``reached`` names the field of `rtrace.limits.Limits` that ended it; ``notes`` are sentences about limits that were
    reached without ending it, and about those that could not be had here. ``memory`` is that of its largest process,
    resident, in bytes, or None where the target does not measure it; ``memory_is_most``: it may have been less. What
    was measured has no part in whether two outcomes are equal.
    """

    run: str
    exit_code: int | None
    signal: int | None
    reached: str | None = None
    notes: tuple[str, ...] = ()
    memory: int | None = field(default=None, compare=False)
    memory_is_most: bool = field(default=False, compare=False)

    @property
    def exit_status(self) -> int:
        """The status a shell would show: the exit code, 128+N when signal N ended the run, 124 when its time was up."""
        if self.reached == "timeout":
            return TIMED_OUT
        return 128 + self.signal if self.signal is not None else self.exit_code or 0


def gather_notes(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the notes of runs, each once with the names of its runs: what a machine lacks, it lacks for all."""
    runs: dict[str, list[str]] = {}
    for outcome in outcomes:
        for note in outcome.notes:
            runs.setdefault(note, []).append(outcome.run)
    return [f"{name_some(names)}: {note}" for note, names in runs.items()]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What ``unpack`` has to say: a sentence a line (what was made, what is left to do by hand).

    ``incomplete`` are sentences about what the bundle itself lacks. ``is_exact`` is unset where a throw-away target
    shares files with others in a way that a program might notice, by the order of names in a folder, say. ``replays``
    is unset where another tool replays what was made, and rtrace does not.
    """

    target: Path
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    is_exact: bool = True
    replays: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a target holds after a replay, in the terms of the bundle.

    ``found`` has a result for each path that was asked for, without a digest of a file that has more holes than can
    be hashed; ``extra`` are the paths that exist though nobody asked for them and the bundle has no entry for them, and
    ``more`` is how many others of these there are, too many to be named.
    """

    found: dict[bytes, Result] = field(default_factory=dict)
    extra: tuple[bytes, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Streams:
    """The file descriptors that a replayed program gets as standard input, output and error."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2


OWN_STREAMS = Streams()


Expected = Iterable[bytes] | Mapping[bytes, int | None]
"""Paths that are asked for; or with the sizes that files there must have, if they are to be the same."""


class Target(Protocol):
    """A bundle unpacked: something that can be replayed, looked into and destroyed."""

    @property
    def path(self) -> Path:
        """The folder, as the caller named it."""

    def runs(self) -> Sequence[Run]:
        """Return the runs that it can replay, in their order."""

    def run(
        self,
        run: Run,
        *,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
    ) -> Outcome:
        """Replay one run, isolated; its standard streams are the caller's own unless told otherwise.

        The run may be one of `runs`, one of these changed (other arguments, another environment), or one made up, such
        as a shell. What of ``grants`` the target cannot give, it refuses before anything is started.
        Raises TargetError, and CommandNotFoundError or CommandNotExecutableError for a program the target cannot start.
        """

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Return what is at ``paths`` now, and which paths are neither among them nor packed.

        Where sizes are given with the paths, only a file that has its size is hashed, and none where that is None.
        """

    def put(self, entry: Entry, content: BinaryIO) -> None:
        """Put a regular file at an entry's path, with its owner, permissions and time, in the place of what is there.

        Folders on the way that are not there any more are made; a symlink on the way, or a folder in the file's place,
        is a TargetError. The file appears whole or not at all.
        """

    def fetch(self, path: bytes, into: BinaryIO) -> None:
        """Copy the content of a regular file to an open one. Symlinks are followed, within the target alone.

        Raises FileNotFoundError where there is none, TargetError where it is no regular file.
        """

    def reset(self, bundle: Path, *, progress: Progress = SILENT, sources: Sources = NO_SOURCES) -> None:
        """Bring back the state in which `Unpacker.unpack` left the target; ``bundle`` is what it was made of.

        Killed in the midst, the target has the old state or the new one. Raises BundleError and TargetError.
        """

    def destroy(self) -> None:
        """Remove everything that belongs to the target, wherever it is kept."""


Stamp: TypeAlias = tuple[int, ...]
"""What changes when a file is written, whatever is written: of no meaning but to be compared with another one."""


@runtime_checkable
class Stamper(Protocol):
    """What a target may be besides: one that can tell whether a file was written since it was unpacked."""

    def stamp(self, paths: Collection[bytes]) -> Mapping[bytes, Stamp]:
        """Return the stamps of files as they are now; paths about which nothing is known are left out."""


@runtime_checkable
class Mender(Protocol):
    """What a target may be besides: one in which a killed command can leave something that is not to stay."""

    def mend(self) -> Sequence[str]:
        """Put that in order, and tell what was found, a sentence each. Raises BusyError and TargetError."""


class Unpacker(Protocol):
    """Turns a bundle into a target."""

    name: str
    summary: str

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would do, a line for each step; touch nothing."""

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,
    ) -> Unpacked:
        """Make a target from a bundle; ``target`` must not exist. Raises BundleError and TargetError.

        ``throw_away``: the caller destroys it right after a replay or two, so parts of it may be shared with others
        that are made of the same bundle, and it is never reset.

        ``sources`` tells where content may come from that is not in the bundle, for
        `rtrace.elsewhere.sources.complete_data`, which raises ElsewhereError where it is not to be had.
        """

    def open(self, target: Path) -> Target:
        """Open a target that ``unpack`` of this unpacker made. Raises TargetError."""


@dataclass(frozen=True, slots=True)
class Images:
    """What a person asks of an unpacker that makes images.

    ``build``: whether an engine makes the image, or the target is the build context alone. ``base``: the image below
    the bundle's files, in which packages are installed that the bundle left out; a person builds on it.
    """

    build: bool = True
    base: str | None = None


ANY_IMAGES = Images()


@runtime_checkable
class ImageMaker(Protocol):
    """What an unpacker may be besides: one that makes images."""

    def make_images(self, images: Images) -> Unpacker:
        """Return this unpacker, making images as a person asks for. Raises UsageError for what cannot be."""


@runtime_checkable
class Candidate(Protocol):
    """What an unpacker may be besides: one that ``--unpacker auto`` may take: after `chroot`, the lowest rank first.

    ``stand_in`` names the unpacker that is taken where this one was asked for and cannot replay.
    """

    rank: int
    stand_in: str | None

    def find_problem(self) -> str | None:
        """Return why nothing can be replayed with it here, with the next step, to follow a colon; None where it can.

        Asked before each replay, so it has to be quick where the answer is that it can.
        """


@runtime_checkable
class Cautious(Protocol):
    """What a target may be besides: one whose replays are not always isolated."""

    def caution(self) -> str | None:
        """Return the sentence that says what a replay is not kept from here; None where it is isolated."""


Part: TypeAlias = Literal["record", "replay", "files", "packages"]
"""What an ability is for."""


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that works on this machine, or does not, and for whom: ``detail`` says how, or why not."""

    name: str
    works: bool
    detail: str = ""
    part: Part = "replay"


@runtime_checkable
class Examiner(Protocol):
    """What an unpacker may be besides: one that can say what of it works on this machine."""

    def examine(self) -> Sequence[Ability]:
        """Try, without changing anything, what its replays need and what makes them better."""


@runtime_checkable
class Cleaner(Protocol):
    """What an unpacker may be besides: one that keeps things outside of folders, such as containers and images."""

    def list_leftovers(self) -> Sequence[str]:
        """Return the names of what killed processes of rtrace left there, each fit for a sentence."""

    def clean(self) -> Sequence[str]:
        """Remove that, and name what is gone. What a living process of rtrace uses stays, and what others made."""


@dataclass(frozen=True, slots=True)
class Cached:
    """What an unpacker keeps of a bundle so that its next throw-away target is made at once.

    ``name`` is that of the bundle's file when it was made, ``size`` what it takes on the disk in bytes, ``used`` the
    time of its last use, in seconds since the Epoch.
    """

    path: Path
    identity: str
    name: str
    size: int
    used: float


@runtime_checkable
class Cacher(Protocol):
    """What an unpacker may be besides: one that keeps what it made of bundles."""

    def list_cached(self) -> Sequence[Cached]:
        """Return what is kept, what was not used for longest first."""

    def clear_cached(self, cached: Cached) -> bool:
        """Remove something that is kept; return whether it is gone. What a process uses stays. Raises TargetError."""
