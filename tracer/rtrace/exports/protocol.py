"""What an exporter is: the plug-in protocol behind the entry-point group ``rtrace.exports``.

An exporter turns a bundle into one file that rtrace does not read again, such as an image for container engines. What
rtrace reads as well is a format of bundles (`rtrace.bundle.protocol.Format`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from rtrace.bundle.entry import Result
from rtrace.bundle.protocol import Exported, OpenBundle
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.progress import SILENT, Progress

ENTRY_POINT_GROUP = "rtrace.exports"
Itself = TypeVar("Itself")


@dataclass(frozen=True, slots=True)
class ExpectedResult:
    """What a run left at a path, as `rtrace verify` compares it.

    ``counts``: whether it has a part in the verdict. ``held``: the bundle has it as the run left it, so that it is the
    same only if a replay wrote it. ``renamed``: its name changes from run to run. ``optional``: it is not certain that
    the run left it, so that nothing is said where it is missing.
    """

    result: Result
    counts: bool = True
    held: bool = False
    renamed: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Expectations:
    """What replays of a bundle's runs are compared with.

    ``doubts`` say, by run, why a difference proves nothing. ``unwritten`` are outputs, with their run, that no run is
    known to have written. ``ignored`` is how many results the author left out of every verdict, and ``streams`` the
    names of the streams that count.
    """

    results: tuple[ExpectedResult, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)
    unwritten: tuple[tuple[str, bytes], ...] = ()
    ignored: int = 0
    streams: frozenset[str] = frozenset({"stdout", "stderr"})


@dataclass(frozen=True, slots=True)
class Exporting:
    """What is exported: an open bundle, where content may come from that is not in it, and what its replays must give.

    ``expect`` works that out, for exporters whose file can verify itself; it takes a while for a large bundle.
    """

    bundle: OpenBundle
    expect: Callable[[], Expectations] = Expectations
    sources: Sources = NO_SOURCES


@runtime_checkable
class SelfVerifier(Protocol):
    """What an unpacker may be besides: one whose images compare what comes out by themselves."""

    def expecting(self: Itself, expect: Callable[[OpenBundle], Expectations]) -> Itself:  # noqa: PYI019 -- Python 3.10
        """Return this unpacker, asking ``expect`` what replays of a bundle must give."""


class Exporter(Protocol):
    """Writes bundles as files of another kind."""

    @property
    def name(self) -> str:
        """What `rtrace export --format` takes."""

    @property
    def readers(self) -> str:
        """Who reads such files, in a word or two."""

    @property
    def ending(self) -> str:
        """How their names end, with the dot."""

    def export(self, exporting: Exporting, target: Path, *, progress: Progress = SILENT) -> Exported:
        """Write a new file: complete, or not at all. Raises BundleError, TargetError and ElsewhereError."""
